package consumer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Epochs with a meaning of their own in requests.
const (
	joinEpoch        = 0
	leaveEpoch       = -1
	staticLeaveEpoch = -2 // a static member goes, and will be back
)

// ownIDVersion is the version of ConsumerGroupHeartbeat from which on members make
// their ids themselves (KIP-1082).
const ownIDVersion = 1

// fault is why a request is refused.
type fault struct {
	code int16
	text string
}

func refuse(e *kerr.Error, format string, args ...any) *fault {
	return &fault{e.Code, fmt.Sprintf(format, args...)}
}

// RefuseHeartbeat is the answer to a heartbeat that is wrong whatever the group, nil if
// there is nothing wrong:
//
//	INVALID_REQUEST       a field is missing, empty, or impossible
//	UNSUPPORTED_ASSIGNOR  not one of the settings' assignors
func (s *Settings) RefuseHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	if f := s.check(req); f != nil {
		return f.answer(req)
	}
	return nil
}

func (f *fault) answer(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	r := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	r.ErrorCode, r.ErrorMessage = f.code, &f.text
	return r
}

func (s *Settings) check(req *kmsg.ConsumerGroupHeartbeatRequest) *fault {
	invalid := func(text string) *fault { return &fault{kerr.InvalidRequest.Code, text} }
	named := req.Version >= ownIDVersion || req.MemberEpoch > joinEpoch || req.MemberEpoch == leaveEpoch
	switch {
	case named && blank(&req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(&req.Group):
		return invalid("GroupId can't be empty.")
	case blank(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case blank(req.RackID):
		return invalid("RackId can't be empty.")
	}
	switch {
	case req.MemberEpoch == joinEpoch:
		switch {
		case req.RebalanceTimeoutMillis == -1:
			return invalid("RebalanceTimeoutMs must be provided in first request.")
		case req.Topics == nil || len(req.Topics) > 0:
			return invalid("TopicPartitions must be empty when (re-)joining.")
		case req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
			return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	case req.MemberEpoch == staticLeaveEpoch && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case req.MemberEpoch < staticLeaveEpoch:
		return invalid("MemberEpoch is invalid.")
	}
	if a := req.ServerAssignor; a != nil && !slices.Contains(s.Assignors, *a) {
		return refuse(kerr.UnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: %s.", *a, strings.Join(s.Assignors, ", "))
	}
	return nil
}

// blank says that a text is there and has nothing but blanks in it.
func blank(s *string) bool {
	return s != nil && strings.TrimFunc(*s, func(r rune) bool { return r <= ' ' }) == ""
}

// Heartbeat handles ConsumerGroupHeartbeat, versions 0 and 1: joins (epoch 0), leaves
// (-1; of a static member for a while: -2), and all in between. Besides those of
// [Settings.RefuseHeartbeat] there are these errors:
//
//	GROUP_MAX_SIZE_REACHED      there is no room for another member
//	UNKNOWN_MEMBER_ID           nobody has that id, or that instance id
//	FENCED_MEMBER_EPOCH         the member is not where the group believes it to be:
//	                            it has to give all up and to join again
//	FENCED_INSTANCE_ID          another member has that instance id
//	UNRELEASED_INSTANCE_ID      the same, while joining
//	INVALID_REGULAR_EXPRESSION  not RE2, or too large
//
// An error changes nothing. A heartbeat that brings no news and gets none writes
// nothing.
func (g *Group) Heartbeat(c step.Call, req *kmsg.ConsumerGroupHeartbeatRequest, s *Settings, topics step.Topics, out *step.Output) {
	r, f := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse), s.check(req)
	switch {
	case f != nil:
	case req.MemberEpoch < joinEpoch:
		f = g.leave(c, req, r, s, topics, out)
	default:
		f = g.heartbeat(c, req, r, s, topics, out)
	}
	if f != nil {
		r = f.answer(req)
	}
	out.Answer(c.Token, r)
}

func (g *Group) heartbeat(c step.Call, req *kmsg.ConsumerGroupHeartbeatRequest, r *kmsg.ConsumerGroupHeartbeatResponse, s *Settings, topics step.Topics, out *step.Output) *fault {
	a, f := g.arrive(c, req, s)
	if f != nil {
		return f
	}
	told := tell(c, req, a.told)
	if f := g.checkRegex(a.told, told); f != nil {
		return f
	}
	owned := reported(req.Topics)
	if a.current.State == record.Unknown && (owned == nil || len(owned) > 0) {
		return refuse(kerr.FencedMemberEpoch, "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.")
	}
	m, changed := g.admit(c.Now, a, told, topics, out)
	before := m.current.Assigned
	g.renew(changed.bump, topics, out)
	g.assign(c.Now, s, topics, out)
	g.reconcile(c.Now, m, changed.subscription, owned, topics, out)
	m.join, m.sync = time.Time{}, time.Time{}
	g.hear(m, c.Now, s.SessionTimeout)

	id := m.id
	r.MemberID, r.MemberEpoch = &id, m.current.Epoch
	r.HeartbeatIntervalMillis = int32(s.HeartbeatInterval.Milliseconds())
	if req.MemberEpoch == joinEpoch || full(req) || !same(before, m.current.Assigned) {
		r.Assignment = assignmentOf(m.current.Assigned)
	}
	return nil
}

// full says that a request tells all there is to tell, as clients do after an error.
func full(req *kmsg.ConsumerGroupHeartbeatRequest) bool {
	return req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
}

func assignmentOf(list []record.TopicPartitions) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	a.Topics = make([]kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic, len(list))
	for i, t := range list {
		a.Topics[i].TopicID, a.Topics[i].Partitions = t.Topic, t.Partitions
	}
	return &a
}

// reported is what a member says that it has; nil if it says nothing.
func reported(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) []record.TopicPartitions {
	if topics == nil {
		return nil
	}
	list := make([]record.TopicPartitions, len(topics))
	for i, t := range topics {
		list[i].Topic, list[i].Partitions = t.TopicID, t.Partitions
	}
	return list
}

// tell is what a member has told with a heartbeat, after what it had told before. If
// nothing is new it is the same value.
func tell(c step.Call, req *kmsg.ConsumerGroupHeartbeatRequest, before *record.MemberValue) *record.MemberValue {
	v := *before
	v.ClientID, v.ClientHost, v.Classic = c.ClientID, c.ClientHost, nil
	update(&v.InstanceID, req.InstanceID)
	update(&v.RackID, req.RackID)
	update(&v.Assignor, req.ServerAssignor)
	update(&v.Regex, req.SubscribedTopicRegex)
	if req.RebalanceTimeoutMillis != -1 {
		v.RebalanceTimeout = req.RebalanceTimeoutMillis
	}
	if req.SubscribedTopicNames != nil {
		v.Topics = names(req.SubscribedTopicNames)
	}
	return news(&v, before)
}

// news is v with memory of its own, or before if it says the same.
func news(v, before *record.MemberValue) *record.MemberValue {
	if sameMember(v, before) {
		return before
	}
	v.ClientID, v.ClientHost = strings.Clone(v.ClientID), strings.Clone(v.ClientHost)
	v.InstanceID, v.RackID, v.Assignor, v.Regex = own(v.InstanceID), own(v.RackID), own(v.Assignor), own(v.Regex)
	return v
}

func update(field **string, to *string) {
	if to != nil {
		*field = to
	}
}

// own is a copy.
func own(s *string) *string {
	if s == nil {
		return nil
	}
	c := strings.Clone(*s)
	return &c
}

// names are sorted copies, each once.
func names(list []string) []string {
	all := make([]string, len(list))
	for i, n := range list {
		all[i] = strings.Clone(n)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
