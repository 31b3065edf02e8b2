/*
Package checkpoint writes and reads the files that say, for all partitions of a
data directory, how far each log is known to be good.

The recovery point may lag behind the truth, never lead: below it every byte was
synced once. Recovery scans from there, and treats bad bytes below it as damage
and not as a torn write; so it must itself be trusted, and the file carries a
checksum. A file that fails it is not used; the one before it is, or none, which
means that all logs are scanned.

# Files

sordini-checkpoint is text, one line a partition:

	sordini-checkpoint 1
	epoch 7 clean true partitions 2
	T P ID START RECOVERY HIGH END SEGMENT SIZE
	T P ID START RECOVERY HIGH END SEGMENT SIZE
	crc32c 0a1b2c3d

epoch is the broker epoch of the writer. T is the topic name, P the partition, ID
the topic id in hexadecimal: what is known of a topic must not be believed of
another that took its name. START, RECOVERY, HIGH and END are offsets: log start, recovery point, high
watermark, log end. SEGMENT is the base offset of the last segment and SIZE its
bytes; END, SEGMENT and SIZE are exact when clean is true. The checksum covers
all lines above it. sordini-checkpoint.old is the file before.

sordini-flushed has a slot for each partition: how far its log was synced last. It
is drawn in marks.go.

recovery-point-offset-checkpoint, log-start-offset-checkpoint and
replication-offset-checkpoint are Kafka's, for its tools: a version 0, a count,
and lines of topic, partition and offset, without a checksum. Only the log start
is ever read from them, when a directory of Kafka's is taken over.

cleaner-offset-checkpoint, in the same format, says up to where compaction came. It
is the only place of that: if it is lost, logs are compacted anew from their start.
*/
package checkpoint

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"sordini/segment/vfs"
)

// Names of the files.
const (
	File          = "sordini-checkpoint"
	OldFile       = File + ".old"
	KafkaRecovery = "recovery-point-offset-checkpoint"
	KafkaStart    = "log-start-offset-checkpoint"
	KafkaHigh     = "replication-offset-checkpoint"
	KafkaCleaner  = "cleaner-offset-checkpoint"

	version = 1
	maxSize = 256 << 20
)

// ErrDamaged: a checkpoint file cannot be trusted.
var ErrDamaged = errors.New("checkpoint is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Partition names a partition of a topic.
type Partition struct {
	Topic string
	Index int32
}

// Entry is what is known of one partition. All but Topic and Size are offsets.
type Entry struct {
	Topic    [16]byte // topic id
	Start    int64    // log start offset
	Recovery int64    // everything below was synced
	High     int64    // high watermark
	End      int64    // log end offset
	Segment  int64    // base offset of the last segment
	Size     int64    // bytes in the last segment
}

// Checkpoint is the content of the file.
type Checkpoint struct {
	BrokerEpoch int64
	Clean       bool // written by an orderly shutdown after the last flush
	Partitions  map[Partition]Entry
}

func (c *Checkpoint) sorted() []Partition { return sorted(c.Partitions) }

func sorted[V any](partitions map[Partition]V) []Partition {
	keys := make([]Partition, 0, len(partitions))
	for k := range partitions {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].Topic != keys[j].Topic {
			return keys[i].Topic < keys[j].Topic
		}
		return keys[i].Index < keys[j].Index
	})
	return keys
}

// Format returns the contents of the file.
func (c *Checkpoint) Format() []byte {
	b := fmt.Appendf(nil, "%s %d\nepoch %d clean %t partitions %d\n", File, version, c.BrokerEpoch, c.Clean, len(c.Partitions))
	for _, k := range c.sorted() {
		e := c.Partitions[k]
		b = fmt.Appendf(b, "%s %d %x %d %d %d %d %d %d\n", k.Topic, k.Index, e.Topic, e.Start, e.Recovery, e.High, e.End, e.Segment, e.Size)
	}
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

// Parse is the inverse of Format.
func Parse(b []byte) (*Checkpoint, error) {
	at := bytes.LastIndex(b, []byte("crc32c "))
	if at < 0 {
		return nil, fmt.Errorf("%w: no checksum", ErrDamaged)
	}
	if want := fmt.Sprintf("crc32c %08x\n", crc32.Checksum(b[:at], castagnoli)); string(b[at:]) != want {
		return nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	sc := bufio.NewScanner(bytes.NewReader(b[:at]))
	sc.Scan()
	var v, n int
	if _, err := fmt.Sscanf(sc.Text(), File+" %d", &v); err != nil || v != version {
		return nil, fmt.Errorf("%w: header %q", ErrDamaged, sc.Text())
	}
	sc.Scan()
	c := &Checkpoint{Partitions: make(map[Partition]Entry)}
	if _, err := fmt.Sscanf(sc.Text(), "epoch %d clean %t partitions %d", &c.BrokerEpoch, &c.Clean, &n); err != nil {
		return nil, fmt.Errorf("%w: second line %q", ErrDamaged, sc.Text())
	}
	for sc.Scan() {
		var k Partition
		var e Entry
		var id []byte
		_, err := fmt.Sscanf(sc.Text(), "%s %d %x %d %d %d %d %d %d", &k.Topic, &k.Index, &id, &e.Start, &e.Recovery, &e.High, &e.End, &e.Segment, &e.Size)
		if err != nil || copy(e.Topic[:], id) != len(e.Topic) {
			return nil, fmt.Errorf("%w: line %q", ErrDamaged, sc.Text())
		}
		c.Partitions[k] = e
	}
	if len(c.Partitions) != n {
		return nil, fmt.Errorf("%w: %d partitions, %d announced", ErrDamaged, len(c.Partitions), n)
	}
	return c, nil
}

// Write replaces the checkpoint in dir, and Kafka's three files for its tools.
// When it returns nil the new checkpoint is durable; a power cut in between
// leaves the new, the old, or both.
func Write(fsys vfs.FS, dir string, c *Checkpoint) error {
	name := filepath.Join(dir, File)
	if err := writeSynced(fsys, name+".tmp", c.Format()); err != nil {
		return err
	}
	err := fsys.Rename(name, filepath.Join(dir, OldFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := fsys.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	for _, kafka := range []struct {
		file   string
		offset func(Entry) int64
	}{
		{KafkaRecovery, func(e Entry) int64 { return e.Recovery }},
		{KafkaStart, func(e Entry) int64 { return e.Start }},
		{KafkaHigh, func(e Entry) int64 { return e.High }},
	} {
		offsets := make(map[Partition]int64, len(c.Partitions))
		for k, e := range c.Partitions {
			offsets[k] = kafka.offset(e)
		}
		if err := writeKafka(fsys, filepath.Join(dir, kafka.file), offsets); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// Raise raises the recovery point of one partition, whose log is synced up to there.
// Nothing else may use the data directory.
func Raise(fsys vfs.FS, dir string, key Partition, topic [16]byte, recovery int64) error {
	c, err := Read(fsys, dir)
	if err != nil {
		return fmt.Errorf("raise a recovery point: %w", err)
	}
	e := c.Partitions[key]
	if e.Topic != topic {
		e = Entry{Topic: topic}
	}
	if recovery <= e.Recovery {
		return nil
	}
	e.Recovery = recovery
	c.Partitions[key] = e
	return Write(fsys, dir, c)
}

// WriteCleaner replaces the file that says up to where compaction came.
func WriteCleaner(fsys vfs.FS, dir string, offsets map[Partition]int64) error {
	if err := writeKafka(fsys, filepath.Join(dir, KafkaCleaner), offsets); err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

func writeKafka(fsys vfs.FS, name string, offsets map[Partition]int64) error {
	b := fmt.Appendf(nil, "0\n%d\n", len(offsets))
	for _, k := range sorted(offsets) {
		b = fmt.Appendf(b, "%s %d %d\n", k.Topic, k.Index, offsets[k])
	}
	if err := writeSynced(fsys, name+".tmp", b); err != nil {
		return err
	}
	if err := fsys.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

func writeSynced(fsys vfs.FS, name string, b []byte) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.SyncData()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write checkpoint %s: %w", name, err)
	}
	return nil
}

// Read returns the checkpoint of dir. If the newest file is missing or damaged
// it falls back to the one before, which may only lag, and says so in the error
// while returning it; then Clean is false. With neither the result is empty.
func Read(fsys vfs.FS, dir string) (*Checkpoint, error) {
	c, err := readFile(fsys, filepath.Join(dir, File))
	if err == nil {
		return c, nil
	}
	old, oldErr := readFile(fsys, filepath.Join(dir, OldFile))
	switch {
	case oldErr == nil:
		old.Clean = false
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // a power cut between the two renames
		}
		return old, err
	case errors.Is(err, fs.ErrNotExist) && errors.Is(oldErr, fs.ErrNotExist):
		return &Checkpoint{Partitions: map[Partition]Entry{}}, nil
	}
	return &Checkpoint{Partitions: map[Partition]Entry{}}, err
}

func readFile(fsys vfs.FS, name string) (*Checkpoint, error) {
	b, err := contents(fsys, name)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func contents(fsys vfs.FS, name string) ([]byte, error) {
	b, err := vfs.ReadFile(fsys, name, maxSize)
	if errors.Is(err, vfs.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, err
}

// ReadKafka reads one of Kafka's checkpoint files. A missing file is empty.
func ReadKafka(fsys vfs.FS, name string) (map[Partition]int64, error) {
	b, err := contents(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" || lines[1] != fmt.Sprint(len(lines)-2) {
		return nil, fmt.Errorf("%s: %w: header", name, ErrDamaged)
	}
	offsets := make(map[Partition]int64, len(lines)-2)
	for _, l := range lines[2:] {
		var k Partition
		var offset int64
		if _, err := fmt.Sscan(l, &k.Topic, &k.Index, &offset); err != nil {
			return nil, fmt.Errorf("%s: %w: line %q", name, ErrDamaged, l)
		}
		offsets[k] = offset
	}
	return offsets, nil
}
