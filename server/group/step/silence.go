package step

import "time"

// A session that began anew with each load would never end while a server dies again
// and again, before a session timeout has passed: a member that is gone would keep its
// place, and its partitions, for ever. So the log is told how long a member has not been
// heard of, and what is left of its session counts from the load. Time in which no
// server ran does not count.
const (
	// firstNote is when the log is told first, after a load. Members that are alive have
	// sent a heartbeat by then, so that mostly there is nothing to tell.
	firstNote = 3500 * time.Millisecond
	// grace is what a member has after each load at least, unless its session is shorter.
	grace = 3 * time.Second
	// settling is how long the log is wrong about a member that is heard of again. Others
	// that come within it share the record.
	settling = 200 * time.Millisecond
)

// Silence is for how long one member has not been heard of. The zero value is a member
// that has been.
type Silence struct {
	before  time.Duration // before the load
	unheard bool          // since the load
	noted   bool          // the log says so
}

// Load is the silence that the log tells, in milliseconds.
func (s *Silence) Load(ms int32) {
	*s = Silence{before: time.Duration(max(ms, 0)) * time.Millisecond, unheard: true, noted: ms > 0}
}

// Unheard says that the member has not been heard of since the load.
func (s *Silence) Unheard() bool { return s.unheard }

// Left is how much of a session is left at the load.
func (s *Silence) Left(session time.Duration) time.Duration {
	return max(session-s.before, min(session, grace))
}

// Watch is when the log of a group is to be told of its members' silence. The zero value
// is a group that was not loaded.
type Watch struct {
	loaded time.Time
	passed time.Duration // from the load to the last note
	due    time.Time     // zero: not
}

// Begin is the load.
func (w *Watch) Begin(now time.Time) { *w = Watch{loaded: now, due: now.Add(firstNote)} }

// Due is when the log is to be told next, zero for never.
func (w *Watch) Due() time.Time { return w.due }

// Hear ends a member's silence. The log may have to be told so soon.
func (w *Watch) Hear(s *Silence, now time.Time) {
	s.before, s.unheard = 0, false
	if soon := now.Add(settling); s.noted && (w.due.IsZero() || soon.Before(w.due)) {
		w.due = soon
	}
}

// Pass is the time of a note.
func (w *Watch) Pass(now time.Time) { w.passed = now.Sub(w.loaded) }

// Wants says that the log should be told another silence of a member than it knows.
func (w *Watch) Wants(s *Silence) bool { return s.unheard || s.noted }

// Note is what the log is told of a member's silence from now on, in milliseconds.
func (w *Watch) Note(s *Silence) int32 {
	var d time.Duration
	if s.unheard {
		d = s.before + w.passed
	}
	s.noted = d > 0
	return int32(min(d.Milliseconds(), 1<<31-1))
}

// Next sets when the log is told next: each time after twice as long, while there are
// members that are unheard.
func (w *Watch) Next(unheard bool) {
	w.due = time.Time{}
	if unheard {
		w.due = w.loaded.Add(2 * max(w.passed, firstNote))
	}
}
