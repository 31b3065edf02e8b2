package meta

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

// tree is the contents of a store's directory, by path.
type tree map[string][]byte

func readTree(t testing.TB, fsys vfs.FS) tree {
	t.Helper()
	entries, err := fsys.ReadDir(testDir)
	must(t, err)
	all := tree{}
	for _, e := range entries {
		path := filepath.Join(testDir, e.Name())
		b, err := vfs.ReadFile(fsys, path, 1<<30)
		must(t, err)
		all[path] = b
	}
	return all
}

// disk makes a file system of the tree, with changed instead of what is at path;
// nil leaves the file out.
func (all tree) disk(t testing.TB, path string, changed []byte) *vfs.Mem {
	t.Helper()
	m := newDisk(t)
	must(t, m.Mkdir(testDir))
	for name, b := range all {
		if name == path {
			b = changed
		}
		if b != nil {
			must(t, vfs.WriteSynced(m, name, b))
		}
	}
	return m
}

func logPath(first int64) string  { return filepath.Join(testDir, formatName(first, logSuffix)) }
func snapPath(index int64) string { return filepath.Join(testDir, formatName(index, snapshotSuffix)) }

// wantCorrupt asserts that Open refuses with a position and changes nothing.
func wantCorrupt(t *testing.T, disk *vfs.Mem, path string) *CorruptError {
	t.Helper()
	before := readTree(t, disk)
	_, _, err := Open(disk, testDir, Options{})
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.File != path || !strings.Contains(err.Error(), path) {
		t.Fatalf("open: %v, want corruption of %s", err, path)
	}
	after := readTree(t, disk)
	if len(after) != len(before) {
		t.Fatalf("open changed the directory: %d files before, %d after", len(before), len(after))
	}
	for name, b := range before {
		if !slices.Equal(after[name], b) {
			t.Fatalf("open changed %s", name)
		}
	}
	return corrupt
}

// smallStore is one log with groups of 1 to 3 records, and the position and
// version before its last group.
func smallStore(t testing.TB) (disk *vfs.Mem, end, version int64) {
	t.Helper()
	disk = newDisk(t)
	s, _ := openStore(t, disk, Options{})
	apply(t, s, ClusterCreated{ClusterID: "c", DirectoryID: topicID(99).String(), NodeID: 1}, ProcessStarted{BrokerEpoch: 1})
	apply(t, s, topicCreated(1))
	apply(t, s, topicCreated(2), topicCreated(3), TopicDeleted{ID: topicID(2)})
	end, version = s.end, s.Image().Version()
	apply(t, s, TopicPurged{ID: topicID(2)}, ProducerIDsReserved{Next: 1000})
	must(t, s.Close())
	return disk, end, version
}

// Every single bit of a log: detected, or harmless. A flip in the last group
// cannot be told from a torn write.
func TestOpen_EveryBitOfLog(t *testing.T) {
	disk, end, version := smallStore(t)
	all, path := readTree(t, disk), logPath(1)
	s, _ := openStore(t, all.disk(t, "", nil), Options{})
	want := dump(t, s.Image())
	refused, cut := 0, 0
	for bit := range 8 * len(all[path]) {
		changed := slices.Clone(all[path])
		changed[bit/8] ^= 1 << (bit % 8)
		s, r, err := Open(all.disk(t, path, changed), testDir, Options{})
		var corrupt *CorruptError
		switch {
		case errors.As(err, &corrupt):
			refused++
		case err != nil:
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		case int64(bit/8) >= end && s.Image().Version() == version && r.CutBytes == int64(len(changed))-end:
			cut++
		case dump(t, s.Image()) != want:
			t.Fatalf("bit %d of byte %d: image %s, want %s", bit%8, bit/8, dump(t, s.Image()), want)
		}
	}
	if refused != int(8*end) || cut != 8*(len(all[path])-int(end)) {
		t.Errorf("%d flips refused, %d cut, of %d before and %d in the last group", refused, cut, 8*end, 8*(len(all[path])-int(end)))
	}
}

// Every single bit of the newest snapshot: it is set aside and the image rebuilt.
func TestOpen_EveryBitOfSnapshot(t *testing.T) {
	disk, _, _ := smallStore(t)
	s, _ := openStore(t, disk, Options{})
	want, path := dump(t, s.Image()), snapPath(s.Image().Version())
	must(t, s.Close())
	all := readTree(t, disk)
	for bit := range 8 * len(all[path]) {
		changed := slices.Clone(all[path])
		changed[bit/8] ^= 1 << (bit % 8)
		damaged := all.disk(t, path, changed)
		s, r, err := Open(damaged, testDir, Options{})
		must(t, err)
		if dump(t, s.Image()) != want || !slices.Equal(r.Rotten, []string{path + ".rotten-1"}) {
			t.Fatalf("bit %d of byte %d: report %+v, image %s", bit%8, bit/8, r, dump(t, s.Image()))
		}
		if aside := readTree(t, damaged)[r.Rotten[0]]; !slices.Equal(aside, changed) {
			t.Fatalf("bit %d of byte %d: the damaged snapshot was not kept", bit%8, bit/8)
		}
	}
}

// Every length that a power cut may leave of the last group.
func TestOpen_TornTail(t *testing.T) {
	disk, end, version := smallStore(t)
	all, path := readTree(t, disk), logPath(1)
	whole := all[path]
	for size := end; size < int64(len(whole)); size++ {
		torn := all.disk(t, path, whole[:size])
		s, r := openStore(t, torn, Options{})
		if s.Image().Version() != version || r.CutBytes != size-end {
			t.Fatalf("%d bytes: version %d, report %+v", size, s.Image().Version(), r)
		}
		if after := readTree(t, torn); size > end && !slices.Equal(after[r.CutFile], whole[end:size]) {
			t.Fatalf("%d bytes: %s does not hold what was cut", size, r.CutFile)
		}
		apply(t, s, topicCreated(9))
	}
	// Blocks of the last write that arrived in another order.
	zeroed := slices.Clone(whole)
	clear(zeroed[end : end+frameHeaderSize+5])
	s, r := openStore(t, all.disk(t, path, zeroed), Options{})
	if s.Image().Version() != version || r.CutBytes != int64(len(whole))-end {
		t.Fatalf("first block missing: version %d, report %+v", s.Image().Version(), r)
	}
}

func TestOpen_RotSaysWhere(t *testing.T) {
	disk, _, _ := smallStore(t)
	all, path := readTree(t, disk), logPath(1)
	changed := slices.Clone(all[path])
	changed[logHeaderSize+frameHeaderSize+3] ^= 1
	if e := wantCorrupt(t, all.disk(t, path, changed), path); e.Pos != logHeaderSize {
		t.Errorf("position %d, want %d: %v", e.Pos, logHeaderSize, e)
	}
}

// Frames that are valid for themselves but not where they are.
func TestOpen_MisplacedFrames(t *testing.T) {
	ids := func(index int64, before, after uint32, next string) []byte {
		return appendFrame(nil, frameHeader{index: index, kind: kindProducerIDsReserved, version: 1, before: before, after: after},
			[]byte(`{"next":`+next+`}`))
	}
	first := ids(1, 0, 0, "1")
	for name, second := range map[string][]byte{
		"again":              first,
		"skipped":            ids(3, 0, 0, "2"),
		"not of its group":   ids(2, 1, 0, "2"),
		"invalid for image":  ids(2, 0, 0, "1"),
		"group of 3, then 2": slices.Concat(ids(2, 0, 2, "2"), ids(3, 1, 0, "3")),
	} {
		t.Run(name, func(t *testing.T) {
			log := slices.Concat(encodeLogHeader(1), first, second)
			e := wantCorrupt(t, tree{logPath(1): log}.disk(t, "", nil), logPath(1))
			if e.Pos < int64(logHeaderSize+len(first)) {
				t.Errorf("position %d is in the first frame", e.Pos)
			}
		})
	}
}

func TestOpen_NewerVersion(t *testing.T) {
	frame := appendFrame(nil, frameHeader{index: 1, kind: 500, version: 1}, []byte("{}"))
	newerLog := encodeLogHeader(1)
	newerLog[11]++
	snapshot, payload, err := encodeSnapshot(emptyImage())
	must(t, err)
	snapshot[11]++
	binary.BigEndian.PutUint32(newerLog[20:], crc32.Checksum(newerLog[:20], crcTable))
	binary.BigEndian.PutUint32(snapshot[28:], snapshotCRC(snapshot[:28], payload))
	for name, all := range map[string]tree{
		"record":   {logPath(1): append(encodeLogHeader(1), frame...)},
		"log":      {logPath(1): newerLog},
		"snapshot": {logPath(1): encodeLogHeader(1), snapPath(0): append(snapshot, payload...)},
	} {
		_, _, err := Open(all.disk(t, "", nil), testDir, Options{})
		var corrupt *CorruptError
		if !errors.Is(err, ErrNewer) || errors.As(err, &corrupt) || !strings.Contains(err.Error(), testDir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fiveSnapshots is a store whose files are 30.snapshot, 31.log, 40.snapshot and
// 41.log, the last with 5 records.
func fiveSnapshots(t *testing.T) (tree, string) {
	t.Helper()
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{SnapshotRecords: 10})
	for n := range 45 {
		apply(t, s, topicCreated(n))
	}
	want := dump(t, s.Image())
	must(t, s.Close())
	return readTree(t, disk), want
}

func TestOpen_SnapshotLost(t *testing.T) {
	all, want := fiveSnapshots(t)
	for name, changed := range map[string][]byte{"missing": nil, "empty": {}, "short": all[snapPath(40)][:20]} {
		s, r := openStore(t, all.disk(t, snapPath(40), changed), Options{})
		if dump(t, s.Image()) != want || r.Snapshot != 30 || r.Records != 15 || len(r.Rotten) == 0 != (changed == nil) {
			t.Errorf("%s: report %+v, image %s", name, r, dump(t, s.Image()))
		}
	}
}

func TestOpen_FilesLost(t *testing.T) {
	all, want := fiveSnapshots(t)
	// Nothing depends on these, as long as the newest snapshot is good.
	for _, path := range []string{snapPath(30), logPath(31)} {
		s, _ := openStore(t, all.disk(t, path, nil), Options{})
		if dump(t, s.Image()) != want {
			t.Errorf("without %s: image %s", path, dump(t, s.Image()))
		}
	}
	noSnapshots := tree{logPath(31): all[logPath(31)], logPath(41): all[logPath(41)]}
	wantCorrupt(t, noSnapshots.disk(t, "", nil), testDir)
	onlySnapshots := tree{snapPath(30): all[snapPath(30)], snapPath(40): all[snapPath(40)]}
	wantCorrupt(t, onlySnapshots.disk(t, "", nil), testDir)
	// A gap between logs, and an end that is cut although a later log exists.
	gap := tree{snapPath(30): all[snapPath(30)], logPath(31): all[logPath(31)][:logHeaderSize], logPath(41): all[logPath(41)]}
	wantCorrupt(t, gap.disk(t, "", nil), logPath(31))
	gap[logPath(31)] = all[logPath(31)][:len(all[logPath(31)])-1]
	wantCorrupt(t, gap.disk(t, "", nil), logPath(31))
	// A snapshot that cannot be read proves that there were more records.
	short := tree{snapPath(30): all[snapPath(30)], logPath(31): all[logPath(31)][:len(all[logPath(31)])-1], snapPath(40): {}}
	wantCorrupt(t, short.disk(t, "", nil), logPath(31))
}

func TestOpen_RemovesLeftovers(t *testing.T) {
	all, want := fiveSnapshots(t)
	all[snapPath(45)+vfs.TempSuffix] = []byte("half a snap")
	disk := all.disk(t, "", nil)
	s, _ := openStore(t, disk, Options{})
	if dump(t, s.Image()) != want {
		t.Errorf("image %s", dump(t, s.Image()))
	}
	if _, err := disk.Stat(snapPath(45) + vfs.TempSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("leftover is still there: %v", err)
	}
}

func TestOpen_ParentMissing(t *testing.T) {
	if _, _, err := Open(vfs.NewMem(), testDir, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
}
