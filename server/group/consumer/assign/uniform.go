package assign

import (
	"cmp"
	"slices"
)

// rounds is how often uniform goes round the topics in search of better places.
const rounds = 16

// Uniform is the assignor "uniform".
func Uniform(g *Group, now Owners) Owners {
	switch {
	case len(g.Members) == 0:
		return g.NewOwners()
	case g.homogeneous():
		return g.uniformEqual(now)
	}
	return g.uniformMixed(now)
}

// homogeneous says that all members subscribe to the same topics.
func (g *Group) homogeneous() bool {
	first := g.Members[0].Topics
	for i := range g.Members {
		topics := g.Members[i].Topics
		if len(topics) != len(first) {
			return false
		}
		if len(first) > 0 && &topics[0] != &first[0] && !slices.Equal(topics, first) {
			return false
		}
	}
	return true
}

// uniformEqual gives each member its quota: first what it has, then of what is left.
func (g *Group) uniformEqual(owners Owners) Owners {
	topics := g.Members[0].Topics
	room := g.quotas(owners, topics)
	type place struct{ topic, partition int32 }
	var free []place
	for _, t := range topics {
		for p, m := range owners[t] {
			if m != None && room[m] > 0 {
				room[m]--
				continue
			}
			free = append(free, place{t, int32(p)})
		}
	}
	m := int32(0)
	for _, f := range free {
		for room[m] == 0 {
			m++
		}
		room[m]--
		owners[f.topic][f.partition] = m
	}
	return owners.without(topics)
}

// quotas is for each member how many partitions it is to have. They differ by one at
// most, and the larger ones go to members that have so many already, as long as there
// are enough of each.
func (g *Group) quotas(owners Owners, topics []int32) []int {
	has, total := make([]int, len(g.Members)), 0
	for _, t := range topics {
		total += len(owners[t])
		for _, m := range owners[t] {
			if m != None {
				has[m]++
			}
		}
	}
	least, larger := total/len(has), total%len(has)
	quotas := make([]int, len(has))
	for m := range quotas {
		quotas[m] = least
		if larger > 0 && (has[m] > least || len(has)-m <= larger) {
			quotas[m]++
			larger--
		}
	}
	return quotas
}

// without takes away what is not of the topics given, which are in ascending order.
func (o Owners) without(topics []int32) Owners {
	for t := range o {
		if _, ok := slices.BinarySearch(topics, int32(t)); ok {
			continue
		}
		for p := range o[t] {
			o[t][p] = None
		}
	}
	return o
}

// mixed is an assignment under work of members with different subscriptions.
type mixed struct {
	g           *Group
	owners      Owners
	subscribers [][]int32
	load        []int // of each member: how many partitions it has
}

func (g *Group) uniformMixed(owners Owners) Owners {
	x := &mixed{g: g, owners: owners, subscribers: g.subscribers(g.indexes()), load: make([]int, len(g.Members))}
	x.keep()
	order := x.order()
	for _, t := range order {
		x.fill(t)
	}
	for range rounds {
		moved := false
		for _, t := range order {
			moved = x.balance(t) || moved
		}
		if !moved {
			break
		}
	}
	return x.owners
}

// keep takes away what members have of topics that they do not subscribe to.
func (x *mixed) keep() {
	seen := make([]int, len(x.load)) // 1 + the last topic that the member subscribes to
	for t, members := range x.subscribers {
		for _, m := range members {
			seen[m] = t + 1
		}
		for p, m := range x.owners[t] {
			switch {
			case m == None:
			case seen[m] != t+1:
				x.owners[t][p] = None
			default:
				x.load[m]++
			}
		}
	}
}

// order is the topics that are to be assigned: those with the most partitions for each
// subscriber first, and of these those with fewer subscribers, as they leave the
// least choice.
func (x *mixed) order() []int32 {
	var order []int32
	for t, members := range x.subscribers {
		if len(members) > 0 {
			order = append(order, int32(t))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		subscribersA, subscribersB := int64(len(x.subscribers[a])), int64(len(x.subscribers[b]))
		return cmp.Or(
			cmp.Compare(int64(len(x.owners[b]))*subscribersA, int64(len(x.owners[a]))*subscribersB),
			cmp.Compare(subscribersA, subscribersB),
		)
	})
	return order
}

// fill gives what nobody has of a topic to those who have the least.
func (x *mixed) fill(t int32) {
	var least *ranking
	for p, m := range x.owners[t] {
		if m != None {
			continue
		}
		if least == nil {
			least = x.rank(slices.Clone(x.subscribers[t]), false)
		}
		to := least.top()
		x.owners[t][p] = to
		x.load[to]++
		least.fix(to)
	}
}

// balance moves partitions of a topic from those of its subscribers who have the most
// to those who have the least, until no move helps. It says whether there was one.
func (x *mixed) balance(t int32) bool {
	if x.level(t) {
		return false
	}
	has := make(map[int32][]int32) // what each subscriber may give
	for p, m := range x.owners[t] {
		has[m] = append(has[m], int32(p))
	}
	givers := make([]int32, 0, len(has))
	for _, m := range x.subscribers[t] {
		if len(has[m]) > 0 {
			givers = append(givers, m)
		}
	}
	if len(givers) == 0 {
		return false
	}
	most, least := x.rank(givers, true), x.rank(slices.Clone(x.subscribers[t]), false)
	moved := false
	for most.Len() > 0 {
		from, to := most.top(), least.top()
		if x.load[from]-x.load[to] <= 1 {
			break
		}
		give := has[from]
		last := len(give) - 1
		x.owners[t][give[last]] = to
		has[from] = give[:last]
		if last == 0 {
			most.drop(from)
		}
		x.load[from]--
		least.fix(from)
		most.fix(from)
		x.load[to]++ // what it has just got it does not give again
		least.fix(to)
		most.fix(to)
		moved = true
	}
	return moved
}

// level says that no two subscribers of a topic differ by more than one partition.
func (x *mixed) level(t int32) bool {
	lowest, highest := x.load[x.subscribers[t][0]], 0
	for _, m := range x.subscribers[t] {
		lowest, highest = min(lowest, x.load[m]), max(highest, x.load[m])
	}
	return highest-lowest <= 1
}
