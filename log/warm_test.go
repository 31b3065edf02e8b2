package log

import (
	"testing"

	"sordini/protocol/batch"
)

func TestReadAhead_Amounts(t *testing.T) {
	l := mustOpen(t, options(newDisk(t)), Known{})
	for range 40 {
		a := built(&batch.Builder{}, 2, make([]byte, 300), 5)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if got := l.ReadAheadIndexes(1 << 20); got != 0 {
		t.Errorf("%d bytes of indexes that are in memory only", got)
	}
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 1000, 4000, l.Size(), 1 << 20} {
		if got, want := l.ReadAheadTail(n), min(n, l.Size()); got != want {
			t.Errorf("%d bytes of the tail, want %d", got, want)
		}
	}
	all := l.ReadAheadIndexes(1 << 20)
	if one := l.ReadAheadIndexes(1); one <= 0 || one >= all {
		t.Errorf("%d bytes of the indexes of the newest segment, %d in all", one, all)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
