package log

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// TestOpen_GivenUpInProducerState: half of what the batches tell of producers is not
// taken for all of it, and written down.
func TestOpen_GivenUpInProducerState(t *testing.T) {
	disk := newDisk(t)
	l := mustOpen(t, options(disk), Known{})
	for range 20 {
		a := built(new(batch.Builder), 1, make([]byte, 500), 1_600_000_000_000)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	k := known(l, false)
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	entries, err := disk.ReadDir(logDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // so that the batches must tell
		if name := e.Name(); name == epochFile || strings.HasSuffix(name, producersSuffix) || strings.HasSuffix(name, kafkaSnapshot) {
			if err := disk.Remove(logDir + "/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	fsys, giveUp := vfs.NewFaulty(disk, nil), make(chan struct{})
	close(giveUp)
	opt := options(fsys)
	var told bytes.Buffer
	opt.Logger = slog.New(slog.NewTextHandler(&told, nil))
	opt.Scanned = &segment.Scanned{GiveUp: giveUp}
	if _, _, err := Open(opt, k); !errors.Is(err, segment.ErrGivenUp) || fsys.Ops() != 0 || strings.Contains(told.String(), "lost") {
		t.Errorf("%d changes, %v\n%s", fsys.Ops(), err, &told)
	}
}
