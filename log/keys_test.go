package log

import (
	"bytes"
	"fmt"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// keyedAppend makes a batch of n records with keys.
func keyedAppend(t *testing.T, codec batch.Codec, n int) *Append {
	t.Helper()
	b := batch.Builder{Codec: codec}
	for i := range n {
		b.Add(1000, fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte("x"), 100))
	}
	a := NewAppend()
	var err error
	if a.Batch, err = b.Bytes(); err != nil {
		t.Fatal(err)
	}
	if a.Header, err = batch.ParseHeader(a.Batch); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAppend_KeysDoNotAllocate: but for the memory that the index grows by, some hundred
// entries at a time.
func TestAppend_KeysDoNotAllocate(t *testing.T) {
	opt := options(vfs.OS())
	opt.Dir, opt.Config.SegmentBytes, opt.IndexInterval, opt.Config.IndexKeys = t.TempDir(), 1<<30, 1<<30, true
	l := mustOpen(t, opt, Known{})
	a := keyedAppend(t, batch.CodecNone, 16)
	if got := testing.AllocsPerRun(1000, func() {
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
	}); got != 0 {
		t.Errorf("%v allocations an append", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestIndexKeys_ReadsWhatComesWithoutKeys: batches that are compressed or very large, and
// those from before index.key was on; of others nothing.
func TestIndexKeys_ReadsWhatComesWithoutKeys(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   batch.Codec
		records int
		off     bool // at first
		reads   bool
	}{
		{"uncompressed", batch.CodecNone, 50, false, false},
		{"compressed", batch.CodecZstd, 50, false, true},
		{"very many records", batch.CodecNone, maxHashed + 1, false, true},
		{"turned on later", batch.CodecNone, 50, true, true},
	} {
		opt := options(newDisk(t))
		opt.Config.SegmentBytes, opt.Config.IndexKeys = 1<<30, !c.off
		l := mustOpen(t, opt, Known{})
		for range 3 {
			if a := keyedAppend(t, c.codec, c.records); true {
				if l.Append(a); a.Err != nil {
					t.Fatal(a.Err)
				}
			}
		}
		opt.Config.IndexKeys = true
		l.Configure(opt.Config)
		n, err := l.active().IndexKeys(noLimit)
		if err != nil || (n > 0) != c.reads {
			t.Errorf("%s: %d bytes read, %v", c.name, n, err)
		}
		a, err := l.Query(Query{Key: []byte("key 49"), Limit: 10, MaxBytes: noLimit, MaxRead: noLimit}, l.State().End)
		if err != nil || len(a.Records) != 3 || a.Scanned > 0 {
			t.Errorf("%s: %d records, %+v, %v", c.name, len(a.Records), a.KeyCounts, err)
		}
		opt.Config.IndexKeys = false
		l.Configure(opt.Config)
		if _, err := l.IndexKeys(t.Context()); err != nil {
			t.Error(err)
		}
		if n, err := l.active().IndexKeys(noLimit); err != nil || n != l.Size() {
			t.Errorf("%s: turned off, the memory is kept: %d bytes read, %v", c.name, n, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
