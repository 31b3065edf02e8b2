package log

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"sordini/log/compact"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// BenchmarkClean compacts a log of records of about 100 bytes, of which one in a
// hundred is the last of its key, in each codec. An operation is a record.
func BenchmarkClean(b *testing.B) {
	for codec := batch.CodecNone; codec.Known(); codec++ {
		b.Run(codec.String(), func(b *testing.B) { benchmarkClean(b, codec) })
	}
}

func benchmarkClean(b *testing.B, codec batch.Codec) {
	dir := filepath.Join(b.TempDir(), "t-0")
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	fsys := vfs.OS()
	opt := compactOptions(fsys)
	opt.Dir, opt.Handles, opt.IndexInterval = dir, segment.NewHandles(fsys, 8), 4096
	opt.Config.SegmentBytes = 100 << 20
	l := mustOpen(b, opt, Known{})
	defer l.Abandon()
	fillBench(b, l, codec, b.N)
	roll(b, l)
	o := cleanOptions(l)
	o.Map = compact.NewMap(128<<20, 0.9)
	b.ReportAllocs()
	b.ResetTimer()
	r, err := l.Clean(b.Context(), o)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(r.MapBytes+r.ReadBytes)/1e6/r.Took.Seconds(), "MB/s")
	b.ReportMetric(float64(r.MapMemory)/1e6, "map-MB")
	b.ReportMetric(float64(m.Sys)/1e6, "sys-MB")
}

func fillBench(b *testing.B, l *Log, codec batch.Codec, records int) {
	const inBatch = 150
	keys := max(records/100, 1)
	builder := batch.Builder{Codec: codec}
	a := NewAppend()
	key, value := make([]byte, 16), make([]byte, 80)
	for i := 0; i < records; {
		builder.Reset()
		for ; builder.Len() < inBatch && i < records; i++ {
			binary.BigEndian.PutUint64(key, uint64(i*7919%keys))
			binary.BigEndian.PutUint64(value, uint64(i)*0x9E3779B97F4A7C15)
			binary.BigEndian.PutUint64(value[40:], uint64(i))
			builder.Add(1_600_000_000_000+int64(i), key, value)
		}
		var err error
		if a.Batch, err = builder.AppendTo(a.Batch[:0]); err == nil {
			a.Header, err = batch.ParseHeader(a.Batch)
		}
		if err != nil {
			b.Fatal(err)
		}
		if l.Append(a); a.Err != nil {
			b.Fatal(a.Err)
		}
	}
}
