package step

import (
	"testing"
	"time"
)

// lives has a member be heard of at a time after each load, 0 for never, and the server
// be killed after a while. It tells in which of so many lives the session ended, 0 for in
// none.
func lives(session, life, heard time.Duration, n int) int {
	now, told := time.UnixMilli(1_700_000_000_000), int32(0)
	for i := range n {
		var s Silence
		var w Watch
		s.Load(told)
		w.Begin(now)
		begin, ends := now, now.Add(s.Left(session))
		for ; now.Before(begin.Add(life)); now = now.Add(10 * time.Millisecond) {
			if !ends.After(now) {
				return i + 1
			}
			if heard > 0 && now.Sub(begin) >= heard {
				w.Hear(&s, now)
				ends = now.Add(session)
			}
			if due := w.Due(); !due.IsZero() && !due.After(now) {
				w.Pass(now)
				if w.Wants(&s) {
					told = w.Note(&s)
				}
				w.Next(s.Unheard())
			}
		}
		now = now.Add(time.Hour) // that no server runs
	}
	return 0
}

func TestSilence(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what                 string
		session, life, heard time.Duration
		ends                 int
	}{
		{"gone, one life", 45 * s, 100 * s, 0, 1},
		{"gone, short lives", 20 * s, 5 * s, 0, 6},
		{"gone, a session that a life nearly outlasts", 6 * s, 5 * s, 0, 2},
		{"gone, long lives", 45 * s, 40 * s, 0, 2},
		{"gone, lives too short to be told of", 20 * s, 3 * s, 0, 0},
		{"alive", 45 * s, 100 * s, s, 0},
		{"alive, short lives", 6 * s, 5 * s, s, 0},
		{"alive and late", 10 * s, 5 * s, 4 * s, 0},
		{"alive and late in a short session", 6 * s, 5 * s, 4 * s, 0},
		{"alive and late in long lives", 45 * s, 60 * s, 40 * s, 0},
		{"a session shorter than all of that", s, 5 * s, 900 * time.Millisecond, 0},
		{"gone, a session shorter than all of that", s, 5 * s, 0, 1},
	} {
		if got := lives(c.session, c.life, c.heard, 100); got != c.ends {
			t.Errorf("%s: ended in life %d, want %d", c.what, got, c.ends)
		}
	}
}

// TestSilence_ToldOnce: what is heard of before the first note costs nothing.
func TestSilence_ToldOnce(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	var s Silence
	var w Watch
	s.Load(0)
	w.Begin(now)
	w.Hear(&s, now.Add(time.Second))
	w.Pass(now.Add(firstNote))
	if w.Wants(&s) {
		t.Error("the log is to be told of who is there")
	}
	if w.Next(s.Unheard()); !w.Due().IsZero() {
		t.Errorf("to be told again at %v", w.Due())
	}
}
