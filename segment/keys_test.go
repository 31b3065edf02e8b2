package segment

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// keyed is a segment with random batches, and what its key index has to hold.
type keyed struct {
	t    *testing.T
	rng  *rand.Rand
	mem  *vfs.Mem
	opt  Options
	seg  *Segment
	next int64

	little bool // memory for keys

	mu   sync.Mutex // of want, in the test that appends and queries at once
	want []keyedBatch
}

type keyedBatch struct {
	pos, last int64
	keys      []string
}

func newKeyed(t *testing.T, seed uint64) *keyed {
	k := &keyed{t: t, rng: rand.New(rand.NewPCG(seed, 8)), mem: vfs.NewMem(), next: 100}
	if err := k.mem.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	k.opt = Options{FS: k.mem, Handles: NewHandles(k.mem, 4), IndexInterval: 4096, NoSyncFailed: true}
	var err error
	if k.seg, err = Create(testDir, k.next, k.opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.seg.Close(); err != nil {
			t.Error(err)
		}
		if n := k.opt.Handles.keyMemory.Used(); n != 0 {
			t.Errorf("%d bytes of key memory are lost", n)
		}
	})
	return k
}

func (k *keyed) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// append appends some batches at once, of any codec, with their keys or without.
func (k *keyed) append() {
	var bufs [][]byte
	var entries []Entry
	var added []keyedBatch
	pos := k.seg.Size()
	for range 1 + k.rng.IntN(4) {
		b := batch.Builder{BaseOffset: k.next, LeaderEpoch: 1}
		if k.rng.IntN(3) == 0 {
			b.Codec = batch.Codec(k.rng.IntN(5))
		}
		var keys []string
		for range 1 + k.rng.IntN(6) {
			key := fmt.Appendf(nil, "key %d", k.rng.IntN(40))
			if k.rng.IntN(8) == 0 {
				key = nil
			} else {
				keys = append(keys, string(key))
			}
			b.Add(1000, key, make([]byte, k.rng.IntN(2000)))
		}
		out, err := b.Bytes()
		k.must(err)
		h, err := batch.ParseHeader(out)
		k.must(err)
		e := Entry{Size: h.Size(), LastOffset: h.LastOffset(), MaxTimestamp: h.MaxTimestamp}
		if h.Codec() == batch.CodecNone && k.rng.IntN(6) > 0 {
			e.Keys, e.HasKeys = AppendKeyHashes(nil, out, &h, nil), true
		}
		bufs, entries = append(bufs, bytes.Clone(out)), append(entries, e)
		added = append(added, keyedBatch{pos, h.LastOffset(), keys})
		pos += h.Size()
		k.next = h.LastOffset() + 1
	}
	if k.rng.IntN(3) == 0 {
		bufs = [][]byte{slices.Concat(bufs...)}
	}
	k.must(k.seg.Append(bufs, entries))
	k.mu.Lock()
	k.want = append(k.want, added...)
	k.mu.Unlock()
}

// entries is what the key index has to hold.
func (k *keyed) entries() []index.KeyEntry {
	var all []index.KeyEntry
	for _, b := range k.want {
		for _, key := range b.keys {
			all = append(all, index.KeyEntry{Hash: index.KeyHash([]byte(key)), Pos: uint32(b.pos)})
		}
	}
	slices.SortFunc(all, index.KeyEntry.Compare)
	return slices.Compact(all)
}

// find compares what is found of a key with where it is.
func (k *keyed) find(demand bool) {
	k.t.Helper()
	key := fmt.Sprintf("key %d", k.rng.IntN(45))
	l, err := k.seg.FindKey([]byte(key), 0, math.MaxUint32, math.MaxInt, k.rng.IntN(2) == 0)
	k.must(err)
	if !l.Known && !demand {
		return
	}
	var want []uint32
	for _, b := range k.want {
		if slices.Contains(b.keys, key) {
			want = append(want, uint32(b.pos))
		}
	}
	if !l.Known || !slices.Equal(l.Positions, want) {
		k.t.Fatalf("%s: known %t at %v, want %v", key, l.Known, l.Positions, want)
	}
}

// reopen opens the segment as after a crash.
func (k *keyed) reopen() {
	k.must(k.seg.Close())
	var err error
	k.seg, _, err = Recover(testDir, 100, k.next, k.opt, func(batch.Header) {})
	k.must(err)
}

func (k *keyed) truncate() {
	to := 100 + k.rng.Int64N(k.next-99)
	k.want = slices.DeleteFunc(k.want, func(b keyedBatch) bool { return b.last >= to })
	next, err := k.seg.TruncateTo(to)
	k.must(err)
	k.next = next
}

func (k *keyed) step() {
	switch n := k.rng.IntN(100); {
	case n < 70:
		k.append()
	case n < 80:
		k.find(!k.little)
	case n < 90:
		_, err := k.seg.IndexKeys(k.rng.Int64N(30_000))
		k.must(err)
	case n < 94:
		k.reopen()
	case n < 96:
		k.truncate()
	case n < 98:
		k.seg.FreeKeys()
	default:
		k.seg.ForgetKeys()
	}
}

// TestKeys_AppendAndReaderAgree: however the entries come into the index, they are those
// of the records in the file, at every moment and on disk.
func TestKeys_AppendAndReaderAgree(t *testing.T) {
	seeds := uint64(60)
	if raceEnabled {
		seeds = 9
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			k := newKeyed(t, seed)
			if seed%3 == 0 { // now and then it does not suffice
				k.opt.Handles.keyMemory, k.little = index.NewKeyMemory(2*4096), true
			}
			for range 150 {
				k.step()
			}
			k.must(k.seg.Seal())
			for {
				n, err := k.seg.IndexKeys(1 + k.rng.Int64N(100_000))
				k.must(err)
				if n == 0 {
					break
				}
			}
			k.onDisk()
			for range 20 {
				k.find(true)
			}
		})
	}
}

// onDisk writes the index and compares the file with the one that is made by reading
// alone, and with what it has to be.
func (k *keyed) onDisk() {
	k.t.Helper()
	wrote, err := k.seg.WriteKeys()
	k.must(err)
	if len(k.want) == 0 {
		return
	}
	if wrote == 0 || !k.seg.KeysSettled() {
		k.t.Fatal("the index is not complete")
	}
	var files [][]byte
	for range 2 {
		for _, suffix := range []string{KeyIndexSuffix, BloomSuffix} {
			b, err := readFile(k.mem, k.seg.path(suffix))
			k.must(err)
			files = append(files, b)
		}
		k.must(k.seg.RemoveKeys())
		k.seg.ForgetKeys()
		_, err := k.seg.IndexKeys(math.MaxInt64)
		k.must(err)
		_, err = k.seg.WriteKeys()
		k.must(err)
		k.seg.ForgetKeys()
		k.seg.keys.tried = false
	}
	if !bytes.Equal(files[0], files[2]) || !bytes.Equal(files[1], files[3]) {
		k.t.Error("made by reading alone the files differ")
	}
	disk, err := index.OpenKeys(bytes.NewReader(files[0]), int64(len(files[0])))
	k.must(err)
	var got []index.KeyEntry
	for i := range disk.Len() {
		e, err := disk.At(bytes.NewReader(files[0]), new(index.KeyPage), i)
		k.must(err)
		got = append(got, e)
	}
	if want := k.entries(); !slices.Equal(got, want) {
		k.t.Fatalf("%d entries, want %d", len(got), len(want))
	}
}

// TestKeys_NothingIsReadAgain: what comes with its keys is not read.
func TestKeys_NothingIsReadAgain(t *testing.T) {
	k := newKeyed(t, 1)
	for range 200 {
		out := newBatch(t, k.rng, k.next, 1, 100, 5)
		k.must(k.seg.Append([][]byte{out}, []Entry{{Size: int64(len(out)), LastOffset: k.next, Keys: []uint64{uint64(k.next)}, HasKeys: true}}))
		k.next++
	}
	if n, err := k.seg.IndexKeys(math.MaxInt64); n != 0 || err != nil {
		t.Errorf("%d bytes read, %v", n, err)
	}
	k.must(k.seg.Seal())
	if n, err := k.seg.IndexKeys(math.MaxInt64); n != 0 || err != nil {
		t.Errorf("%d bytes read once sealed, %v", n, err)
	}
	if n, err := k.seg.WriteKeys(); n == 0 || err != nil {
		t.Errorf("%d bytes written, %v", n, err)
	}
}

// TestKeys_ManyHoles: stretches without keys do not take memory without bound.
func TestKeys_ManyHoles(t *testing.T) {
	k := newKeyed(t, 2)
	for i := range 10 * maxKeyHoles {
		out := newBatch(t, k.rng, k.next, 1, 10, 5)
		k.must(k.seg.Append([][]byte{out}, []Entry{{Size: int64(len(out)), LastOffset: k.next, Keys: []uint64{uint64(k.next)}, HasKeys: i%2 == 1}}))
		k.next++
	}
	if n := len(k.seg.keys.growing.holes); n != maxKeyHoles {
		t.Errorf("%d holes, want %d", n, maxKeyHoles)
	}
	if _, err := k.seg.IndexKeys(math.MaxInt64); err != nil || k.seg.keysMissing(math.MaxInt64) {
		t.Errorf("not complete: %v", err)
	}
}

// TestKeys_Concurrent appends, reads, forgets and queries at the same time: what was
// appended is found.
func TestKeys_Concurrent(t *testing.T) {
	k := newKeyed(t, 3)
	k.append()
	found := make(chan error, 1)
	done := make(chan struct{})
	var others sync.WaitGroup
	for i, do := range []func(rng *rand.Rand) error{
		func(*rand.Rand) error { _, err := k.seg.IndexKeys(1 << 20); return err },
		k.findAppended,
		func(rng *rand.Rand) error {
			if rng.IntN(50) == 0 {
				k.seg.ForgetKeys()
			}
			return nil
		},
	} {
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := do(rng); err != nil {
					select {
					case found <- err:
					default:
					}
					return
				}
			}
		})
	}
	for range 300 {
		k.append()
	}
	k.must(k.seg.Close())
	close(done)
	others.Wait()
	select {
	case err := <-found:
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	default:
	}
}

// findAppended looks for a batch that was appended by the keys that it has.
func (k *keyed) findAppended(rng *rand.Rand) error {
	k.mu.Lock()
	b := k.want[rng.IntN(len(k.want))]
	k.mu.Unlock()
	for _, key := range b.keys {
		l, err := k.seg.FindKey([]byte(key), 0, math.MaxUint32, math.MaxInt, true)
		if err != nil {
			return err
		}
		if !l.Known || !slices.Contains(l.Positions, uint32(b.pos)) {
			return fmt.Errorf("%s: known %t at %v, want %d", key, l.Known, l.Positions, b.pos)
		}
	}
	return nil
}
