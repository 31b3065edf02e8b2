package index

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// fillKeys adds batches with up to most keys of few hashes, and returns where each is.
func fillKeys(t testing.TB, m *KeyMemory, a *ActiveKeys, rng *rand.Rand, batches int, hash func() uint64) map[uint64][]uint32 {
	t.Helper()
	want := map[uint64][]uint32{}
	for pos := range uint32(batches) {
		var hashes []uint64
		for range 1 + rng.IntN(4) {
			h := hash()
			hashes = append(hashes, h)
			if w := want[h]; len(w) == 0 || w[len(w)-1] != pos {
				want[h] = append(w, pos)
			}
		}
		if !a.Add(m, hashes, pos, false) {
			t.Fatalf("no memory for batch %d", pos)
		}
	}
	return want
}

func TestActiveKeys_Find(t *testing.T) {
	m := NewKeyMemory(1 << 30)
	for _, few := range []bool{true, false} {
		rng := rand.New(rand.NewPCG(1, 1))
		var a ActiveKeys
		var table KeyTable
		hash := func() uint64 {
			if few {
				return rng.Uint64N(400) << 40 // many share a bucket
			}
			return rng.Uint64N(30_000) * 0x9e3779b97f4a7c15
		}
		for _, batches := range []int{0, 1, 300, 20_000, 30_000} {
			a.Free(m)
			table.Free(m)
			want := fillKeys(t, m, &a, rng, batches/2, hash)
			_ = table.Find(m, a.View(), nil, 7) // which then has but a part
			for h, more := range fillKeys(t, m, &a, rng, batches, hash) {
				want[h] = append(want[h], more...)
			}
			for h, positions := range want {
				slices.Sort(positions)
				positions = slices.Compact(positions)
				for way, got := range map[string][]uint32{"linear": a.View().Find(nil, h), "table": table.Find(m, a.View(), nil, h)} {
					slices.Sort(got)
					if got = slices.Compact(got); !slices.Equal(got, positions) {
						t.Fatalf("%s: hash %x of %d batches: %v, want %v", way, h, batches, got, positions)
					}
				}
				if len(want) > 1000 && rng.IntN(30) > 0 {
					break
				}
			}
			if got := table.Find(m, a.View(), nil, 3); got != nil {
				t.Errorf("absent hash: %v", got)
			}
		}
		a.Free(m)
		table.Free(m)
	}
	if m.Used() != 0 {
		t.Errorf("%d bytes are lost", m.Used())
	}
}

func TestKeySorter(t *testing.T) {
	m := NewKeyMemory(1 << 30)
	var sorter KeySorter
	for name, hash := range map[string]func(rng *rand.Rand) uint64{
		"even":   func(rng *rand.Rand) uint64 { return rng.Uint64() },
		"few":    func(rng *rand.Rand) uint64 { return rng.Uint64N(3) << 62 },
		"same":   func(*rand.Rand) uint64 { return 1 << 63 },
		"low":    func(rng *rand.Rand) uint64 { return rng.Uint64N(100) },
		"uneven": func(rng *rand.Rand) uint64 { return rng.Uint64() >> rng.IntN(64) },
	} {
		for _, n := range []int{0, 1, 15, 16, 17, chunkEntries, 5000, 60_000} {
			rng := rand.New(rand.NewPCG(uint64(n), 2))
			var a ActiveKeys
			var want []KeyEntry
			for range n {
				e := KeyEntry{hash(rng), rng.Uint32N(1000)}
				want = append(want, e)
				a.Add(m, []uint64{e.Hash}, e.Pos, false)
			}
			slices.SortFunc(want, KeyEntry.Compare)
			want = slices.Compact(want)
			if got := sorter.Sort(a.View()); !slices.Equal(got, want) {
				t.Fatalf("%s: %d entries: %d sorted, want %d", name, n, len(got), len(want))
			}
			a.Free(m)
		}
	}
}

func TestKeyMemory_Limit(t *testing.T) {
	m := NewKeyMemory(3 * chunkBytes)
	var a, b ActiveKeys
	hashes := make([]uint64, 2*chunkEntries+1)
	for i := range hashes {
		hashes[i] = uint64(i)
	}
	if !a.Add(m, hashes[:chunkEntries+1], 1, false) || m.Full() {
		t.Fatal("two chunks of three do not fit")
	}
	if b.Add(m, hashes, 1, false) || !m.Full() || m.Used() != 3*chunkBytes {
		t.Errorf("beyond the limit: %d bytes", m.Used())
	}
	if !b.Add(m, hashes, 1, true) || m.Used() != 6*chunkBytes {
		t.Errorf("over the limit: %d bytes", m.Used())
	}
	a.Free(m)
	b.Free(m)
	if m.Used() != 0 || m.Full() {
		t.Errorf("%d bytes after all", m.Used())
	}
	if n := testing.AllocsPerRun(100, func() {
		a.Add(m, hashes[:chunkEntries], 1, false)
		m.give(a.chunks)
		a.chunks, a.n = a.chunks[:0], 0
	}); n > 0 {
		t.Errorf("%.2f allocations for a chunk that there was", n)
	}
}

func BenchmarkKeySorter(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := NewKeyMemory(1 << 30)
			rng := rand.New(rand.NewPCG(1, 2))
			var a ActiveKeys
			for i := range n {
				a.Add(m, []uint64{rng.Uint64()}, uint32(i), false)
			}
			var s KeySorter
			for b.Loop() {
				s.Sort(a.View())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
		})
	}
}

func BenchmarkWriteKeys(b *testing.B) {
	const n = 1_000_000
	m := NewKeyMemory(1 << 30)
	rng := rand.New(rand.NewPCG(1, 2))
	var a ActiveKeys
	for i := range n {
		a.Add(m, []uint64{rng.Uint64()}, uint32(i), false)
	}
	entries := new(KeySorter).Sort(a.View())
	for name, do := range map[string]func(){
		"bloom":      func() { NewBloom(KeySource{}, entries) },
		"bloomwrite": func() { _ = NewBloom(KeySource{}, entries).Write(io.Discard) },
		"keys":       func() { _ = WriteKeys(io.Discard, KeySource{}, entries) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
		})
	}
}
