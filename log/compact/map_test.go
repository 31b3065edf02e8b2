package compact

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestMap_Model(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := NewMap(16<<20, 0.9)
	for round := range 3 {
		model := map[string]int64{}
		for i := range int64(100_000) {
			key := fmt.Sprint(rng.IntN(30_000 >> round))
			if !m.Put([]byte(key), i) {
				t.Fatal("full")
			}
			model[key] = i
		}
		for key, want := range model {
			if got, ok := m.Get([]byte(key)); !ok || got != want {
				t.Fatalf("key %s: %d %v, want %d", key, got, ok, want)
			}
		}
		if _, ok := m.Get([]byte("none")); ok || m.Len() != len(model) {
			t.Fatalf("%d keys, want %d; an unknown key is there: %v", m.Len(), len(model), ok)
		}
		m.Reset()
		if _, ok := m.Get([]byte("1")); ok || m.Len() != 0 {
			t.Fatal("something is left after Reset")
		}
	}
}

// TestMap_Memory: the map takes what it needs, and never more than it may.
func TestMap_Memory(t *testing.T) {
	const memory = 1 << 20
	m := NewMap(memory, 0.9)
	key := make([]byte, 8)
	n := int64(0)
	for ; ; n++ {
		binary.BigEndian.PutUint64(key, uint64(n))
		if !m.Put(key, n) {
			break
		}
		if n == 1000 && m.Bytes() > memory/4 {
			t.Errorf("%d bytes for %d keys", m.Bytes(), n)
		}
	}
	if m.Bytes() > memory || n < memory/slotSize*3/4 {
		t.Errorf("full with %d keys in %d bytes, want at most %d bytes and about %d keys", n, m.Bytes(), memory, memory/slotSize*9/10)
	}
	binary.BigEndian.PutUint64(key, 5)
	if !m.Put(key, 1<<40) {
		t.Error("a full map does not take a key that it has")
	}
	if got, ok := m.Get(key); !ok || got != 1<<40 {
		t.Errorf("%d %v", got, ok)
	}
}

// TestMap_Hash: of a million keys that differ little no two meet in either half of
// the hash, let alone in both.
func TestMap_Hash(t *testing.T) {
	m := NewMap(0, 1)
	for half := range 2 {
		seen := make(map[uint64]bool)
		for i := range uint64(1_000_000) {
			key := binary.BigEndian.AppendUint64(make([]byte, i%3*8, 24), i)
			high, low := m.hash(key)
			h := [2]uint64{high, low}[half]
			if seen[h] {
				t.Fatalf("key %d meets another", i)
			}
			seen[h] = true
		}
	}
}

func TestThrottle(t *testing.T) {
	var th Throttle
	now := time.Unix(1000, 0)
	if wait := th.take(now, 1<<30); wait != 0 {
		t.Errorf("without a rate: %v", wait)
	}
	th.Set(1000)
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		if wait := th.take(now, 500); wait != want {
			t.Errorf("take %d waits %v, want %v", i, wait, want)
		}
	}
	if wait := th.take(now.Add(2*time.Second), 100); wait != 100*time.Millisecond {
		t.Errorf("after a pause: %v", wait)
	}
	th.Set(1e-300)
	if wait := th.take(now.Add(time.Hour), 100); wait > longestWait {
		t.Errorf("%v", wait)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := th.Take(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := (*Throttle)(nil).Take(t.Context(), 100); err != nil {
		t.Error(err)
	}
}
