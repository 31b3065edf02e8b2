package classic

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// run does ops random things and reports what was wrong first.
func (w *world) run(ops int) string {
	for n := 1; n <= ops && w.failure == ""; n++ {
		c := w.clients[w.rng.IntN(len(w.clients))]
		switch k := w.rng.IntN(100); {
		case k < 65:
			c.act(w)
		case k < 85:
			w.pass(time.Duration(w.rng.IntN(1000)) * time.Millisecond)
		case k < 86:
			w.pass(time.Duration(w.rng.IntN(15)) * time.Second)
		default:
			c.misbehave(w)
		}
		if n%1000 == 0 {
			w.settle()
		}
	}
	return w.failure
}

// Clients that keep to the protocol and such that do not, against the group.
// SORDINI_GROUP_OPS says how many operations, SORDINI_GROUP_SEED repeats a run.
func TestModel(t *testing.T) {
	ops, seed := 60_000, rand.Uint64()
	if v, err := strconv.Atoi(os.Getenv("SORDINI_GROUP_OPS")); err == nil {
		ops = v
	}
	if v, err := strconv.ParseUint(os.Getenv("SORDINI_GROUP_SEED"), 10, 64); err == nil {
		seed = v
	}
	const each = 3000
	for ; ops > 0; ops -= each {
		w := newWorld(seed, 1+int(seed%8))
		if failure := w.run(min(ops, each)); failure != "" {
			t.Fatalf("SORDINI_GROUP_SEED=%d after %d requests: %s", seed, w.token, failure)
		}
		seed++
	}
}

// Each planted fault is noticed.
func TestModel_NoticesFaults(t *testing.T) {
	joins := func(out *step.Output, f func(*kmsg.JoinGroupResponse)) {
		for _, a := range out.Answers {
			if r, ok := a.Response.(*kmsg.JoinGroupResponse); ok && r.ErrorCode == 0 {
				f(r)
			}
		}
	}
	var old []byte
	for name, c := range map[string]struct {
		corrupt func(*step.Output)
		notices string
	}{
		"an answer is lost": {func(out *step.Output) {
			out.Answers = out.Answers[:len(out.Answers)/2]
		}, "is lost"},
		"an answer is given twice": {func(out *step.Output) {
			out.Answers = append(out.Answers, out.Answers...)
		}, "nobody waits for"},
		"two lead": {func(out *step.Output) {
			joins(out, func(r *kmsg.JoinGroupResponse) {
				r.LeaderID, r.Members = r.MemberID, make([]kmsg.JoinGroupResponseMember, 1)
			})
		}, "is led by"},
		"the leader is not told of a member": {func(out *step.Output) {
			joins(out, func(r *kmsg.JoinGroupResponse) { r.Members = r.Members[:min(1, len(r.Members))] })
		}, "the leader knows"},
		"the leader is told nothing": {func(out *step.Output) {
			joins(out, func(r *kmsg.JoinGroupResponse) { r.Members = nil })
		}, "is told 0 members"},
		"a protocol that was not offered": {func(out *step.Output) {
			joins(out, func(r *kmsg.JoinGroupResponse) { other := "other"; r.Protocol = &other })
		}, "was chosen for one that offered"},
		"a generation that is not yet": {func(out *step.Output) {
			joins(out, func(r *kmsg.JoinGroupResponse) { r.Generation++ })
		}, "an answer of generation"},
		"an old assignment": {func(out *step.Output) {
			for _, a := range out.Answers {
				if r, ok := a.Response.(*kmsg.SyncGroupResponse); ok && len(r.MemberAssignment) > 0 {
					if old == nil {
						old = r.MemberAssignment
					}
					r.MemberAssignment = old
				}
			}
		}, "gets"},
		"a record is lost": {func(out *step.Output) {
			for _, r := range out.Records {
				if v := r.(*record.Classic).Value; v.Leader != nil && v.Generation > 3 {
					out.Records = nil
				}
			}
		}, "the log says"},
		"a record lacks a member": {func(out *step.Output) {
			for _, r := range out.Records {
				if v := r.(*record.Classic).Value; len(v.Members) > 1 {
					v.Members = v.Members[1:]
				}
			}
		}, "the log says"},
		"a leave is not written": {func(out *step.Output) {
			if slices.ContainsFunc(out.Answers, func(a step.Answer) bool { return a.Response.Key() == int16(kmsg.LeaveGroup) }) {
				out.Records = nil
			}
		}, "the log brings back"},
		"a generation is not written": {func(out *step.Output) {
			joins(out, func(*kmsg.JoinGroupResponse) { out.Records = nil })
		}, "before the sync"},
		"time stands still": {nil, "after all behaved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, 5)
			w.corrupt, w.deaf = c.corrupt, c.corrupt == nil
			if got := w.run(5000); !strings.Contains(got, c.notices) {
				t.Fatalf("noticed is %q, want %q", got, c.notices)
			}
		})
	}
}
