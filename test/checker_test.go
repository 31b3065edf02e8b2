package test

import (
	"fmt"
	"strings"
	"testing"
)

// place is where a record is in a log.
type place struct {
	partition int32
	offset    int64
}

// note is a record of the checked load: the producer that sent it and its number
// there, rising by one from 0.
type note struct {
	producer, number int
}

// entry is a note as it was read from a log.
type entry struct {
	note
	at place
}

// verdict is what check finds. All of it but read is faults.
type verdict struct {
	read      int
	lost      []note  // acknowledged and not in the log
	moved     []note  // acknowledged at another place than it is at
	twice     []note  // in the log more than once
	disorder  []entry // of a producer and partition, behind a later one
	gaps      []place // offsets that are not one above the one before
	strangers []entry // never sent
}

// check compares the log with what was acknowledged. The entries of each
// partition come in the order of the log; sent is how many notes each producer
// has sent, acknowledged or not.
func check(acked map[note]place, sent []int, log []entry) verdict {
	v := verdict{read: len(log)}
	seen := make(map[note]place, len(log))
	next := make(map[int32]int64)
	type lane struct {
		producer  int
		partition int32
	}
	last := make(map[lane]int)
	for _, e := range log {
		if e.at.offset != next[e.at.partition] {
			v.gaps = append(v.gaps, e.at)
		}
		next[e.at.partition] = e.at.offset + 1
		if e.producer < 0 || e.producer >= len(sent) || e.number >= sent[e.producer] {
			v.strangers = append(v.strangers, e)
			continue
		}
		if _, ok := seen[e.note]; ok {
			v.twice = append(v.twice, e.note)
			continue
		}
		seen[e.note] = e.at
		l := lane{e.producer, e.at.partition}
		if before, ok := last[l]; ok && e.number <= before {
			v.disorder = append(v.disorder, e)
		}
		last[l] = e.number
	}
	for n, at := range acked {
		got, ok := seen[n]
		switch {
		case !ok:
			v.lost = append(v.lost, n)
		case got != at:
			v.moved = append(v.moved, n)
		}
	}
	return v
}

// faults describes what is wrong, "" if nothing is.
func (v verdict) faults() string {
	var b strings.Builder
	fault(&b, "lost", v.lost)
	fault(&b, "at another offset than acknowledged", v.moved)
	fault(&b, "duplicated", v.twice)
	fault(&b, "out of order", v.disorder)
	fault(&b, "gaps", v.gaps)
	fault(&b, "never sent", v.strangers)
	return b.String()
}

func fault[T any](b *strings.Builder, what string, all []T) {
	if len(all) > 0 {
		fmt.Fprintf(b, "%s: %d, such as %+v\n", what, len(all), all[:min(len(all), 3)])
	}
}

// TestCheck plants each fault and expects it to be found, and no other.
func TestCheck(t *testing.T) {
	sent := []int{3, 2}
	acked := map[note]place{{0, 0}: {0, 0}, {0, 1}: {0, 1}, {1, 0}: {0, 2}, {1, 1}: {1, 0}}
	good := func() []entry {
		return []entry{{note{0, 0}, place{0, 0}}, {note{0, 1}, place{0, 1}}, {note{1, 0}, place{0, 2}}, {note{1, 1}, place{1, 0}}}
	}
	if got := check(acked, sent, good()).faults(); got != "" {
		t.Errorf("nothing wrong, got:\n%s", got)
	}
	if got := check(acked, sent, append(good(), entry{note{0, 2}, place{1, 1}})).faults(); got != "" {
		t.Errorf("a record that was not acknowledged, got:\n%s", got)
	}
	for name, c := range map[string]struct {
		log  []entry
		want string
	}{
		"lost":       {good()[:3], "lost: 1"},
		"gap":        {append(good(), entry{note{0, 2}, place{0, 4}}), "gaps: 1"},
		"duplicated": {append(good(), entry{note{0, 1}, place{0, 3}}), "duplicated: 1"},
		"never sent": {append(good(), entry{note{1, 2}, place{0, 3}}), "never sent: 1"},
	} {
		got := check(acked, sent, c.log).faults()
		if !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: got:\n%s", name, got)
		}
	}
	swapped := good()
	swapped[0].note, swapped[1].note = swapped[1].note, swapped[0].note
	got := check(acked, sent, swapped).faults()
	if !strings.Contains(got, "at another offset than acknowledged: 2") || !strings.Contains(got, "out of order: 1") {
		t.Errorf("swapped: got:\n%s", got)
	}
}
