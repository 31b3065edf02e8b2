package assign

import (
	"cmp"
	"slices"
)

// None is the owner of a partition that nobody has.
const None int32 = -1

// Group is what an assignment is made for.
type Group struct {
	Members []Member
	// Partitions is for each topic how many partitions it has.
	Partitions []int32
}

// Member is a member of a group.
type Member struct {
	ID       string
	Instance *string // nil: not a static member
	// Topics are those that the member subscribes to: indexes into
	// [Group.Partitions], ascending, each once.
	Topics []int32
}

// Owners is an assignment: for each topic and each of its partitions the index of the
// member that has it, or [None].
type Owners [][]int32

// NewOwners is the assignment in which nobody has anything.
func (g *Group) NewOwners() Owners {
	o := make(Owners, len(g.Partitions))
	for t, n := range g.Partitions {
		o[t] = slices.Repeat([]int32{None}, int(n))
	}
	return o
}

// Assignor makes an assignment from the present one, which it may change and return.
// What the present one says of members that do not subscribe to the topic is ignored.
type Assignor func(g *Group, now Owners) Owners

// ByName is the assignor with a name in the sense of group.consumer.assignors.
func ByName(name string) (Assignor, bool) {
	switch name {
	case "range":
		return Range, true
	case "uniform":
		return Uniform, true
	}
	return nil, false
}

// subscribers are for each topic the members that subscribe to it, in the order of the
// members given.
func (g *Group) subscribers(members []int32) [][]int32 {
	counts := make([]int, len(g.Partitions))
	for i := range g.Members {
		for _, t := range g.Members[i].Topics {
			counts[t]++
		}
	}
	all := make([][]int32, len(g.Partitions))
	for t, n := range counts {
		all[t] = make([]int32, 0, n)
	}
	for _, m := range members {
		for _, t := range g.Members[m].Topics {
			all[t] = append(all[t], m)
		}
	}
	return all
}

func (g *Group) indexes() []int32 {
	all := make([]int32, len(g.Members))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// Range is the assignor "range".
func Range(g *Group, _ Owners) Owners {
	order := g.indexes()
	slices.SortFunc(order, func(a, b int32) int { return compare(&g.Members[a], &g.Members[b]) })
	owners := g.NewOwners()
	for t, members := range g.subscribers(order) {
		rest := owners[t]
		for i, m := range members {
			n := len(rest) / (len(members) - i)
			if len(rest)%(len(members)-i) > 0 {
				n++
			}
			for p := range rest[:n] {
				rest[p] = m
			}
			rest = rest[n:]
		}
	}
	return owners
}

// compare puts static members first.
func compare(a, b *Member) int {
	switch {
	case a.Instance != nil && b.Instance != nil:
		return cmp.Compare(*a.Instance, *b.Instance)
	case a.Instance != nil:
		return -1
	case b.Instance != nil:
		return 1
	}
	return cmp.Compare(a.ID, b.ID)
}
