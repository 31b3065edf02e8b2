package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// flipAt flips the lowest bit of a byte of a file.
func flipAt(t *testing.T, name string, pos int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, pos); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, pos); err != nil {
		t.Fatal(err)
	}
}

// dumped are where the batches of a log are, as "segment dump" tells.
func dumped(t *testing.T, log string) (positions []int64) {
	t.Helper()
	for line := range strings.Lines(sordini(t, 0, "segment", "dump", "-o", "json", log)) {
		var b struct{ Position int64 }
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		positions = append(positions, b.Position)
	}
	return positions
}

// TestRepair damages a header, contents and the end of a log after an orderly end and
// after a kill, also where recovery would take the damage for a torn write. After a
// repair every batch but the one with rotten contents is served at its offset.
func TestRepair(t *testing.T) {
	const records, header, contents = 40, 11, 25
	for name, end := range map[string]func(*broker){"closed": (*broker).stop, "killed": (*broker).kill} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, bySegment...) // a journal may bring the batch back
			createTopic(t, b, "rot", 1)
			w := dial(t, b.addr)
			for i := range records {
				w.mustProduce("rot", 0, plain(fmt.Sprint(i), string(noise(2000))))
			}
			dir := filepath.Join(b.dir, "rot-0")
			if out := sordini(t, 1, "segment", "repair", dir); !strings.Contains(out, "in use") {
				t.Errorf("beside a server: %s", out)
			}
			end(b)
			log := filepath.Join(dir, "00000000000000000000.log")
			at := dumped(t, log)
			flipAt(t, log, at[header]+6)
			flipAt(t, log, at[contents]+500)
			if name == "killed" { // as if nothing had been synced, with a torn end
				for _, f := range []string{"sordini-checkpoint", "sordini-checkpoint.old", "sordini-flushed"} {
					if err := os.Remove(filepath.Join(b.dir, f)); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				appendTo(t, log, "torn")
			}
			before := treeOf(t, b.dir)
			out := sordini(t, 2, "segment", "repair", dir)
			if after := treeOf(t, b.dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("changed without --yes")
			}
			if !strings.Contains(out, fmt.Sprintf("(offset %d)", 2*header)) || !strings.Contains(out, fmt.Sprintf("(offsets %d..%d)", 2*contents, 2*contents+1)) {
				t.Errorf("%s", out)
			}
			sordini(t, 0, "segment", "repair", "--yes", dir)
			b.start()
			w = dial(t, b.addr)
			for i := range records {
				p := w.fetch(fetchRequest("rot", 0, int64(2*i)))
				switch {
				case i == contents:
					if p.ErrorCode != kerr.CorruptMessage.Code {
						t.Errorf("the rotten batch: error %d", p.ErrorCode)
					}
				case p.ErrorCode != 0:
					t.Errorf("fetch at %d: error %d", 2*i, p.ErrorCode)
				default:
					checkBatches(t, p.RecordBatches, int64(2*i))
				}
			}
			if base := w.mustProduce("rot", 0, plain("after")); base != 2*records {
				t.Errorf("next record at %d, want %d", base, 2*records)
			}
		})
	}
}

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
