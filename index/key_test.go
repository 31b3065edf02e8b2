package index

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var keySource = KeySource{Base: 1000, Size: 1 << 20, LastPos: 1<<20 - 100, LastCRC: 0xdecafbad}

// keyEntries makes n entries of fewer keys, with hashes at both ends too.
func keyEntries(n int) []KeyEntry {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	entries := make([]KeyEntry, 0, n)
	for i := range n {
		hash := rng.Uint64()
		switch {
		case i%7 == 1:
			hash = entries[i-1].Hash
		case i%50 == 2:
			hash = math.MaxUint64
		case i%50 == 3:
			hash = 0
		}
		entries = append(entries, KeyEntry{hash, rng.Uint32N(1 << 20)})
	}
	slices.SortFunc(entries, KeyEntry.Compare)
	return slices.Compact(entries)
}

func keyFile(t testing.TB, entries []KeyEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteKeys(&b, keySource, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bloomFile(t testing.TB, entries []KeyEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := NewBloom(keySource, entries).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestKeys_SearchIsExact(t *testing.T) {
	for _, n := range []int{0, 1, 2, pageEntries, pageEntries + 1, 5000} {
		entries := keyEntries(n)
		b := keyFile(t, entries)
		k, err := OpenKeys(bytes.NewReader(b), int64(len(b)))
		if err != nil || k.Source != keySource || k.Len() != len(entries) {
			t.Fatalf("%d entries: %+v, %v", n, k, err)
		}
		page := new(KeyPage)
		search := func(e KeyEntry) {
			t.Helper()
			want, _ := slices.BinarySearchFunc(entries, e, KeyEntry.Compare)
			if got, err := k.Search(bytes.NewReader(b), page, e); err != nil || got != want {
				t.Fatalf("%d entries: search %x: slot %d, %v, want %d", n, e, got, err, want)
			}
		}
		for i, e := range entries {
			search(e)
			search(KeyEntry{e.Hash, e.Pos + 1})
			search(KeyEntry{e.Hash - 1, e.Pos})
			if got, err := k.At(bytes.NewReader(b), page, i); err != nil || got != e {
				t.Fatalf("entry %d: %x, %v, want %x", i, got, err, e)
			}
		}
		search(KeyEntry{0, 0})
		search(KeyEntry{math.MaxUint64, math.MaxUint32})
	}
}

func TestKeys_SearchReadsFewPages(t *testing.T) {
	entries := keyEntries(200_000)
	b := keyFile(t, entries)
	k, err := OpenKeys(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	r := &countingReader{r: bytes.NewReader(b)}
	const lookups = 2000
	for i := range lookups {
		if _, err := k.Search(r, new(KeyPage), KeyEntry{Hash: uint64(i) * (math.MaxUint64 / lookups)}); err != nil {
			t.Fatal(err)
		}
	}
	if mean := float64(r.reads) / lookups; mean > 3 {
		t.Errorf("%.2f pages a lookup of %d", mean, k.Len()/pageEntries)
	}
}

type countingReader struct {
	r     *bytes.Reader
	reads int
}

func (c *countingReader) ReadAt(b []byte, pos int64) (int, error) {
	c.reads++
	return c.r.ReadAt(b, pos)
}

// TestKeys_Rot flips every bit and cuts at every byte: what is left is an error, or
// nothing is changed.
func TestKeys_Rot(t *testing.T) {
	entries := keyEntries(pageEntries + 20)
	whole := keyFile(t, entries)
	check := func(what string, at int, b []byte) {
		t.Helper()
		k, err := OpenKeys(bytes.NewReader(b), int64(len(b)))
		page := new(KeyPage)
		for i := 0; err == nil && i < len(entries); i++ {
			var e KeyEntry
			if e, err = k.At(bytes.NewReader(b), page, i); err == nil && e != entries[i] {
				t.Fatalf("%s %d: entry %d is %x, want %x", what, at, i, e, entries[i])
			}
		}
		if !errors.Is(err, ErrKeys) {
			t.Fatalf("%s %d: %v", what, at, err)
		}
	}
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		check("bit", bit, b)
	}
	for n := range whole {
		check("cut at", n, whole[:n])
	}
}

func TestBloom_Rot(t *testing.T) {
	whole := bloomFile(t, keyEntries(100))
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseBloom(b); !errors.Is(err, ErrKeys) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
	for n := range whole {
		if _, err := ParseBloom(whole[:n]); !errors.Is(err, ErrKeys) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestBloom_FalsePositives(t *testing.T) {
	const n = 100_000
	entries := make([]KeyEntry, n)
	for i := range entries {
		entries[i] = KeyEntry{Hash: KeyHash([]byte{byte(i), byte(i >> 8), byte(i >> 16), 'k'})}
	}
	slices.SortFunc(entries, KeyEntry.Compare)
	f, err := ParseBloom(bloomFile(t, entries))
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for i := range entries {
		if !f.Has(entries[i].Hash) {
			t.Fatalf("entry %d does not pass", i)
		}
		if f.Has(KeyHash([]byte{byte(i), byte(i >> 8), byte(i >> 16), 'x'})) {
			passed++
		}
	}
	if rate := float64(passed) / n; rate > 0.008 {
		t.Errorf("%.4f of absent keys pass", rate)
	} else {
		t.Logf("%.4f of absent keys pass", rate)
	}
	if f := NewBloom(keySource, nil); f.Has(7) {
		t.Error("an empty filter lets a key pass")
	}
}

func FuzzOpenKeys(f *testing.F) {
	for _, n := range []int{0, 1, pageEntries + 1} {
		f.Add(keyFile(f, keyEntries(n)), uint64(1)<<60)
	}
	f.Add([]byte("SKEY"), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, hash uint64) {
		k, err := OpenKeys(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		page := new(KeyPage)
		slot, err := k.Search(bytes.NewReader(b), page, KeyEntry{Hash: hash})
		if err != nil {
			return
		}
		if slot < 0 || slot > k.Len() {
			t.Fatalf("slot %d of %d", slot, k.Len())
		}
		if slot < k.Len() {
			_, _ = k.At(bytes.NewReader(b), page, slot)
		}
	})
}

func FuzzParseBloom(f *testing.F) {
	for _, n := range []int{0, 1, 100} {
		f.Add(bloomFile(f, keyEntries(n)), uint64(1)<<60)
	}
	f.Add([]byte("SBLM"), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, hash uint64) {
		bloom, err := ParseBloom(b)
		if err != nil {
			return
		}
		bloom.Has(hash)
		var again bytes.Buffer
		if err := bloom.Write(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("written again it differs: %v", err)
		}
	})
}
