package assign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// group makes a group with partitions per topic, whose members subscribe to the topics
// given.
func group(partitions []int32, topics ...[]int32) *Group {
	g := &Group{Partitions: partitions}
	for i, t := range topics {
		g.Members = append(g.Members, Member{ID: fmt.Sprintf("m%04d", i), Topics: t})
	}
	return g
}

func text(o Owners) string {
	s := ""
	for _, t := range o {
		for _, m := range t {
			s += string("-0123456789"[m+1])
		}
		s += " "
	}
	return s
}

func TestRange(t *testing.T) {
	a, b := "a", "b"
	for name, c := range map[string]struct {
		group *Group
		want  string
	}{
		"one":              {group([]int32{3}, []int32{0}), "000 "},
		"uneven":           {group([]int32{5}, []int32{0}, []int32{0}, []int32{0}), "00112 "},
		"more members":     {group([]int32{2}, []int32{0}, []int32{0}, []int32{0}), "01 "},
		"co-partitioned":   {group([]int32{4, 4}, []int32{0, 1}, []int32{0, 1}), "0011 0011 "},
		"mixed":            {group([]int32{4, 4, 2}, []int32{0, 1}, []int32{1}), "0000 0011 -- "},
		"no members":       {group([]int32{2}), "-- "},
		"nobody wants any": {group([]int32{2}, nil, nil), "-- "},
		"no partitions":    {group([]int32{0}, []int32{0}), " "},
		"static first": {&Group{Partitions: []int32{3}, Members: []Member{
			{ID: "1", Topics: []int32{0}}, {ID: "2", Instance: &b, Topics: []int32{0}}, {ID: "3", Instance: &a, Topics: []int32{0}},
		}}, "210 "},
	} {
		if got := text(Range(c.group, c.group.NewOwners())); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestUniform(t *testing.T) {
	both, one := []int32{0, 1}, []int32{0}
	for name, c := range map[string]struct {
		group *Group
		now   Owners
		want  string
	}{
		"from nothing":  {group([]int32{3, 3}, both, both), nil, "000 111 "},
		"uneven":        {group([]int32{3, 2}, both, both), nil, "001 11 "},
		"one more":      {group([]int32{4, 2}, both, both, both), Owners{{0, 0, 0, 1}, {1, 1}}, "0021 12 "},
		"one gone":      {group([]int32{4, 2}, both, both), Owners{{0, 0, None, None}, {1, 1}}, "0001 11 "},
		"keeps larger":  {group([]int32{3}, one, one), Owners{{1, 0, 1}}, "101 "},
		"mixed":         {group([]int32{4, 4}, one, both), nil, "0000 1111 "},
		"mixed moves":   {group([]int32{4, 2}, one, both), Owners{{1, 1, 1, 1}, {1, 1}}, "1000 11 "},
		"mixed keeps":   {group([]int32{4, 2}, one, both), Owners{{0, 0, 0, 1}, {1, 1}}, "0001 11 "},
		"unsubscribed":  {group([]int32{2, 2}, one, one), Owners{{0, 1}, {0, 1}}, "01 -- "},
		"no subscriber": {group([]int32{2, 2}, nil, one), Owners{{0, 0}, {1, 1}}, "11 -- "},
	} {
		now := c.now
		if now == nil {
			now = c.group.NewOwners()
		}
		if got := text(Uniform(c.group, now)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]bool{"range": true, "uniform": true, "sticky": false, "": false} {
		if _, ok := ByName(name); ok != want {
			t.Errorf("%q: %v", name, ok)
		}
	}
}

// check holds an assignment against what every one must be.
func check(t *testing.T, g *Group, o Owners) (load []int) {
	t.Helper()
	load = make([]int, len(g.Members))
	subscribers := g.subscribers(g.indexes())
	for topic, owners := range o {
		if len(owners) != int(g.Partitions[topic]) {
			t.Fatalf("topic %d has %d owners for %d partitions", topic, len(owners), g.Partitions[topic])
		}
		for p, m := range owners {
			switch {
			case m == None && len(subscribers[topic]) > 0:
				t.Fatalf("nobody has %d-%d", topic, p)
			case m != None && !slices.Contains(subscribers[topic], m):
				t.Fatalf("%d has %d-%d without a subscription", m, topic, p)
			case m != None:
				load[m]++
			}
		}
	}
	return load
}

func clone(o Owners) Owners {
	c := make(Owners, len(o))
	for i := range o {
		c[i] = slices.Clone(o[i])
	}
	return c
}

func moves(a, b Owners) (n int) {
	for t := range a {
		for p, m := range a[t] {
			if m != None && m != b[t][p] {
				n++
			}
		}
	}
	return n
}

// random makes a group with few or many different subscriptions, and a state that
// changes have left it in.
func random(r *rand.Rand) (*Group, Owners) {
	g := &Group{}
	for range 1 + r.IntN(8) {
		g.Partitions = append(g.Partitions, int32(r.IntN(12)))
	}
	equal := r.IntN(2) == 0
	var topics []int32
	for i := range 1 + r.IntN(12) {
		if i == 0 || !equal {
			topics = nil
			for t := range g.Partitions {
				if r.IntN(3) > 0 {
					topics = append(topics, int32(t))
				}
			}
		}
		g.Members = append(g.Members, Member{ID: fmt.Sprint(i), Topics: topics})
	}
	now := g.NewOwners()
	for t := range now {
		for p := range now[t] {
			now[t][p] = int32(r.IntN(len(g.Members)+1)) - 1
		}
	}
	return g, now
}

// TestUniform_Properties: balanced, without needless moves, and at rest.
func TestUniform_Properties(t *testing.T) {
	for seed := range uint64(3000) {
		g, now := random(rand.New(rand.NewPCG(seed, 1)))
		got := Uniform(g, clone(now))
		load := check(t, g, got)
		subscribers := g.subscribers(g.indexes())
		for topic, owners := range got {
			for p, from := range owners {
				for _, to := range subscribers[topic] {
					if load[from]-load[to] > 1 {
						t.Fatalf("seed %d: %d-%d is with %d that has %d, and not with %d that has %d", seed, topic, p, from, load[from], to, load[to])
					}
				}
			}
		}
		if again := Uniform(g, clone(got)); moves(got, again) != 0 {
			t.Fatalf("seed %d: not at rest:\n%v\n%v", seed, got, again)
		}
		if g.homogeneous() {
			if n, least := moves(keepable(g, now), got), needed(g, now); n != least {
				t.Fatalf("seed %d: %d moves, %d are enough", seed, n, least)
			}
		}
	}
}

// keepable is what members may keep.
func keepable(g *Group, now Owners) Owners { return clone(now).without(g.Members[0].Topics) }

// needed is how many partitions have to move for equal subscriptions: what is above
// the quotas, of which the larger ones go to those who have the most.
func needed(g *Group, now Owners) int {
	has, total := make([]int, len(g.Members)), 0
	for _, topic := range g.Members[0].Topics {
		total += len(now[topic])
		for _, m := range now[topic] {
			if m != None {
				has[m]++
			}
		}
	}
	slices.Sort(has)
	slices.Reverse(has)
	n := 0
	for i, h := range has {
		quota := total / len(has)
		if i < total%len(has) {
			quota++
		}
		n += max(0, h-quota)
	}
	return n
}

func TestRange_Properties(t *testing.T) {
	for seed := range uint64(1000) {
		g, now := random(rand.New(rand.NewPCG(seed, 2)))
		got := Range(g, now)
		check(t, g, got)
		for topic, owners := range got {
			subscribers := len(g.subscribers(g.indexes())[topic])
			if subscribers == 0 {
				continue
			}
			counts := make(map[int32]int)
			for p, m := range owners {
				if p > 0 && owners[p-1] != m && counts[m] > 0 {
					t.Fatalf("seed %d: topic %d: not ranges: %v", seed, topic, owners)
				}
				counts[m]++
			}
			for m, n := range counts {
				if n < len(owners)/subscribers || n > len(owners)/subscribers+1 {
					t.Fatalf("seed %d: topic %d: member %d has %d of %d for %d", seed, topic, m, n, len(owners), subscribers)
				}
			}
		}
	}
}

// large is 1,000 members, 1,000 topics, 10,000 partitions. Each member subscribes to
// what it is told.
func large(subscribes func(member, topic int) bool) *Group {
	g := &Group{Partitions: slices.Repeat([]int32{10}, 1000)}
	for m := range 1000 {
		var topics []int32
		for topic := range g.Partitions {
			if subscribes(m, topic) {
				topics = append(topics, int32(topic))
			}
		}
		g.Members = append(g.Members, Member{ID: fmt.Sprint(m), Topics: topics})
	}
	return g
}

// TestLarge: an assignment is made while a request waits.
func TestLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, g := range map[string]*Group{
		"equal":  large(func(int, int) bool { return true }),
		"halves": large(func(m, topic int) bool { return m%2 == 0 || topic%2 == 0 }),
		"random": large(func(int, int) bool { return r.IntN(10) == 0 }),
		"chain":  large(func(m, topic int) bool { return topic == m || topic == (m+1)%1000 }),
	} {
		for kind, assign := range map[string]Assignor{"uniform": Uniform, "range": Range} {
			begin := time.Now()
			first := assign(g, g.NewOwners())
			fresh := time.Since(begin)
			check(t, g, first)
			smaller := &Group{Partitions: g.Partitions, Members: g.Members[:999]}
			now := clone(first)
			for topic := range now {
				for p, m := range now[topic] {
					if m == 999 {
						now[topic][p] = None
					}
				}
			}
			begin = time.Now()
			next := assign(smaller, now)
			t.Logf("%s %s: %v from nothing, %v when one leaves, %d moves", name, kind, fresh, time.Since(begin), moves(first, next))
			check(t, smaller, next)
		}
	}
}
