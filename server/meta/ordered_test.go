package meta

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOrdered_AgainstMap(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			type pair struct{ key, value int }
			o := ordered[int, pair]{keyOf: func(p pair) int { return p.key }, compare: cmp.Compare[int]}
			m := map[int]pair{}
			// Growing, then shrinking to nothing, so that chunks split and join.
			for step := range 12_000 {
				old, oldPairs := o, []pair(nil)
				if step%500 == 0 {
					oldPairs = slices.Collect(o.all())
				}
				p := pair{rng.IntN(3000), step}
				if grow := step < 6000; rng.IntN(10) < 8 == grow {
					o, m[p.key] = o.put(p), p
				} else {
					o = o.remove(p.key)
					delete(m, p.key)
				}
				if got, ok := o.get(p.key); got != m[p.key] || ok != (m[p.key] == p) {
					t.Fatalf("step %d: get %d = %v, %v; want %v", step, p.key, got, ok, m[p.key])
				}
				if oldPairs != nil && !slices.Equal(slices.Collect(old.all()), oldPairs) {
					t.Fatalf("step %d changed the set before it", step)
				}
				if step%100 == 0 || step > 11_900 {
					checkOrdered(t, o)
					got := slices.Collect(o.all())
					want := slices.SortedFunc(maps.Values(m), func(a, b pair) int { return cmp.Compare(a.key, b.key) })
					if !slices.Equal(got, want) || o.size != len(m) {
						t.Fatalf("step %d: %v, want %v", step, got, want)
					}
				}
			}
			for p := range o.all() {
				o = o.remove(p.key)
				checkOrdered(t, o)
			}
			if o.size != 0 || len(o.chunks) != 0 {
				t.Fatalf("%d values in %d chunks are left", o.size, len(o.chunks))
			}
		})
	}
}

// checkOrdered checks that the chunks are neither empty, too long nor too many.
func checkOrdered[K, V any](t *testing.T, o ordered[K, V]) {
	t.Helper()
	for _, c := range o.chunks {
		if len(c) == 0 || len(c) > chunkMax {
			t.Fatalf("chunk of %d values", len(c))
		}
	}
	if most := 2 + 4*o.size/(chunkMax/2); len(o.chunks) > most {
		t.Fatalf("%d chunks for %d values, want at most %d", len(o.chunks), o.size, most)
	}
}

func TestOrdered_AllStops(t *testing.T) {
	o := ordered[int, int]{keyOf: func(v int) int { return v }, compare: cmp.Compare[int]}
	for n := range 1000 {
		o = o.put(n)
	}
	seen := 0
	for v := range o.all() {
		if seen++; v == 300 {
			break
		}
	}
	if seen != 301 {
		t.Errorf("saw %d values, want 301", seen)
	}
}
