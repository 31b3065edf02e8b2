package test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestRot_Header flips a bit of a batch's leader epoch, which the checksum of the
// batch does not cover, while the server is down: after an orderly end and after a
// kill. The records around the rot are answered with CORRUPT_MESSAGE, not with
// other ones, and those behind are served.
func TestRot_Header(t *testing.T) {
	for name, end := range map[string]func(*broker){"closed": (*broker).stop, "killed": (*broker).kill} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, bySegment...) // a journal may bring the batch back
			createTopic(t, b, "rot", 1)
			w := dial(t, b.addr)
			const records = 40
			for i := range records {
				w.mustProduce("rot", 0, plain(fmt.Sprint(i), string(noise(5000))))
			}
			end(b)
			const rotten = 20
			flipEpoch(t, filepath.Join(b.dir, "rot-0", "00000000000000000000.log"), rotten)
			b.start()
			w = dial(t, b.addr)
			refused := 0
			for i := range records {
				p := w.fetch(fetchRequest("rot", 0, int64(2*i)))
				switch {
				case p.ErrorCode == kerr.CorruptMessage.Code:
					refused++
				case p.ErrorCode != 0:
					t.Errorf("fetch at %d: error %d", 2*i, p.ErrorCode)
				case i == rotten:
					t.Error("the rotten batch is served")
				default:
					checkBatches(t, p.RecordBatches, int64(2*i))
				}
			}
			if refused == 0 || refused > 20 {
				t.Errorf("%d of %d batches refused, want those of one block", refused, records)
			}
			if n := b.metric("sordini_corrupt_reads_total"); n != float64(refused) {
				t.Errorf("sordini_corrupt_reads_total is %v, want %d", n, refused)
			}
			if base := w.mustProduce("rot", 0, plain("after")); base != 2*records {
				t.Errorf("next record at %d, want %d", base, 2*records)
			}
		})
	}
}

// checkBatches demands that a fetch brings the batches from an offset on, two
// records each, all of leader epoch 0.
func checkBatches(t *testing.T, records []byte, offset int64) {
	t.Helper()
	got := heads(t, records)
	if len(got) == 0 {
		t.Errorf("nothing at %d", offset)
	}
	for _, h := range got {
		if h.FirstOffset != offset || h.PartitionLeaderEpoch != 0 {
			t.Errorf("batch at %d of epoch %d, want %d of epoch 0", h.FirstOffset, h.PartitionLeaderEpoch, offset)
		}
		offset += 2
	}
}

// flipEpoch flips a bit of the leader epoch of the n-th batch of a file.
func flipEpoch(t *testing.T, name string, n int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	pos := 0
	for range n {
		pos += lengthAt + 4 + int(binary.BigEndian.Uint32(b[pos+lengthAt:]))
	}
	b[pos+magicAt-1] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
