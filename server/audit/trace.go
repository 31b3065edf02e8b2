package audit

import (
	"context"
	"encoding/json"
	"slices"

	"sordini/server/meta"
	"sordini/server/partition"
)

// Query names a record. Epoch is the leader epoch of its batch.
type Query struct {
	TopicID   meta.TopicID
	Partition int32
	Epoch     int32
	Offset    int64
	// Groups are those that are known to have committed an offset behind the record.
	Groups []string
}

// Appended is who appended a record, and when: not before From and not after To, in
// microseconds since 1970.
type Appended struct {
	From, To int64
	Client   Client
}

// Flushed is what made a record durable, and when, as in Appended. Late says that it
// may have been durable before.
type Flushed struct {
	From, To int64
	By       partition.Durability
	Late     bool
}

// Passed is the first commit of a group behind a record, at a time in microseconds
// since 1970.
type Passed struct {
	At     int64
	Offset int64
	Client Client
}

// Trace is what was kept of a record.
type Trace struct {
	Appended *Appended         // nil: not recorded
	Flushed  *Flushed          // nil: not recorded
	Passed   map[string]Passed // by group
	// Changes are those of the topic since the append, and starts and stops of the
	// server, the newest of them; none if the append was not recorded.
	Changes []Change
	// Gaps were written about when the append should have been.
	Gaps []Gap
	// Oldest is when the first of the appends and flushes was written that the topic
	// still has, in ms since 1970; 0: it has none.
	Oldest int64
	// Partial says that not all commits could be looked at that may belong to the
	// record.
	Partial bool
}

// Bounds of what one trace reads of appends and flushes, and of commits, in bytes.
const (
	maxPagesRead   = 128 << 20
	maxCommitsRead = 64 << 20
	maxChangesRead = 16 << 20
	// maxChanges is how many changes a trace tells.
	maxChanges = 50
)

// Trace tells what was kept of a record. What was heard so far is written first.
func (r *Recorder) Trace(ctx context.Context, q Query) (Trace, error) {
	t := Trace{Passed: make(map[string]Passed)}
	if r == nil || r.set == nil {
		return t, nil
	}
	r.Collect()
	if r.topic.Load() == nil {
		return t, nil // and a question is no reason to make it
	}
	pages, err := newTape(ctx, r.partition(pagesPartition), maxPagesRead)
	if err != nil {
		return t, err
	}
	s := search{Query: q, place: place{q.TopicID, q.Partition}, trace: &t}
	if err := s.oldest(pages); err != nil {
		return t, err
	}
	if err := s.appended(pages); err != nil {
		return t, err
	}
	if err := s.flushed(pages); err != nil {
		return t, err
	}
	commits, err := newTape(ctx, r.partition(commitsPartition), maxCommitsRead)
	if err != nil {
		return t, err
	}
	if err := s.passed(commits); err != nil || t.Appended == nil {
		return t, err
	}
	changes, err := newTape(ctx, r.partition(changesPartition), maxChangesRead)
	if err != nil {
		return t, err
	}
	return t, s.changed(changes)
}

// search is one Query.
type search struct {
	Query
	place place
	trace *Trace
}

func (s *search) oldest(t *tape) error {
	_, err := t.play(t.start, t.end, func(p *played) (bool, error) {
		if len(p.records) > 0 {
			s.trace.Oldest = p.records[0].Timestamp
		}
		return false, nil
	})
	return err
}

// facts calls yield with the entries of a batch about the partition, in the batch's
// leader epoch or a later one.
func (s *search) facts(p *played, yield func(epoch int32, f fact)) error {
	for _, r := range p.records {
		kind, at := parseKey(r.Key)
		if kind != kindPage || at != s.place {
			continue
		}
		err := readPage(r.Value, func(epoch int32, f fact) {
			if epoch >= s.Epoch {
				yield(epoch, f)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// appended looks for the append between the last checkpoint that does not know the
// record and the second that does: it may be written a little behind the first.
func (s *search) appended(t *tape) error {
	past := func(e extent) bool { return e.epoch > s.Epoch || e.epoch == s.Epoch && e.end > s.Offset }
	from, err := t.seek(s.place, past)
	if err != nil {
		return err
	}
	known := 0
	_, err = t.play(from, t.end, func(p *played) (bool, error) {
		e, is, err := p.checkpoint(s.place)
		if is && past(e) {
			known++
		}
		if err != nil || known > 2 {
			return false, err
		}
		s.gaps(p)
		return s.trace.Appended == nil, s.facts(p, func(epoch int32, f fact) {
			if f.client >= 0 && epoch == s.Epoch && f.from <= s.Offset && s.Offset < f.to {
				s.trace.Appended = &Appended{f.at, f.last, p.client(f.client)}
				s.trace.Gaps = nil
			}
		})
	})
	return err
}

func (s *search) gaps(p *played) {
	const most = 16
	for _, r := range p.records {
		if kind, _ := parseKey(r.Key); kind == kindGap && len(s.trace.Gaps) < most {
			if g, err := readGap(r.Value); err == nil {
				s.trace.Gaps = append(s.trace.Gaps, g)
			}
		}
	}
}

// flushed looks for the first flush up to behind the record.
func (s *search) flushed(t *tape) error {
	from, err := t.seek(s.place, func(e extent) bool { return e.epoch > s.Epoch || e.epoch == s.Epoch && e.durable > s.Offset })
	if err != nil {
		return err
	}
	_, err = t.play(from, t.end, func(p *played) (bool, error) {
		err := s.facts(p, func(_ int32, f fact) {
			if f.client < 0 && s.Offset < f.to && s.trace.Flushed == nil {
				if a := s.trace.Appended; a != nil { // of several flushes it was one behind the append
					f.at = max(f.at, min(a.From, f.last))
				}
				s.trace.Flushed = &Flushed{f.at, f.last, f.by, s.Offset < f.from || f.by == partition.ByRecovery}
			}
		})
		return s.trace.Flushed == nil, err
	})
	return err
}

// passed looks for the first commit of each group behind the record, until all of
// those were found that are known to be there.
func (s *search) passed(t *tape) error {
	from, since := t.start, int64(0)
	if a := s.trace.Appended; a != nil {
		since = a.From
		var found bool
		var err error
		if from, found, err = t.since(since); err != nil || !found {
			return err
		}
	}
	missing := make(map[string]bool, len(s.Groups))
	for _, g := range s.Groups {
		missing[cut(g)] = true
	}
	some := len(missing) > 0
	whole, err := t.play(from, t.end, func(p *played) (bool, error) {
		for _, r := range p.records {
			kind, at := parseKey(r.Key)
			if kind != kindCommits || at != s.place {
				continue
			}
			err := readCommits(r.Value, func(c commit) {
				if _, known := s.trace.Passed[string(c.group)]; known || c.offset <= s.Offset || c.at < since {
					return
				}
				s.trace.Passed[string(c.group)] = Passed{c.at, c.offset, p.client(c.client)}
				delete(missing, string(c.group))
			})
			if err != nil {
				return false, err
			}
		}
		return !some || len(missing) > 0, nil
	})
	s.trace.Partial = !whole
	return err
}

// changed collects the changes since the append.
func (s *search) changed(t *tape) error {
	from, found, err := t.since(s.trace.Appended.From)
	if err != nil || !found {
		return err
	}
	id := s.TopicID.String()
	_, err = t.play(from, t.end, func(p *played) (bool, error) {
		for _, r := range p.records {
			var c Change
			if json.Unmarshal(r.Value, &c) != nil || c.At.UnixMicro() < s.trace.Appended.From {
				continue
			}
			if c.Action != ActionServerStarted && c.Action != ActionServerStopped && (c.TopicID != id || c.Partition != nil && *c.Partition != s.Partition) {
				continue
			}
			if s.trace.Changes = append(s.trace.Changes, c); len(s.trace.Changes) > maxChanges {
				s.trace.Changes = slices.Delete(s.trace.Changes, 0, 1)
			}
		}
		return true, nil
	})
	return err
}
