package epoch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

var list = List{{0, 0}, {3, 100}, {7, 250}}

func TestEndOffset_AsKafka(t *testing.T) {
	for _, c := range []struct {
		list      List
		epoch     int32
		wantEpoch int32
		wantEnd   int64
	}{
		{list, 7, 7, 400}, {list, 8, Undefined, Undefined}, {list, 3, 3, 250}, {list, 0, 0, 100},
		{list, 5, 3, 250}, {list, 1, 0, 100}, {list, -1, Undefined, Undefined},
		{List{{3, 100}}, 1, 1, 100}, {nil, 0, Undefined, Undefined},
	} {
		if e, end := c.list.EndOffset(c.epoch, 400); e != c.wantEpoch || end != c.wantEnd {
			t.Errorf("%v: epoch %d: %d %d, want %d %d", c.list, c.epoch, e, end, c.wantEpoch, c.wantEnd)
		}
	}
}

func TestAt(t *testing.T) {
	l := List{{3, 100}, {7, 250}}
	for offset, want := range map[int64]int32{0: Undefined, 99: Undefined, 100: 3, 249: 3, 250: 7, 1 << 40: 7} {
		if got := l.At(offset); got != want {
			t.Errorf("offset %d: %d, want %d", offset, got, want)
		}
	}
}

func TestChanges(t *testing.T) {
	clone := func() List { return append(List(nil), list...) }
	for name, c := range map[string]struct {
		change func(*List) bool
		want   string
		did    bool
	}{
		"add":                      {func(l *List) bool { return l.Add(9, 300) }, "[{0 0} {3 100} {7 250} {9 300}]", true},
		"add an old epoch":         {func(l *List) bool { return l.Add(7, 300) }, "[{0 0} {3 100} {7 250}]", false},
		"add before the last":      {func(l *List) bool { return l.Add(9, 100) }, "[{0 0} {9 100}]", true},
		"truncate at an entry":     {func(l *List) bool { return l.TruncateTo(250) }, "[{0 0} {3 100}]", true},
		"truncate behind an entry": {func(l *List) bool { return l.TruncateTo(251) }, "[{0 0} {3 100} {7 250}]", false},
		"truncate all":             {func(l *List) bool { return l.TruncateTo(0) }, "[]", true},
		"start inside":             {func(l *List) bool { return l.StartAt(120) }, "[{3 120} {7 250}]", true},
		"start at an entry":        {func(l *List) bool { return l.StartAt(100) }, "[{3 100} {7 250}]", true},
		"start behind all":         {func(l *List) bool { return l.StartAt(900) }, "[{7 900}]", true},
		"start at the start":       {func(l *List) bool { return l.StartAt(0) }, "[{0 0} {3 100} {7 250}]", false},
	} {
		l := clone()
		if did := c.change(&l); did != c.did || fmt.Sprint(l) != c.want {
			t.Errorf("%s: %v %v, want %v", name, l, did, c.want)
		}
	}
}

// TestFormat_IsKafkas: but for the blanks at the end.
func TestFormat_IsKafkas(t *testing.T) {
	const text = "0\n3\n0 0\n3 100\n7 250"
	got := string(list.Format())
	if !strings.HasPrefix(got, text) || len(got) != len(text)+33 || strings.Trim(got[len(text):], " \t") != "\n" {
		t.Errorf("%q, want %q and a checksum of blanks", got, text)
	}
	if got := string(List(nil).Format()); got != "0\n0\n" {
		t.Errorf("empty: %q", got)
	}
	l, sealed, err := Parse([]byte(text + "\n"))
	if err != nil || sealed || fmt.Sprint(l) != fmt.Sprint(list) {
		t.Errorf("Kafka's own: %v %v %v", l, sealed, err)
	}
}

// TestParse_EveryBit flips each bit and cuts at each byte: nothing is believed.
func TestParse_EveryBit(t *testing.T) {
	b := list.Format()
	if _, sealed, err := Parse(b); err != nil || !sealed {
		t.Fatalf("sealed %v, %v", sealed, err)
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if l, _, err := Parse(b); err == nil {
			t.Errorf("bit %d: believed as %v", bit, l)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := range b {
		if l, _, err := Parse(b[:n]); err == nil {
			t.Errorf("cut to %d bytes: believed as %v", n, l)
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, text := range []string{
		"", "1\n0\n", "0\n", "0\n2\n0 0\n", "0\n1\n0 0\n1 1\n", "0\n2\n1 0\n1 5\n", "0\n2\n1 5\n2 5\n", "0\n1\n1 -1\n",
		"0\n1\n1 1 1\n", "0\n-1\n", "0\n99999999999\n", "0\n1\nx 1\n", "0\n1\n1 99999999999999999999\n",
	} {
		if l, _, err := Parse([]byte(text)); !errors.Is(err, ErrFile) {
			t.Errorf("%q: %v %v", text, l, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(list.Format())
	f.Add([]byte("0\n0\n"))
	f.Add([]byte("0\n1\n5 5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, _, err := Parse(b)
		if err != nil {
			return
		}
		if again, sealed, err := Parse(l.Format()); err != nil || sealed != (len(l) > 0) || fmt.Sprint(again) != fmt.Sprint(l) {
			t.Errorf("%q: %v, then %v %v", b, l, again, err)
		}
	})
}
