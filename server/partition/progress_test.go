package partition

import (
	"testing"
)

// After a crash what was planned is what was done and what the report tells.
func TestProgress_AfterACrash(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	for _, p := range b.create(t, "orders", 3, nil) {
		mustWrite(t, p, 4)
	}
	b.abandon()
	again := mustOpen(t, disk)
	defer again.close(t)
	s := again.opt.Progress.Stage()
	var bytes int64
	for _, p := range again.All() {
		bytes += p.log.State().End.Pos
	}
	if s.Phase != PhaseOpened || s.Partitions != (Done{3, 3}) || s.Segments != (Done{3, 3}) || s.Bytes != (Done{bytes, bytes}) {
		t.Errorf("%+v, want 3 partitions, 3 segments and %d bytes", s, bytes)
	}
	r := again.report
	if s.Report == nil || *s.Report != r {
		t.Errorf("report %+v, want %+v", s.Report, r)
	}
	if r.Clean || !r.Checkpoint || r.Batches != 12 || r.Records != 12 || r.Bytes != bytes || r.JournalEntries == 0 || r.JournalEntries != s.Journal.Entries {
		t.Errorf("%+v", r)
	}
	if m := again.opt.Progress.Recovery(); m.BytesDone != bytes || m.BytesPlanned != bytes || m.PartitionsPlanned != 3 {
		t.Errorf("%+v", m)
	}
}

// After an orderly end there is nothing to scan.
func TestProgress_Clean(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "orders", 1, nil)[0], 5)
	b.close(t)
	again := mustOpen(t, disk)
	defer again.close(t)
	if s := again.opt.Progress.Stage(); s.Bytes != (Done{}) || s.Partitions != (Done{1, 1}) || !s.Report.Clean || !s.Report.Checkpoint {
		t.Errorf("%+v, report %+v", s, s.Report)
	}
}

// Indexes that are made again were not planned; the totals take them in.
func TestProgress_MoreThanWasPlanned(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "orders", 1, nil)[0]
	mustWrite(t, p, 5)
	dir := p.log.Dir()
	b.close(t)
	entries, err := disk.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); len(name) > 20 && name[20:] == ".check" {
			if err := disk.Remove(dir + "/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := mustOpen(t, disk)
	defer again.close(t)
	if s := again.opt.Progress.Stage(); s.Bytes.Done == 0 || s.Bytes.Total != s.Bytes.Done || s.Segments != (Done{1, 1}) {
		t.Errorf("%+v", s)
	}
}
