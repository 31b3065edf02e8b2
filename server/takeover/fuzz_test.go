package takeover

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// FuzzRun: whatever two segments of Kafka's hold, the import takes the topic or refuses
// it. What it takes without damage can be read from start to end; what it takes with
// damage can be opened.
func FuzzRun(f *testing.F) {
	whole := slices.Concat(data(0, 0, "0", "1"), data(2, 1, "2"))
	tail := data(3, 1, "3")
	f.Add(whole, tail, true, true, true)
	f.Add(whole[:len(whole)-3], tail, false, false, false)
	f.Add(whole, append(bytes.Clone(tail), 1, 2, 3), false, true, false)
	f.Add(data(0, 0, "0"), tail, true, false, true)
	f.Add(transactional(0, 4, -1), transactional(3, 4, 0), true, true, true)
	damaged := bytes.Clone(whole)
	damaged[len(data(0, 0, "0", "1"))+7] ^= 1
	f.Add(damaged, tail, true, false, true)
	f.Fuzz(func(t *testing.T, first, second []byte, clean, wanted, sealed bool) {
		if sealed {
			first, second = seal(first), seal(second)
		}
		m, disk := newMaker(t, "kafka"), vfs.NewMem()
		if !clean {
			must(t, m.fs.Remove("kafka/"+meta.CleanShutdownFile))
		}
		m.partition("a", 0, id(1))
		m.segment("a", 0, 0, first)
		m.segment("a", 0, 3, second)
		m.file("recovery-point-offset-checkpoint", "0\n1\na 0 2\n")
		opt := m.options(disk)
		opt.Damaged, opt.Uncommitted = wanted, true
		r, err := Run(context.Background(), opt)
		must(t, err)
		a := topicOf(t, r, "a")
		o, err := tryOpen(disk)
		for _, records := range []error{batch.ErrInvalidRecord, batch.ErrUnsupportedCodec, batch.ErrTooLarge, batch.ErrCorrupt} {
			if sealed && errors.Is(err, records) {
				return // what is in a batch is as Kafka had it
			}
		}
		if err != nil {
			t.Fatalf("%v: %+v", err, a)
		}
		if there := o.image.Topic("a") != nil; there != (a.Result == Imported) {
			t.Fatalf("the topic is there: %t, report %+v", there, a)
		}
		if a.Result == Imported && !a.Damage && (o.lost["a-0"] || int64(len(o.logs["a-0"])) > a.Records) {
			t.Errorf("lost %t, records %v, report %+v", o.lost["a-0"], o.logs["a-0"], a)
		}
	})
}

// seal returns batches with the checksums that they should have.
func seal(b []byte) []byte {
	b = bytes.Clone(b)
	for left := b; len(left) > 0; {
		one, rest, err := batch.Split(left)
		if err != nil {
			break
		}
		binary.BigEndian.PutUint32(one[17:], crc32.Checksum(one[crcStart:], castagnoli))
		left = rest
	}
	return b
}
