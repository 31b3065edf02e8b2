package meta

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

// Files of earlier versions must be readable for good, so these bytes never change.
func TestFormat_Golden(t *testing.T) {
	log := encodeLogHeader(7)
	log = appendFrame(log, frameHeader{index: 7, kind: kindProducerIDsReserved, version: 1, before: 0, after: 1}, []byte(`{"next":1000}`))
	log = appendFrame(log, frameHeader{index: 8, kind: kindProducerIDsReserved, version: 1, before: 1, after: 0}, []byte(`{"next":2000}`))
	i := emptyImage()
	for _, r := range []Record{
		ClusterCreated{ClusterID: "c", DirectoryID: topicID(5).String(), NodeID: 3},
		ProcessStarted{BrokerEpoch: 9},
		TopicCreated{Name: "a", ID: topicID(1), Partitions: 2, Configs: map[string]string{"k": "v"}, Internal: true, FirstEpoch: 4},
		TopicCreated{Name: "b", ID: topicID(2), Partitions: 1},
		TopicDeleted{ID: topicID(2)},
		BrokerConfigsSet{Broker: "3", Configs: map[string]string{"x": "y"}},
	} {
		next, err := i.apply(r)
		must(t, err)
		i = next
	}
	header, payload, err := encodeSnapshot(i)
	must(t, err)
	for name, got := range map[string][]byte{"log.hex": log, "snapshot.hex": append(header, payload...)} {
		path := filepath.Join("testdata", name)
		want, err := os.ReadFile(path)
		must(t, err)
		if text := hex.Dump(got); text != string(want) {
			t.Errorf("%s: bytes are\n%swant\n%s", path, text, want)
		}
	}
	again, err := decodeSnapshot(append(header, payload...), 6)
	must(t, err)
	if dump(t, again) != dump(t, i) {
		t.Errorf("decoded %s, want %s", dump(t, again), dump(t, i))
	}
}

func TestParseName(t *testing.T) {
	name := formatName(42, logSuffix)
	if index, ok := parseName(name, logSuffix); !ok || index != 42 || name != "00000000000000000042.log" {
		t.Errorf("%s: %d, %v", name, index, ok)
	}
	for _, bad := range []string{"", ".log", "42.log", "0000000000000000004x.log", "+0000000000000000042.log",
		"99999999999999999999.log", "00000000000000000042.log.tmp", "00000000000000000042.snapshot"} {
		if _, ok := parseName(bad, logSuffix); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Every kind has a type whose kind it is, and decoding refuses all else.
func TestDecodeRecord_Kinds(t *testing.T) {
	for k := kindClusterCreated; k <= kindGroupConfigsSet; k++ {
		r, err := decodeRecord(k, recordVersion, []byte("{}"))
		if err != nil || r.kind() != k || reflect.TypeOf(r).Name() != k.String() {
			t.Errorf("kind %d: %T of kind %d, %v", uint16(k), r, r.kind(), err)
		}
	}
	for _, c := range []struct {
		kind    recordKind
		version uint16
		payload string
		newer   bool
	}{
		{kindGroupConfigsSet + 1, 1, `{}`, true},
		{0, 1, `{}`, true},
		{kindTopicDeleted, 2, `{}`, true},
		{kindTopicDeleted, 1, `{"other":1}`, false},
		{kindTopicDeleted, 1, `{}{}`, false},
		{kindTopicDeleted, 1, `{"id":"short"}`, false},
		{kindTopicDeleted, 1, ``, false},
		{kindProducerIDsReserved, 1, `{"next":9223372036854775808}`, false},
	} {
		if _, err := decodeRecord(c.kind, c.version, []byte(c.payload)); err == nil || errors.Is(err, ErrNewer) != c.newer {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Whatever the bytes of a log are, Open reads whole groups of valid records or
// refuses, and what it accepts reads the same again.
func FuzzOpen(f *testing.F) {
	log := appendFrame(nil, frameHeader{index: 1, kind: kindBrokerConfigsSet, version: 1}, []byte(`{"broker":""}`))
	f.Add(log)
	log = appendFrame(log, frameHeader{index: 2, kind: kindProducerIDsReserved, version: 1, after: 1}, []byte(`{"next":1}`))
	f.Add(log)
	f.Add(appendFrame(log, frameHeader{index: 3, kind: kindProducerIDsReserved, version: 1, before: 1}, []byte(`{"next":2}`)))
	f.Add(bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, frames []byte) {
		disk := newDisk(t)
		must(t, disk.Mkdir(testDir))
		path := filepath.Join(testDir, formatName(1, logSuffix))
		must(t, vfs.WriteSynced(disk, path, encodeLogHeader(1), frames))
		s, r, err := Open(disk, testDir, Options{})
		if err != nil {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if r.Bytes != int64(logHeaderSize+len(frames)) || r.CutBytes > int64(len(frames)) {
			t.Fatalf("report %+v of %d bytes", r, len(frames))
		}
		want := dump(t, s.Image())
		must(t, s.Close())
		s, _ = openStore(t, disk, Options{})
		if got := dump(t, s.Image()); got != want {
			t.Fatalf("reopened %s, want %s", got, want)
		}
	})
}

// A frame that is accepted is the one that appendFrame makes.
func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, frameHeader{index: 9, kind: 3, version: 1, before: 2, after: 1}, []byte("{}")))
	f.Add(make([]byte, frameHeaderSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := vfs.NewMem()
		must(t, vfs.WriteSynced(disk, "f", b))
		file, err := disk.Open("f")
		must(t, err)
		w := &window{file: file, size: int64(len(b))}
		h, payload, err := w.frame(0)
		if err != nil {
			if !errors.Is(err, errBadFrame) {
				t.Fatal(err)
			}
			return
		}
		if again := appendFrame(nil, h, payload); !bytes.HasPrefix(b, again) {
			t.Fatalf("frame %x was read as %x", b, again)
		}
	})
}

// Lengths are checked before anything is allocated.
func TestFrame_LengthIsNotTrusted(t *testing.T) {
	b := appendFrame(nil, frameHeader{index: 1, kind: kindTopicDeleted, version: 1}, []byte("{}"))
	copy(b, "\xff\xff\xff\xff")
	if _, err := decodeFrameHeader(b); err == nil || !strings.Contains(err.Error(), "4294967295") {
		t.Errorf("length of 4 GiB: %v", err)
	}
}
