package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestRun: records come in ranges without gaps, and a value that is not that of its
// offset is a fault.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 12)
	run := w.Run(3)
	for _, offset := range []int64{0, 1, 2, 5, 6} {
		run.Add(offset, []byte(Value(12, 3, offset)))
	}
	run.Flush()
	run.Flush()
	run.Add(7, []byte("0"))
	run.Flush()
	var got []Event
	for line := range strings.Lines(out.String()) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != 4 || got[2].Kind != Fault {
		t.Fatalf("events %+v", got)
	}
	for i, want := range map[int][2]int64{0: {0, 2}, 1: {5, 6}, 3: {7, 7}} {
		if e := got[i]; e.Kind != Records || e.Partition != 3 || e.First != want[0] || e.Last != want[1] {
			t.Errorf("event %d: %+v, want records %v", i, e, want)
		}
	}
}

func TestPlace(t *testing.T) {
	for number := range int64(100) {
		p, offset := Place(12, number)
		var back int64
		if err := json.Unmarshal([]byte(Value(12, p, offset)), &back); err != nil || back != number {
			t.Errorf("%d is at %d/%d, which holds %d (%v)", number, p, offset, back, err)
		}
	}
}
