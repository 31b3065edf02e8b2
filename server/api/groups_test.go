package api

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
	"sordini/server/wire"
)

// fakeGroups is a coordinator that notes what it is asked.
type fakeGroups struct {
	shards  int
	failure error // of Ensure
	ensured int
	asked   []askedGroup
	// answer is the answer to what is asked; nil refuses with NOT_COORDINATOR.
	answer func(group string, req kmsg.Request) *fakePending
}

type askedGroup struct {
	call  step.Call
	group string
	req   kmsg.Request
}

func (f *fakeGroups) Ensure() error {
	f.ensured++
	return f.failure
}

func (f *fakeGroups) Do(c step.Call, group string, req kmsg.Request) Pending {
	f.asked = append(f.asked, askedGroup{c, group, req})
	if f.answer == nil {
		return refused{kerr.NotCoordinator}
	}
	return f.answer(group, req)
}

func (f *fakeGroups) DoAll(c step.Call, make func() kmsg.Request) []Pending {
	var all []Pending
	for i := range f.shards {
		all = append(all, f.Do(c, fmt.Sprint("shard ", i), make()))
	}
	return all
}

// fakePending is an answer that comes when it is told to.
type fakePending struct {
	come      chan struct{} // closed when the answer is there; nil: it is
	resp      kmsg.Response
	refusal   *kerr.Error
	cancelled int
}

func (p *fakePending) Ready() bool {
	select {
	case <-p.come:
		return true
	default:
		return p.come == nil
	}
}

func (p *fakePending) Wait(w *wire.Waiter) {
	select {
	case <-p.come:
	case <-w.Gone:
		p.refusal = kerr.NotCoordinator
	}
}

func (p *fakePending) Response() (kmsg.Response, *kerr.Error) { return p.resp, p.refusal }

func (p *fakePending) Cancel() { p.cancelled++ }

// groupRequests is one request of each API of groups, for a group "g" and in part
// for another, "h", of a topic "a" and another one.
func groupRequests() []kmsg.Request {
	join, sync := kmsg.NewPtrJoinGroupRequest(), kmsg.NewPtrSyncGroupRequest()
	beat, leave := kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrLeaveGroupRequest()
	commit, fetch := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewPtrOffsetFetchRequest()
	drop, find := kmsg.NewPtrOffsetDeleteRequest(), kmsg.NewPtrFindCoordinatorRequest()
	describe, list, remove := kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrDeleteGroupsRequest()
	consumer, describeConsumer := kmsg.NewPtrConsumerGroupHeartbeatRequest(), kmsg.NewPtrConsumerGroupDescribeRequest()
	for _, name := range []*string{&join.Group, &sync.Group, &beat.Group, &leave.Group, &commit.Group, &fetch.Group, &drop.Group, &consumer.Group, &find.CoordinatorKey} {
		*name = "g"
	}
	for _, names := range []*[]string{&describe.Groups, &remove.Groups, &describeConsumer.Groups, &find.CoordinatorKeys} {
		*names = []string{"g", "h", "g"}
	}
	for _, topic := range []string{"a", "b"} {
		commit.Topics = append(commit.Topics, kmsg.OffsetCommitRequestTopic{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1}, {}}})
		fetch.Topics = append(fetch.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: []int32{1, 0}})
		drop.Topics = append(drop.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 1}}})
	}
	for _, group := range []string{"g", "h"} {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", Partitions: []int32{0}}}
		fetch.Groups = append(fetch.Groups, g)
	}
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1}}}
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "m"}}
	return []kmsg.Request{join, sync, beat, leave, commit, fetch, drop, find, describe, list, remove, consumer, describeConsumer}
}

// codes are the error codes of an answer, wherever they stand.
func codes(t *testing.T, resp kmsg.Response) []int16 {
	var all []int16
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		return []int16{r.ErrorCode}
	case *kmsg.SyncGroupResponse:
		return []int16{r.ErrorCode}
	case *kmsg.HeartbeatResponse:
		return []int16{r.ErrorCode}
	case *kmsg.LeaveGroupResponse:
		return []int16{r.ErrorCode}
	case *kmsg.ListGroupsResponse:
		return []int16{r.ErrorCode}
	case *kmsg.OffsetDeleteResponse:
		return []int16{r.ErrorCode}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		return []int16{r.ErrorCode}
	case *kmsg.OffsetCommitResponse:
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				all = append(all, p.ErrorCode)
			}
		}
	case *kmsg.OffsetFetchResponse:
		return fetchCodes(r)
	case *kmsg.DescribeGroupsResponse:
		for _, g := range r.Groups {
			all = append(all, g.ErrorCode)
		}
	case *kmsg.DeleteGroupsResponse:
		for _, g := range r.Groups {
			all = append(all, g.ErrorCode)
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, g := range r.Groups {
			all = append(all, g.ErrorCode)
		}
	default:
		t.Fatalf("%T", resp)
	}
	return all
}

func fetchCodes(r *kmsg.OffsetFetchResponse) []int16 {
	var all []int16
	switch {
	case r.Version >= 8:
		for _, g := range r.Groups {
			all = append(all, g.ErrorCode)
		}
	case r.Version >= 2:
		return []int16{r.ErrorCode}
	default:
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if p.Offset == -1 && text(p.Metadata) == "" {
					all = append(all, p.ErrorCode)
				}
			}
		}
	}
	return all
}

// What the coordinator cannot answer is refused in each version's own way.
func TestGroups_Refused(t *testing.T) {
	h := newHarness(t)
	var cause *kerr.Error
	h.groups.answer = func(string, kmsg.Request) *fakePending { return &fakePending{refusal: cause} }
	for _, cause = range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable} {
		for _, req := range groupRequests() {
			if _, ok := req.(*kmsg.FindCoordinatorRequest); ok {
				continue
			}
			for _, v := range h.versions(req) {
				got := codes(t, call[kmsg.Response](h, v, req))
				want, code := 1, cause.Code
				switch req.(type) {
				case *kmsg.OffsetCommitRequest:
					want = 4
				case *kmsg.OffsetFetchRequest:
					switch {
					case v < 2:
						want = 4
					case v >= 8:
						want = 2
					}
				case *kmsg.DescribeGroupsRequest, *kmsg.ConsumerGroupDescribeRequest:
					want = 3
				case *kmsg.DeleteGroupsRequest:
					want = 2
				case *kmsg.HeartbeatRequest:
					if cause == kerr.CoordinatorLoadInProgress {
						code = 0 // so that members stay
					}
				}
				if len(got) != want || slices.ContainsFunc(got, func(c int16) bool { return c != code }) {
					t.Errorf("%s version %d: codes %v, want %d of %d", Name(req.Key()), v, got, want, code)
				}
			}
		}
	}
}

// The coordinator is asked for each group alone, in the version of the request, and
// its answers are passed on.
func TestGroups_Asked(t *testing.T) {
	h := newHarness(t)
	h.groups.answer = func(_ string, req kmsg.Request) *fakePending {
		return &fakePending{resp: step.Refuse(req, kerr.RebalanceInProgress)}
	}
	for _, req := range groupRequests() {
		want := []string{"g"}
		switch req.(type) {
		case *kmsg.FindCoordinatorRequest:
			continue
		case *kmsg.DescribeGroupsRequest, *kmsg.ConsumerGroupDescribeRequest:
			want = []string{"g", "h", "g"}
		case *kmsg.DeleteGroupsRequest:
			want = []string{"g", "h"}
		case *kmsg.ListGroupsRequest:
			want = []string{"shard 0", "shard 1"}
		}
		for _, v := range h.versions(req) {
			want := want
			if _, ok := req.(*kmsg.OffsetFetchRequest); ok && v >= 8 {
				want = []string{"g", "h"}
			}
			h.groups.asked = nil
			answer := call[kmsg.Response](h, v, req)
			if got := codes(t, answer); len(got) == 0 || got[0] != kerr.RebalanceInProgress.Code {
				t.Errorf("%s version %d: codes %v", Name(req.Key()), v, got)
			}
			var asked []string
			for _, a := range h.groups.asked {
				asked = append(asked, a.group)
				if a.req.GetVersion() != v || a.req.Key() != req.Key() {
					t.Errorf("%s version %d: the coordinator is asked %T version %d", Name(req.Key()), v, a.req, a.req.GetVersion())
				}
			}
			if !slices.Equal(asked, want) {
				t.Errorf("%s version %d: asked for %v, want %v", Name(req.Key()), v, asked, want)
			}
		}
	}
}

func TestGroups_EmptyNames(t *testing.T) {
	h := newHarness(t)
	if r := call[*kmsg.OffsetDeleteResponse](h, 0, kmsg.NewPtrOffsetDeleteRequest()); r.ErrorCode != kerr.InvalidGroupID.Code {
		t.Errorf("OffsetDelete: error %d", r.ErrorCode)
	}
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{"", "g"}
	r := call[*kmsg.ConsumerGroupDescribeResponse](h, 1, req)
	if len(r.Groups) != 2 || r.Groups[0].ErrorCode != kerr.InvalidGroupID.Code || r.Groups[1].ErrorCode != kerr.NotCoordinator.Code || r.Groups[1].Group != "g" {
		t.Errorf("ConsumerGroupDescribe: %+v", r.Groups)
	}
}

func TestGroups_AuthorizedOperations(t *testing.T) {
	const all = 3400 // as Kafka 4.3.0 tells
	h := newHarness(t)
	h.groups.answer = func(group string, req kmsg.Request) *fakePending {
		resp := step.Refuse(req, kerr.GroupIDNotFound)
		if group == "g" {
			switch r := resp.(type) {
			case *kmsg.DescribeGroupsResponse:
				r.Groups[0].ErrorCode = 0
			case *kmsg.ConsumerGroupDescribeResponse:
				r.Groups[0].ErrorCode = 0
			}
		}
		return &fakePending{resp: resp}
	}
	for _, include := range []bool{false, true} {
		classic, consumer := kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrConsumerGroupDescribeRequest()
		classic.Groups, consumer.Groups = []string{"g", "h"}, []string{"g", "h"}
		classic.IncludeAuthorizedOperations, consumer.IncludeAuthorizedOperations = include, include
		want := int32(unasked)
		if include {
			want = all
		}
		if g := call[*kmsg.DescribeGroupsResponse](h, 3, classic).Groups; g[0].AuthorizedOperations != want || g[1].AuthorizedOperations != unasked {
			t.Errorf("include %v: %+v", include, g)
		}
		if g := call[*kmsg.ConsumerGroupDescribeResponse](h, 0, consumer).Groups; g[0].AuthorizedOperations != want || g[1].AuthorizedOperations != unasked {
			t.Errorf("include %v: %+v", include, g)
		}
	}
}

// Shards that are out of reach are passed over; one that is loading makes the list
// wait.
func TestListGroups(t *testing.T) {
	h := newHarness(t)
	h.groups.shards = 3
	var last *kerr.Error
	h.groups.answer = func(shard string, req kmsg.Request) *fakePending {
		switch shard {
		case "shard 1":
			return &fakePending{refusal: kerr.NotCoordinator}
		case "shard 2":
			if last != nil {
				return &fakePending{refusal: last}
			}
		}
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{Group: "of " + shard})
		return &fakePending{resp: resp}
	}
	if r := call[*kmsg.ListGroupsResponse](h, 5, kmsg.NewPtrListGroupsRequest()); r.ErrorCode != 0 || len(r.Groups) != 2 || r.Groups[1].Group != "of shard 2" {
		t.Errorf("%+v", r)
	}
	last = kerr.CoordinatorLoadInProgress
	if r := call[*kmsg.ListGroupsResponse](h, 5, kmsg.NewPtrListGroupsRequest()); r.ErrorCode != last.Code || len(r.Groups) != 0 {
		t.Errorf("while one is loading: %+v", r)
	}
	h.groups.shards = 0
	if r := call[*kmsg.ListGroupsResponse](h, 5, kmsg.NewPtrListGroupsRequest()); r.ErrorCode != 0 || len(r.Groups) != 0 {
		t.Errorf("without a coordinator: %+v", r)
	}
}

func TestFindCoordinator(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		first, last int16
		kind        int8
		want        int16
	}{
		{0, 6, groupCoordinator, 0},
		{1, 6, transactionCoordinator, kerr.TransactionalIDAuthorizationFailed.Code},
		{1, 5, shareCoordinator, kerr.InvalidRequest.Code},
		{6, 6, shareCoordinator, kerr.CoordinatorNotAvailable.Code},
		{1, 6, 9, kerr.InvalidRequest.Code},
	} {
		for v := c.first; v <= c.last; v++ {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKey, req.CoordinatorKeys, req.CoordinatorType = "k", []string{"k", "l", "k"}, c.kind
			r := call[*kmsg.FindCoordinatorResponse](h, v, req)
			got := r.Coordinators
			if v < 4 {
				got = []kmsg.FindCoordinatorResponseCoordinator{{Key: "k", NodeID: r.NodeID, Host: r.Host, Port: r.Port, ErrorCode: r.ErrorCode}}
			} else if len(got) != 3 || got[1].Key != "l" {
				t.Errorf("version %d: %+v", v, got)
			}
			there := got[0].NodeID == 1 && got[0].Host == "broker.test" && got[0].Port == 9092
			nowhere := got[0].NodeID == -1 && got[0].Host == "" && got[0].Port == -1
			if got[0].ErrorCode != c.want || got[0].Key != "k" || there != (c.want == 0) || nowhere == there {
				t.Errorf("kind %d version %d: %+v", c.kind, v, got[0])
			}
		}
	}
	if h.groups.ensured == 0 {
		t.Error("the coordinator's topic is not created")
	}
	h.groups.failure = errors.New("disk full")
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{"k"}
	if r := call[*kmsg.FindCoordinatorResponse](h, 4, req); r.Coordinators[0].ErrorCode != kerr.CoordinatorNotAvailable.Code {
		t.Errorf("without a topic: %+v", r.Coordinators[0])
	}
}

// A join waits for its answer, without one when the client goes, and is cancelled
// when nobody wants it.
func TestGroups_Wait(t *testing.T) {
	h := newHarness(t)
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group = "g"
	body := req.AppendTo(nil)
	join := func() (wire.Reply, *fakePending) {
		p := &fakePending{come: make(chan struct{}), resp: req.ResponseKind()}
		h.groups.answer = func(string, kmsg.Request) *fakePending { return p }
		reply := h.route(req.Key()).Handle(&wire.Request{Conn: &wire.Conn{}, Key: req.Key(), Body: body, Received: time.Now()})
		if reply.Ready() {
			t.Fatal("ready before there is an answer")
		}
		return reply, p
	}
	waited := make(chan struct{})
	reply, p := join()
	go func() {
		reply.Wait(&wire.Waiter{})
		close(waited)
	}()
	close(p.come)
	<-waited
	if !reply.Ready() {
		t.Error("not ready after the wait")
	}
	reply.Release()
	gone := make(chan struct{})
	close(gone)
	reply, p = join()
	reply.Wait(&wire.Waiter{Gone: gone})
	if reply.Release(); p.cancelled != 1 {
		t.Errorf("cancelled %d times", p.cancelled)
	}
}

func TestJavaAddress(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1": "127.0.0.1", "::1": "0:0:0:0:0:0:0:1", "2001:db8::a0b:c": "2001:db8:0:0:0:0:a0b:c", "fe80::1%eth0": "fe80:0:0:0:0:0:0:1%eth0",
	} {
		if got := javaAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
