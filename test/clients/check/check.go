package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sordini/test/clients/event"
)

// Rules are what a client cannot do better.
type Rules struct {
	// Slack is how much later than it happened an event may be stamped.
	Slack time.Duration
	// Repeats allows that a rebalance repeats records which were not committed, and
	// commits of them, as a client does that delivers from its queue after its
	// generation has ended.
	Repeats bool
	// Drops allows that each member which ends in order loses the one record that it
	// had committed and was about to process.
	Drops bool
}

// Log is all that is known of one run.
type Log struct {
	Rules
	Events    []event.Event
	Ends      []int64 // log end of each partition
	Committed []int64 // by partition, at the end
}

// Report is the judgement.
type Report struct {
	Records    int64 // that were processed, each once
	Duplicates int64 // how often records were processed again
	Rebalances int   // most that one member has seen: generations, or assignments if the client hides those
	Faults     []string
}

// checker walks over the events in the order of time.
type checker struct {
	Log
	Report
	standing []int64            // commits that stood last
	seen     [][]bool           // by partition and offset: processed
	owners   []owner            // by partition
	given    map[gift]string    // who got a partition in a generation
	assigned map[string]int     // assignments of each member, in new generations
	last     map[string]int32   // generation of each member's last assignment
	highest  map[string][]int64 // by member and partition: offset after the last processed
	windows  []window
	resumed  *event.Event
}

type owner struct {
	member string
	until  int64 // when it let go, 0 while it has not
}

type gift struct {
	generation, partition int32
}

// window is a range of offsets of a partition that may be processed again, by member
// or by anyone if that is empty.
type window struct {
	member      string
	partition   int32
	first, next int64
}

// Check judges a run.
func Check(l Log) Report {
	c := &checker{
		Log: l, standing: make([]int64, len(l.Ends)), owners: make([]owner, len(l.Ends)),
		given: make(map[gift]string), assigned: make(map[string]int), last: make(map[string]int32), highest: make(map[string][]int64),
	}
	for _, end := range l.Ends {
		c.seen = append(c.seen, make([]bool, end))
	}
	c.Events = slices.DeleteFunc(slices.Clone(l.Events), c.impossible)
	slices.SortStableFunc(c.Events, func(a, b event.Event) int { return cmp.Compare(a.At, b.At) })
	for i := range c.Events {
		c.step(&c.Events[i])
	}
	c.finish()
	return c.Report
}

func (c *checker) fault(format string, args ...any) {
	c.Faults = append(c.Faults, fmt.Sprintf(format, args...))
}

// impossible reports events of partitions that there are not.
func (c *checker) impossible(e event.Event) bool {
	for _, p := range append(slices.Clone(e.Partitions), e.Partition) {
		if p < 0 || int(p) >= len(c.Ends) {
			c.fault("%s: %s of partition %d, which does not exist", e.Member, e.Kind, p)
			return true
		}
	}
	return false
}

func (c *checker) step(e *event.Event) {
	switch e.Kind {
	case event.Assigned:
		c.assign(e)
	case event.Revoked, event.Lost:
		c.release(e)
	case event.Records:
		c.records(e)
	case event.Committed:
		if after := c.processed(e.Partition); e.Offset > after+1 {
			c.fault("%s committed %d of partition %d, and nobody has processed more than %d", e.Member, e.Offset, e.Partition, after)
		}
	case event.Standing, event.Resumed:
		c.stand(e)
	case event.Killed:
		c.stand(e)
		c.kill(e)
	case event.Exited:
		c.vanish(e)
	case event.Fault:
		c.fault("%s: %s", e.Member, e.Text)
	case event.Note:
	default:
		c.fault("%s: unknown event %q", e.Member, e.Kind)
	}
}

// assign checks that the partitions are free: within a generation whatever the clocks
// say, and between generations by time.
func (c *checker) assign(e *event.Event) {
	if e.Generation == 0 || e.Generation != c.last[e.Member] {
		c.assigned[e.Member]++
	}
	c.last[e.Member] = e.Generation
	for _, p := range e.Partitions {
		g := gift{e.Generation, p}
		if other, ok := c.given[g]; ok && other != e.Member && e.Generation > 0 {
			c.fault("partition %d was given to %s and to %s in generation %d", p, other, e.Member, e.Generation)
		}
		c.given[g] = e.Member
		if o := c.owners[p]; o.member != "" && o.member != e.Member && o.until == 0 {
			c.overlap(p, o.member, e)
		}
		c.owners[p] = owner{member: e.Member}
		if c.Repeats {
			c.windows = append(c.windows, window{e.Member, p, c.standing[p], c.Ends[p]})
		}
	}
}

// overlap reports two owners unless the older let go within the slack.
func (c *checker) overlap(p int32, older string, e *event.Event) {
	limit := e.At + c.Slack.Nanoseconds()
	for _, later := range c.Events {
		if later.At < e.At || later.Member != older {
			continue
		}
		if later.At > limit {
			break
		}
		gone := later.Kind == event.Killed || later.Kind == event.Exited
		if gone || (later.Kind == event.Revoked || later.Kind == event.Lost) && slices.Contains(later.Partitions, p) {
			return
		}
	}
	c.fault("partition %d was given to %s at %s while %s had it", p, e.Member, clock(e.At), older)
}

func (c *checker) release(e *event.Event) {
	for _, p := range e.Partitions {
		if c.owners[p].member == e.Member {
			c.owners[p].until = e.At
		}
	}
}

// vanish takes all from a member whose process has ended.
func (c *checker) vanish(e *event.Event) {
	for p := range c.owners {
		if c.owners[p].member == e.Member {
			c.owners[p].until = e.At
		}
	}
	for g, member := range c.given {
		if member == e.Member {
			delete(c.given, g)
		}
	}
}

// kill allows that others repeat what the dead had processed and not committed.
func (c *checker) kill(e *event.Event) {
	for p, next := range c.highest[e.Member] {
		if next > c.standing[p] {
			c.windows = append(c.windows, window{"", int32(p), c.standing[p], next})
		}
	}
	c.vanish(e)
}

func (c *checker) stand(e *event.Event) {
	if len(e.Offsets) != len(c.Ends) {
		c.fault("%s: %d offsets stand, want %d", e.Kind, len(e.Offsets), len(c.Ends))
		return
	}
	for p, offset := range e.Offsets {
		if offset < c.standing[p] && !c.Repeats {
			c.fault("the commit of partition %d went back from %d to %d at %s", p, c.standing[p], offset, clock(e.At))
		}
	}
	copy(c.standing, e.Offsets)
	if e.Kind == event.Resumed {
		c.resumed = e
	}
}

func (c *checker) records(e *event.Event) {
	p := e.Partition
	if e.First < 0 || e.Last < e.First || e.Last >= c.Ends[p] {
		c.fault("%s: records %d to %d of partition %d, whose log ends at %d", e.Member, e.First, e.Last, p, c.Ends[p])
		return
	}
	if c.highest[e.Member] == nil {
		c.highest[e.Member] = make([]int64, len(c.Ends))
	}
	c.highest[e.Member][p] = max(c.highest[e.Member][p], e.Last+1)
	var wrong, first, last int64
	for o := e.First; o <= e.Last; o++ {
		if !c.seen[p][o] {
			c.seen[p][o] = true
			c.Records++
			continue
		}
		c.Duplicates++
		if !c.explained(e.Member, p, o) {
			if wrong == 0 {
				first = o
			}
			last = o
			wrong++
		}
	}
	if wrong > 0 {
		c.fault("%s repeated %d records, %d to %d of partition %d, which nothing explains, at %s", e.Member, wrong, first, last, p, clock(e.At))
	}
}

func (c *checker) explained(member string, p int32, o int64) bool {
	if c.resumed != nil && c.resumed.Member == member {
		return false // nobody else is there, and all had committed
	}
	return slices.ContainsFunc(c.windows, func(w window) bool {
		return (w.member == "" || w.member == member) && w.partition == p && w.first <= o && o < w.next
	})
}

// processed is the highest offset of a partition that was processed, -1 for none.
func (c *checker) processed(p int32) int64 {
	most := int64(-1)
	for _, highest := range c.highest {
		most = max(most, highest[p]-1)
	}
	return most
}

func (c *checker) finish() {
	if c.Drops {
		c.drop()
	}
	for p, seen := range c.seen {
		if lost := ranges(seen); lost != "" {
			c.fault("partition %d: never processed: %s", p, lost)
		}
	}
	if len(c.Committed) != len(c.Ends) {
		c.fault("%d partitions have commits, want %d", len(c.Committed), len(c.Ends))
	}
	for p := range min(len(c.Committed), len(c.Ends)) {
		if c.Committed[p] != c.Ends[p] {
			c.fault("partition %d: committed %d, and its log ends at %d", p, c.Committed[p], c.Ends[p])
		}
	}
	if c.resumed == nil {
		c.fault("nobody resumed")
	} else {
		c.resume()
	}
	for _, n := range c.assigned {
		c.Rebalances = max(c.Rebalances, n)
	}
}

// drop takes the records that may have been dropped for processed.
func (c *checker) drop() {
	for _, e := range c.Events {
		if c.resumed == nil || e.Kind != event.Exited || e.At > c.resumed.At {
			continue
		}
		for p, offset := range c.resumed.Offsets {
			if offset > 0 && offset <= c.Ends[p] && !c.seen[p][offset-1] {
				c.seen[p][offset-1] = true
				break
			}
		}
	}
}

// resume checks that the last member began at the commits and left nothing out.
func (c *checker) resume() {
	next := slices.Clone(c.resumed.Offsets)
	for _, e := range c.Events {
		if e.Kind != event.Records || e.Member != c.resumed.Member {
			continue
		}
		if e.First != next[e.Partition] {
			c.fault("%s resumed partition %d at %d, want %d", e.Member, e.Partition, e.First, next[e.Partition])
		}
		next[e.Partition] = e.Last + 1
	}
	for p := range next {
		if next[p] != c.Ends[p] {
			c.fault("%s came to %d of partition %d, want %d", c.resumed.Member, next[p], p, c.Ends[p])
		}
	}
}

// ranges lists the offsets that are not set, at most a few of them.
func ranges(seen []bool) string {
	var text string
	for o, found := 0, 0; o < len(seen); o++ {
		if seen[o] {
			continue
		}
		first := o
		for o < len(seen) && !seen[o] {
			o++
		}
		if found++; found > 5 {
			return text + " ..."
		}
		text += fmt.Sprintf(" %d-%d", first, o-1)
	}
	return text
}

func clock(at int64) string { return time.Unix(0, at).UTC().Format("15:04:05.000") }
