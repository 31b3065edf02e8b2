package inspect

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sordini/index"
	"sordini/segment"
)

func TestVerify_CleanLog(t *testing.T) {
	dir := closedLog(t)
	reports := verifyDir(t, dir)
	if len(reports) < 3 {
		t.Fatalf("%d segments, the test needs several", len(reports))
	}
	var batches, records int64
	for i, r := range reports {
		if r.Damaged() || r.CRC != OK || r.OffsetIndex != OK || r.TimeIndex != OK {
			t.Errorf("segment %d: %+v", r.Base, r)
		}
		if i > 0 && r.Base != reports[i-1].Next {
			t.Errorf("segment %d begins at %d, the one before ends at %d", i, r.Base, reports[i-1].Next)
		}
		if i > 0 && r.Snapshot != OK {
			t.Errorf("segment %d: snapshot %s", r.Base, r.Snapshot)
		}
		batches, records = batches+r.Batches, records+r.Records
	}
	if batches != 20 || records != 60 || reports[len(reports)-1].Next != 60 {
		t.Errorf("%d batches, %d records, next %d; want 20, 60, 60", batches, records, reports[len(reports)-1].Next)
	}
}

func TestVerify_LogInUse(t *testing.T) {
	l, dir := openLog(t, 2000)
	defer l.Close()
	appendBatches(t, l, 0, 20)
	_, err := l.Flush()
	if err == nil {
		err = l.Seal()
	}
	if err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	reports := verifyDir(t, dir)
	for _, r := range reports {
		if r.Damaged() {
			t.Errorf("segment %d: %+v", r.Base, r.Faults)
		}
	}
	if last := reports[len(reports)-1]; last.OffsetIndex != Missing || last.TimeIndex != Missing {
		t.Errorf("indexes of the segment in use: %s, %s; want them to be missing", last.OffsetIndex, last.TimeIndex)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("files changed from\n%s\nto\n%s", before, after)
	}
	appendBatches(t, l, 20, 1)
}

// listing is names and sizes of a directory's files.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e.Name()+" "+string(b))
	}
	return strings.Join(lines, "\n")
}

// TestVerify_Damage flips a byte in each kind of file and looks where the damage is seen.
func TestVerify_Damage(t *testing.T) {
	tests := []struct {
		name   string
		suffix string
		pos    int64
		state  func(*Report) State
		reason string
	}{
		{"checksum", segment.LogSuffix, 150, func(r *Report) State { return r.CRC }, "checksum"},
		{"base offset", segment.LogSuffix, 7, func(r *Report) State { return r.CRC }, ""},
		{"magic", segment.LogSuffix, 16, func(r *Report) State { return r.CRC }, "magic"},
		{"offset of an index entry", segment.IndexSuffix, 11, func(r *Report) State { return r.OffsetIndex }, ""},
		{"position of an index entry", segment.IndexSuffix, 7, func(r *Report) State { return r.OffsetIndex }, "where no batch begins"},
		{"timestamp of an index entry", segment.TimeIndexSuffix, 7, func(r *Report) State { return r.TimeIndex }, "timestamp"},
		{"Kafka's snapshot", SnapshotSuffix, 20, func(r *Report) State { return r.Snapshot }, "checksum"},
		{"own snapshot", ProducersSuffix, 20, func(r *Report) State { return r.Snapshot }, "checksum"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := closedLog(t)
			base := verifyDir(t, dir)[1].Base
			path := filepath.Join(dir, segment.FileName(base, tt.suffix))
			flip(t, path, tt.pos)
			for _, r := range verifyDir(t, dir) {
				if r.Base != base {
					if r.Damaged() {
						t.Errorf("segment %d is damaged too: %+v", r.Base, r.Faults)
					}
					continue
				}
				if tt.state(r) != Bad || !r.Damaged() {
					t.Fatalf("damage is not seen: %+v", r)
				}
				f := r.Faults[0]
				if f.File != path || f.Torn || !strings.Contains(f.Reason, tt.reason) {
					t.Errorf("fault %+v, want one of %s that says %q", f, path, tt.reason)
				}
			}
		})
	}
}

func TestVerify_DamageIsLocated(t *testing.T) {
	dir := closedLog(t)
	r := verifyDir(t, dir)[0]
	size := r.Bytes / r.Batches // the batches are of one size
	flip(t, r.Path, 2*size+70)
	after := verifyDir(t, dir)[0]
	if len(after.Faults) != 1 || after.Faults[0].Pos != 2*size || after.Faults[0].Offset != 6 {
		t.Fatalf("faults %+v, want one at %d, offset 6", after.Faults, 2*size)
	}
	if after.Batches != r.Batches-1 || after.Records != r.Records-3 || after.Next != r.Next {
		t.Errorf("%d batches, %d records, next %d: the batches behind the damage are not counted", after.Batches, after.Records, after.Next)
	}
	if after.OffsetIndex != OK {
		t.Errorf("offset index %s because of damage in the log: %+v", after.OffsetIndex, after.Faults)
	}
}

func TestVerify_TornTail(t *testing.T) {
	dir := closedLog(t)
	reports := verifyDir(t, dir)
	last := reports[len(reports)-1]
	if last.Batches < 2 {
		t.Fatalf("the last segment has %d batches, the test needs two", last.Batches)
	}
	if err := os.Truncate(last.Path, last.Bytes-10); err != nil {
		t.Fatal(err)
	}
	reports = verifyDir(t, dir)
	torn := reports[len(reports)-1]
	if torn.CRC != Bad || len(torn.Faults) == 0 || !torn.Faults[0].Torn || torn.Faults[0].Offset != last.Next-3 {
		t.Errorf("%+v", torn)
	}
	if torn.Batches != last.Batches-1 {
		t.Errorf("%d batches, want %d", torn.Batches, last.Batches-1)
	}
}

// TestVerify_CutInside cuts a segment that is not the last one: that is not what a torn write leaves.
func TestVerify_CutInside(t *testing.T) {
	dir := closedLog(t)
	r := verifyDir(t, dir)[0]
	if err := os.Truncate(r.Path, r.Bytes-10); err != nil {
		t.Fatal(err)
	}
	after := verifyDir(t, dir)[0]
	if !after.Damaged() || after.Faults[0].Torn {
		t.Errorf("%+v", after.Faults)
	}
}

func TestVerify_IndexBehindTheLog(t *testing.T) {
	dir := closedLog(t)
	r := verifyDir(t, dir)[0]
	path := filepath.Join(dir, segment.FileName(r.Base, segment.TimeIndexSuffix))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = index.AppendTimes(b, []index.TimeEntry{{Timestamp: 9_000_000, Rel: 1000}})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := verifyDir(t, dir)[0]; after.TimeIndex != Bad || after.OffsetIndex != OK {
		t.Errorf("%+v", after)
	}
}

func TestVerify_MissingFilesAreNoFault(t *testing.T) {
	dir := closedLog(t)
	r := verifyDir(t, dir)[1]
	for _, suffix := range []string{segment.IndexSuffix, segment.TimeIndexSuffix, SnapshotSuffix, ProducersSuffix} {
		if err := os.Remove(filepath.Join(dir, segment.FileName(r.Base, suffix))); err != nil {
			t.Fatal(err)
		}
	}
	after := verifyDir(t, dir)[1]
	if after.Damaged() || after.OffsetIndex != Missing || after.TimeIndex != Missing || after.Snapshot != Missing {
		t.Errorf("%+v", after)
	}
}

func TestPartitions(t *testing.T) {
	dir := closedLog(t)
	data := filepath.Dir(dir)
	metadata := filepath.Join(data, "metadata")
	if err := os.Mkdir(metadata, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data, "empty-0"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(metadata, segment.FileName(1, segment.LogSuffix)), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{dir, data} {
		got, err := Partitions(from)
		if err != nil || len(got) != 1 || got[0] != dir {
			t.Errorf("Partitions(%s) = %q, %v; want %s", from, got, err, dir)
		}
	}
	if _, err := Partitions(filepath.Join(data, "empty-0")); !errors.Is(err, ErrNoSegments) {
		t.Errorf("a directory without segments: %v", err)
	}
}

func TestTrimIndex(t *testing.T) {
	entry := index.AppendOffsets(nil, []index.OffsetEntry{{Rel: 5, Pos: 100}})
	padded := append(append([]byte{}, entry...), make([]byte, 10*index.OffsetEntrySize)...)
	if got := TrimIndex(padded, index.OffsetEntrySize); string(got) != string(entry) {
		t.Errorf("trimmed to %x, want %x", got, entry)
	}
	if got := TrimIndex(make([]byte, 5*index.TimeEntrySize), index.TimeEntrySize); len(got) != 0 {
		t.Errorf("a time index of zeros has %d bytes", len(got))
	}
	if got := TrimIndex(make([]byte, 5*index.OffsetEntrySize), index.OffsetEntrySize); len(got) != 0 {
		t.Errorf("an offset index of zeros has %d bytes", len(got))
	}
	odd := append(append([]byte{}, entry...), 0)
	if got := TrimIndex(odd, index.OffsetEntrySize); len(got) != len(odd) {
		t.Errorf("a part of an entry was cut: that hides damage")
	}
}
