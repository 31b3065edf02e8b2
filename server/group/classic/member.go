package classic

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// member is a member of a group. Of the embedded fields Subscription is not used:
// it follows from Protocols and what the group has agreed on.
type member struct {
	step.ClassicMember
	fresh    bool     // its first join has not been answered
	logged   bool     // the group's last record names it
	unsynced bool     // it has to sync before syncDue
	join     *request // that waits; nil: none
	sync     *request
	expires  time.Time // end of its session; zero: not while it waits
	silence  step.Silence
}

// request is a request that waits.
type request struct {
	token   step.Token
	version int16
}

func (m *member) static() bool { return m.InstanceID != nil }

func (m *member) offers(protocol string) int {
	return slices.IndexFunc(m.Protocols, func(p record.ClassicProtocol) bool { return p.Name == protocol })
}

// note is m as it is written if the group has agreed on a protocol.
func (g *Group) note(m *member, protocol string) record.ClassicMember {
	r := m.ClassicMember.ClassicMember
	r.Subscription, r.Silent = m.metadata(protocol), g.watch.Note(&m.silence)
	return r
}

// metadata is what m says for the protocol, empty if it does not offer it.
func (m *member) metadata(protocol string) []byte {
	if i := m.offers(protocol); i >= 0 {
		return m.Protocols[i].Metadata
	}
	return nil
}

// matches says that m offers the same, in the same order and with equal metadata.
func (m *member) matches(offer []record.ClassicProtocol) bool {
	return slices.EqualFunc(m.Protocols, offer, func(a, b record.ClassicProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// offerOf is what a request offers, in memory of its own. Only the first of
// protocols of one name counts.
func offerOf(req *kmsg.JoinGroupRequest) []record.ClassicProtocol {
	offer := make([]record.ClassicProtocol, 0, len(req.Protocols))
	seen := make(map[string]struct{}, len(req.Protocols))
	for _, p := range req.Protocols {
		if _, again := seen[p.Name]; again {
			continue
		}
		seen[p.Name] = struct{}{}
		offer = append(offer, record.ClassicProtocol{Name: strings.Clone(p.Name), Metadata: own(p.Metadata)})
	}
	return offer
}

// own is a copy, never nil.
func own(b []byte) []byte { return append([]byte{}, b...) }

// insert adds a member that is not one yet.
func (g *Group) insert(m *member) {
	if g.leader == "" {
		g.leader = m.ID
	}
	g.members = append(g.members, m)
	g.byID[m.ID] = m
	if m.static() {
		g.byInstance[*m.InstanceID] = m
	}
	g.count(m, +1)
	delete(g.pending, m.ID)
}

// remove takes a member out. What of its requests waits is answered
// UNKNOWN_MEMBER_ID, so that a client that is alive joins anew.
func (g *Group) remove(m *member, out *step.Output) {
	g.refuseJoin(m, "", kerr.UnknownMemberID.Code, out)
	refuseSync(m, kerr.UnknownMemberID.Code, out)
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	delete(g.byID, m.ID)
	if m.static() && g.byInstance[*m.InstanceID] == m {
		delete(g.byInstance, *m.InstanceID)
	}
	g.outdated = g.outdated || m.logged
	g.count(m, -1)
	if g.leader == m.ID {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].ID
		}
	}
}

// rename gives a static member the id of its new incarnation and refuses what the
// old one waits for.
func (g *Group) rename(m *member, id string, out *step.Output) {
	g.refuseJoin(m, m.ID, kerr.FencedInstanceID.Code, out)
	refuseSync(m, kerr.FencedInstanceID.Code, out)
	delete(g.byID, m.ID)
	if g.leader == m.ID {
		g.leader = id
	}
	g.outdated = g.outdated || m.logged
	m.ID, m.fresh, m.logged = id, false, false
	g.byID[id] = m
}

func (g *Group) count(m *member, by int) {
	for _, p := range m.Protocols {
		g.offered[p.Name] += by
		if g.offered[p.Name] == 0 {
			delete(g.offered, p.Name)
		}
	}
}

// supports says that a member of the type and with the offer agrees with all others
// on something.
func (g *Group) supports(protocolType string, offer []record.ClassicProtocol) bool {
	if g.state == empty {
		return protocolType != "" && len(offer) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(offer, func(p record.ClassicProtocol) bool {
		return g.offered[p.Name] == len(g.members)
	})
}

// check is the error code of a request by who is not a member.
func (g *Group) check(id string, instance *string) int16 {
	if instance != nil {
		m := g.byInstance[*instance]
		switch {
		case m == nil:
			return kerr.UnknownMemberID.Code
		case m.ID != id:
			return kerr.FencedInstanceID.Code
		}
	}
	if g.byID[id] == nil {
		return kerr.UnknownMemberID.Code
	}
	return 0
}

// choose is what members agree on.
func choose(members []*member) string {
	offers := make([][]record.ClassicProtocol, len(members))
	for i, m := range members {
		offers[i] = m.Protocols
	}
	name, _ := vote(offers)
	return name
}

// Choose is the protocol that the members agree on: each votes for the first it
// offers of those that all offer; at a tie the oldest member decides. It is false if
// there is none that all offer.
func Choose(members []step.ClassicMember) (string, bool) {
	offers := make([][]record.ClassicProtocol, len(members))
	for i := range members {
		offers[i] = members[i].Protocols
	}
	return vote(offers)
}

func vote(offers [][]record.ClassicProtocol) (best string, ok bool) {
	offered, votes := make(map[string]int), make(map[string]int)
	for _, offer := range offers {
		for _, p := range offer {
			offered[p.Name]++
		}
	}
	var cast []string
	for _, offer := range offers {
		i := slices.IndexFunc(offer, func(p record.ClassicProtocol) bool { return offered[p.Name] == len(offers) })
		if i < 0 {
			return "", false
		}
		cast = append(cast, offer[i].Name)
		votes[offer[i].Name]++
	}
	for _, name := range cast {
		if !ok || votes[name] > votes[best] {
			best, ok = name, true
		}
	}
	return best, ok
}
