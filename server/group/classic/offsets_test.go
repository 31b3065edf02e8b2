package classic

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCheckCommit(t *testing.T) {
	s := newStory(t)
	check := func(what string, c Committer, want *kerr.Error) {
		t.Helper()
		got := s.g.CheckCommit(c, s.now)
		if want == nil && got != 0 || want != nil && got != want.Code {
			t.Errorf("%s, %s: %v, want %v", s.g.State(), what, kerr.ErrorForCode(got), want)
		}
	}
	i := "i"
	simple := Committer{Generation: -1}
	check("simple", simple, nil)
	check("unknown member", Committer{Generation: 0, MemberID: "x"}, kerr.UnknownMemberID)
	check("unknown member, no generation", Committer{Generation: -1, MemberID: "x"}, nil)

	a, b := s.join(), s.join(instance(i))
	s.pass(6 * time.Second)
	member := Committer{Generation: 1, MemberID: s.joined(a).MemberID}
	static := Committer{Generation: 1, MemberID: s.joined(b).MemberID, InstanceID: &i}
	check("member", member, kerr.RebalanceInProgress)
	check("simple", simple, kerr.UnknownMemberID)
	check("simple, transactional", Committer{Generation: -1, Transactional: true}, nil)
	check("member, transactional", Committer{Generation: 1, MemberID: member.MemberID, Transactional: true}, nil)

	s.sync(static.MemberID, 1)
	s.sync(member.MemberID, 1)
	check("member", member, nil)
	check("static", static, nil)
	check("fenced", Committer{Generation: 1, MemberID: "x", InstanceID: &i}, kerr.FencedInstanceID)
	check("old", Committer{Generation: 0, MemberID: member.MemberID}, kerr.IllegalGeneration)
	check("old, transactional", Committer{Generation: 0, MemberID: member.MemberID, Transactional: true}, kerr.IllegalGeneration)
	check("no generation", Committer{Generation: -1, MemberID: member.MemberID}, kerr.IllegalGeneration)
	check("unknown", Committer{Generation: 1, MemberID: "x"}, kerr.UnknownMemberID)
	check("unknown, transactional", Committer{Generation: 1, MemberID: "x", Transactional: true}, kerr.UnknownMemberID)
	check("simple", simple, kerr.UnknownMemberID)

	// A commit keeps the session; within a transaction it does not.
	s.pass(9 * time.Second)
	check("member", member, nil)
	check("static, transactional", Committer{Generation: 1, MemberID: static.MemberID, Transactional: true}, nil)
	s.pass(time.Second)
	s.in("PreparingRebalance", 1)
	check("member", member, nil)
	check("expired", static, kerr.UnknownMemberID)
}

func TestCheckDelete(t *testing.T) {
	for name, c := range map[string]struct {
		kind                    string
		delete, offsets, offset int16
	}{
		"consumer": {"consumer", kerr.NonEmptyGroup.Code, 0, 0},
		"connect":  {"connect", kerr.NonEmptyGroup.Code, kerr.NonEmptyGroup.Code, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.accepted(s.g.CheckDelete())
			s.accepted(s.g.CheckOffsetDelete())
			ids := s.stable(func(r *kmsg.JoinGroupRequest) { r.ProtocolType = c.kind })
			if d, o := s.g.CheckDelete(), s.g.CheckOffsetDelete(); d != c.delete || o != c.offsets {
				t.Fatalf("codes %d, %d, want %d, %d", d, o, c.delete, c.offsets)
			}
			s.leave(ids[0])
			s.accepted(s.g.CheckDelete())
			s.accepted(s.g.CheckOffsetDelete())
		})
	}
}

func TestSubscribed(t *testing.T) {
	s := newStory(t)
	topics := func(want ...bool) {
		t.Helper()
		for i, topic := range []string{"t", "range", "other"} {
			if got := s.g.Subscribed(topic); got != want[i] {
				t.Errorf("%s: subscribed to %s: %v", s.g.State(), topic, got)
			}
		}
	}
	topics(false, false, false)
	first := s.join()
	topics(true, true, true) // nobody knows
	s.pass(3 * time.Second)
	topics(true, true, false)
	id := s.joined(first).MemberID
	s.sync(id, 1)
	s.join(as(id), offers("other", "range"))
	topics(true, false, true)
	s.leave(id)
	topics(false, false, false)
	s.stable(func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Metadata = []byte("not of a consumer") })
	topics(true, true, true)

	s = newStory(t)
	s.stable(func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })
	topics(false, false, false)
}

func TestRetainedFrom(t *testing.T) {
	s := newStory(t)
	from := func(want int64, wantOK bool) {
		t.Helper()
		if got, ok := s.g.RetainedFrom(77); got != want || ok != wantOK {
			t.Fatalf("%s: %d, %v", s.g.State(), got, ok)
		}
	}
	from(77, true) // no members ever
	first := s.join()
	from(0, false)
	s.pass(3 * time.Second)
	from(0, false)
	s.sync(s.joined(first).MemberID, 1)
	from(77, true)
	s.leave(s.joined(first).MemberID)
	from(s.now.UnixMilli(), true)
	s.last().StateTimestamp = -1
	s.g.Replay(s.last())
	from(77, true)

	s = newStory(t)
	s.stable(func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })
	from(0, false)
}

func FuzzAddTopics(f *testing.F) {
	for version := range int16(4) {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics, m.UserData = version, []string{"a", "", "topic"}, []byte("data")
		m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "a", Partitions: []int32{1, 2}}}
		f.Add(m.AppendTo(nil))
	}
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, metadata []byte) {
		all := make(map[string]struct{})
		ok := addTopics(all, metadata)
		if len(all) > len(metadata) {
			t.Fatalf("%d topics of %d bytes", len(all), len(metadata))
		}
		var m kmsg.ConsumerMemberMetadata
		if len(metadata) > 1<<16 || len(metadata) >= 6 && (metadata[2] != 0 || metadata[3] != 0) {
			return // the library allocates what the count says
		}
		if err := m.ReadFrom(metadata); err != nil || m.Version < 0 {
			return
		}
		if !ok {
			t.Fatalf("%x is understood as %+v", metadata, m)
		}
		for _, topic := range m.Topics {
			if _, found := all[topic]; !found {
				t.Fatalf("topic %q is not found", topic)
			}
		}
	})
}
