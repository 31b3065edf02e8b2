package assign

import "container/heap"

// ranking is some members in the order of their loads, as a heap. Of equal ones the
// first by index comes first.
type ranking struct {
	members []int32
	places  map[int32]int
	load    []int
	most    bool // the one with the most comes first, not the one with the least
}

// rank makes a ranking, which keeps the members given.
func (x *mixed) rank(members []int32, most bool) *ranking {
	r := &ranking{members: members, places: make(map[int32]int, len(members)), load: x.load, most: most}
	for i, m := range members {
		r.places[m] = i
	}
	heap.Init(r)
	return r
}

func (r *ranking) top() int32 { return r.members[0] }

// fix is to be called when the load of a member has changed.
func (r *ranking) fix(m int32) {
	if i, ok := r.places[m]; ok {
		heap.Fix(r, i)
	}
}

func (r *ranking) drop(m int32) { heap.Remove(r, r.places[m]) }

// Len implements heap.Interface.
func (r *ranking) Len() int { return len(r.members) }

// Less implements heap.Interface.
func (r *ranking) Less(i, j int) bool {
	a, b := r.load[r.members[i]], r.load[r.members[j]]
	if a == b {
		return r.members[i] < r.members[j]
	}
	return a < b != r.most
}

// Swap implements heap.Interface.
func (r *ranking) Swap(i, j int) {
	r.members[i], r.members[j] = r.members[j], r.members[i]
	r.places[r.members[i]], r.places[r.members[j]] = i, j
}

// Push implements heap.Interface. Nothing is ever added.
func (r *ranking) Push(any) {}

// Pop implements heap.Interface.
func (r *ranking) Pop() any {
	last := len(r.members) - 1
	m := r.members[last]
	r.members = r.members[:last]
	delete(r.places, m)
	return m
}
