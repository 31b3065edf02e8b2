package log

import "slices"

// ReadAheadTail has the system read the last n bytes of the log into its cache, which
// consumers that are nearly up to date ask for first. It waits for nothing, and returns how many
// bytes it has asked for.
func (l *Log) ReadAheadTail(n int64) (asked int64) {
	for _, s := range slices.Backward(l.view()) {
		if asked += s.ReadAheadTail(n - asked); asked >= n {
			break
		}
	}
	return asked
}

// ReadAheadIndexes does so with what lookups by offset, time and key need, from the newest
// segment back to where most bytes are asked for.
func (l *Log) ReadAheadIndexes(most int64) (asked int64) {
	for _, s := range slices.Backward(l.view()) {
		if asked >= most {
			break
		}
		asked += s.ReadAheadIndexes()
	}
	return asked
}
