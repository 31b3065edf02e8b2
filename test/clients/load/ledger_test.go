package load

import (
	"strings"
	"testing"
)

// TestLedger: a partition that two own at a time is reported, and so is a group that
// has not converged.
func TestLedger(t *testing.T) {
	l := newLedger(4)
	l.enter("a")
	l.enter("b")
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "0 partitions have owners, want 4"},
		{func() { l.take("a", 1, []int32{0, 1, 2}); l.take("b", 1, []int32{3}) }, "owns"},
		{func() { l.drop("a", []int32{2}); l.take("b", 2, []int32{2}) }, "generations"},
		{func() { l.take("a", 2, nil) }, ""},
		{func() { l.exit("b") }, "1 members, want 2"},
		{func() { l.enter("c"); l.take("c", 2, []int32{2, 3}) }, ""},
		{func() { l.drop("c", nil) }, "2 partitions have owners, want 4"},
	} {
		step.do()
		if got := l.unsettled(2); got == "" != (step.want == "") || !strings.Contains(got, step.want) {
			t.Errorf("unsettled because of %q, want %q", got, step.want)
		}
	}
	if len(l.faults) > 0 {
		t.Errorf("faults %q before any was made", l.faults)
	}
	l.take("c", 3, []int32{1, 2})
	if len(l.faults) != 1 || l.faults[0] != "partition 1 was given to c in 3 while a had it" {
		t.Errorf("faults %q", l.faults)
	}
}
