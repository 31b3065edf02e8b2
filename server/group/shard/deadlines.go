package shard

import (
	"container/heap"
	"time"
)

// deadlines are the groups that wait for a time, the earliest first.
type deadlines []*entry

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].due.Before(d[j].due) }

func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	e := x.(*entry)
	e.place = len(*d)
	*d = append(*d, e)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	e.place = -1
	return e
}

// set makes sure that the group is woken at due or before.
func (d *deadlines) set(e *entry, due time.Time) {
	switch {
	case e.place < 0:
		e.due = due
		heap.Push(d, e)
	case due.Before(e.due):
		e.due = due
		heap.Fix(d, e.place)
	}
}

// drop lets a group sleep for ever.
func (d *deadlines) drop(e *entry) {
	if e.place >= 0 {
		heap.Remove(d, e.place)
	}
}

// next removes a group that is due, nil if none is.
func (d *deadlines) next(now time.Time) *entry {
	if len(*d) == 0 || (*d)[0].due.After(now) {
		return nil
	}
	return heap.Pop(d).(*entry)
}
