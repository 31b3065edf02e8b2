package partition

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/log/journal"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
)

// Report sums up what opening found.
type Report struct {
	Clean      bool  `json:"clean"`      // the process before was shut down in order
	Checkpoint bool  `json:"checkpoint"` // one, or the marks of syncs, said from where to scan; else it was from the beginning
	Topics     int   `json:"topics"`
	Partitions int   `json:"partitions"`
	Offline    int   `json:"offline"` // partitions that could not be opened
	Segments   int   `json:"segments"`
	Scanned    int   `json:"scanned"` // segments whose batches were all read
	Batches    int64 `json:"batches"` // in those, as Records and Bytes
	Records    int64 `json:"records"`
	Bytes      int64 `json:"bytes"`
	Cut        int64 `json:"cut"`     // bytes of torn writes
	Damaged    int   `json:"damaged"` // ranges of offsets that are lost

	JournalEntries int64 `json:"journalEntries"` // written back into segments
	JournalBytes   int64 `json:"journalBytes"`   // of batches in those

	Took time.Duration `json:"-"`
}

// Open opens all partitions that the metadata names. If it is given up, as
// Progress.GiveUp says, the error is a context.Canceled, and what is on the disk is as
// after the death of a process that was opening.
func Open(opt Options) (*Set, Report, error) {
	began := opt.Now()
	if opt.Progress == nil {
		opt.Progress = new(Progress)
	}
	opt.Progress.scanned.GiveUp = opt.Progress.GiveUp
	s := newSet(opt)
	if err := s.resolve(s.Image()); err != nil {
		return nil, Report{}, err
	}
	r := Report{Clean: true}
	for _, v := range s.volumes {
		r.Clean = r.Clean && (v.Clean || v.offline() != nil)
	}
	found := make(whereabouts)
	err := s.eachOnline((*volume).read)
	for _, v := range s.volumes {
		r.Checkpoint = r.Checkpoint || v.checkpoint != nil && len(v.checkpoint.Partitions)+len(v.synced) > 0
	}
	if err == nil {
		err = s.tidy(found)
	}
	if err == nil {
		err = s.openAll(found, &r)
	}
	if err == nil {
		err = s.eachOnline((*volume).begin)
	}
	if err != nil {
		return nil, r, err
	}
	r.Took = opt.Now().Sub(began)
	s.noteReport(&r)
	s.background.Add(1)
	go s.runBackground()
	if opt.SpaceInterval > 0 {
		_ = s.eachOnline(func(v *volume) error { v.space.adoptBallast(); return nil })
		s.background.Add(1)
		go s.watchSpace(opt.SpaceInterval)
	}
	return s, r, nil
}

func newSet(opt Options) *Set {
	s := &Set{
		opt: opt, handles: segment.NewHandles(opt.FS, idleHandles),
		byName: make(map[string][]*Partition), byID: make(map[meta.TopicID][]*Partition), stop: make(chan struct{}),
	}
	for _, d := range opt.Dirs {
		s.volumes = append(s.volumes, newVolume(s, d))
	}
	s.cleaner, s.keyer = newCleaner(s), &keyer{set: s}
	return s
}

// eachOnline does something to every volume that is online. One where that fails goes
// offline, but if it has the metadata its error is returned.
func (s *Set) eachOnline(do func(*volume) error) error {
	for _, v := range s.volumes {
		if v.offline() != nil {
			continue
		}
		if err := do(v); err != nil {
			if v.Metadata || errors.Is(err, segment.ErrGivenUp) {
				return err
			}
			v.fail(err)
		}
	}
	for _, v := range s.volumes {
		if v.offline() == nil {
			return nil
		}
	}
	return fmt.Errorf("no data directory can be used: %w", s.volumes[0].offline())
}

// resolve makes the settings in force from the static ones and the image.
func (s *Set) resolve(i *meta.Image) error {
	v, err := s.opt.Values.WithDynamic(i.BrokerConfigs(""), i.BrokerConfigs(strconv.Itoa(int(i.NodeID()))))
	if err != nil {
		return fmt.Errorf("dynamic broker settings: %w", err)
	}
	s.broker.Store(v.Broker())
	return nil
}

// opening is one partition to open.
type opening struct {
	volume   *volume
	topic    *meta.Topic
	index    int32
	settings *config.Topic
	known    log.Known
	cause    error // why it must not be opened
	result   *Partition
	report   log.Report
	entries  int64 // of the journal that were written back
}

// openAll opens the partitions, several at a time.
func (s *Set) openAll(found whereabouts, r *Report) error {
	here := make(map[*volume][]*opening)
	var all []*opening
	byKey := make(map[journal.Key]*opening)
	for t := range s.Image().Topics() {
		settings := s.Broker().Topic(t.Configs)
		for i := range t.Partitions {
			o := &opening{topic: t, index: i, settings: &settings}
			o.volume, o.cause = s.locate(found, t, i)
			here[o.volume] = append(here[o.volume], o)
			all = append(all, o)
			byKey[journal.Key{Topic: t.ID, Partition: i}] = o
		}
		r.Topics++
	}
	s.planJournal(len(all))
	if err := s.eachOnline(func(v *volume) error { return v.prepare(here[v], byKey) }); err != nil {
		return err
	}
	s.planLogs(all)
	s.eachOpening(all, s.openOne)
	if err := s.givenUp(); err != nil {
		abandon(all)
		return err
	}
	topics := make(map[*meta.Topic][]*Partition)
	for _, o := range all {
		topics[o.topic] = append(topics[o.topic], o.result)
		s.sum(r, o)
	}
	for t, partitions := range topics {
		s.publish(t.Name, t.ID, partitions)
	}
	return nil
}

// prepare finds out what is known of the partitions of the volume, and writes its
// journal back. byKey has the partitions of all volumes.
func (v *volume) prepare(mine []*opening, byKey map[journal.Key]*opening) error {
	starts, err := checkpoint.ReadKafka(v.set.opt.FS, filepath.Join(v.Path, checkpoint.KafkaStart))
	if err != nil {
		v.logger.Warn("Kafka's log start checkpoint is not usable", "err", err)
	}
	cleaned, err := checkpoint.ReadKafka(v.set.opt.FS, filepath.Join(v.Path, checkpoint.KafkaCleaner))
	if err != nil {
		v.logger.Warn("checkpoint of compaction is not usable: logs are compacted anew", "err", err)
	}
	ck, clean := v.checkpoint, v.Clean && v.checkpoint.Clean
	for _, o := range mine {
		key := checkpoint.Partition{Topic: o.topic.Name, Index: o.index}
		if e, ok := ck.Partitions[key]; ok && e.Topic == o.topic.ID {
			o.known = log.Known{Start: e.Start, Recovery: e.Recovery, Clean: clean, End: e.End, Segment: e.Segment, Size: e.Size}
		} else if len(ck.Partitions) == 0 {
			o.known.Start, o.known.Ragged = starts[key], cleaned[key] // taken over from Kafka
		}
		if o.known.Start == 0 {
			o.known.Start = v.set.movedStart(v, key, o.topic.ID)
		}
		o.known.Cleaned = cleaned[key]
		m := v.synced[checkpoint.MarkKey{Topic: o.topic.ID, Index: o.index}]
		o.known.Recovery = max(o.known.Recovery, m.Offset)
		o.known.NoSyncFailed = m.Idle && vfs.ReportsLate()
	}
	return v.replayJournal(byKey, clean)
}

// movedStart is the log start of a partition by the checkpoint of another volume, where
// it was before somebody moved it here; 0 if it was not.
func (s *Set) movedStart(here *volume, key checkpoint.Partition, id meta.TopicID) (start int64) {
	for _, v := range s.volumes {
		if v == here || v.checkpoint == nil {
			continue
		}
		if e, ok := v.checkpoint.Partitions[key]; ok && e.Topic == id {
			start = max(start, e.Start)
		}
	}
	return start
}

// givenUp is segment.ErrGivenUp if the opening is given up.
func (s *Set) givenUp() error { return s.opt.Progress.scanned.Err() }

// abandon closes the logs that are open already, and writes nothing.
func abandon(all []*opening) {
	for _, o := range all {
		if o.result != nil {
			_ = o.result.log.Abandon()
		}
	}
}

// eachOpening calls do for each of the partitions, several at a time, until the opening
// is given up.
func (s *Set) eachOpening(all []*opening, do func(*opening)) {
	work := make(chan *opening)
	var workers sync.WaitGroup
	for range max(4, 2*runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for o := range work {
				do(o)
			}
		})
	}
	for _, o := range all {
		if s.givenUp() != nil {
			break
		}
		work <- o
	}
	close(work)
	workers.Wait()
}

// openOne opens one partition. One that can't be opened is there all the same,
// and answers with an error. A missing directory is not made again: it held data
// once, or the disk is not mounted. If the opening is given up there is no result.
func (s *Set) openOne(o *opening) {
	opt := o.volume.logOptions(o.topic, o.index, o.settings)
	l, err := s.openLog(o, opt)
	if errors.Is(err, segment.ErrGivenUp) {
		return
	}
	if err != nil {
		opt.Logger.Error("partition is offline: it could not be opened", "err", err)
		l = log.Offline(opt, err)
	}
	o.result = newPartition(o.topic, o.index, l, o.settings, o.volume)
	o.result.keyer = s.keyer
	s.keyer.note(o.result)
	o.result.noteFailure()
	s.logRecovery(o)
	s.opt.Progress.opened(o)
}

func (s *Set) openLog(o *opening, opt log.Options) (*log.Log, error) {
	if o.cause != nil {
		return nil, o.cause
	}
	if err := o.volume.offline(); err != nil {
		return nil, err
	}
	if err := s.checkTopicID(opt.Dir, o.topic.ID); err != nil {
		return nil, err
	}
	l, report, err := log.Open(opt, o.known)
	o.report = report
	return l, err
}

func (s *Set) logRecovery(o *opening) {
	r := o.report
	if r.Clean || r.Scanned == 0 || r.Bytes == 0 && r.Cut == 0 && len(r.Damaged) == 0 {
		return
	}
	level := slog.LevelInfo
	if len(r.Damaged) > 0 {
		level = slog.LevelError
	} else if r.Cut > 0 {
		level = slog.LevelWarn
	}
	s.opt.Logger.Log(context.Background(), level, "recovered partition", "topic", o.topic.Name, "partition", o.index,
		"from", r.From, "batches", r.Batches, "records", r.Records, "bytes", r.Bytes, "cut", r.Cut, "aside", r.Aside,
		"damaged", r.Damaged, "took", r.Took)
}

func (s *Set) sum(r *Report, o *opening) {
	r.Partitions++
	r.Segments += o.report.Segments
	r.Scanned += o.report.Scanned
	r.Batches += o.report.Batches
	r.Records += o.report.Records
	r.Bytes += o.report.Bytes
	r.Cut += o.report.Cut
	r.Damaged += len(o.report.Damaged)
	if _, err := o.result.Offsets(); err != nil {
		r.Offline++
	}
}

// metadataFile is Kafka's partition.metadata: the topic id of a directory.
//
//	version: 0
//	topic_id: aGVsbG8gd29ybGQhISEhIQ
//	crc32c: 0a1b2c3d
//
// The last line is sordini's, over all text before it; Kafka reads the first two.
const metadataFile = "partition.metadata"

// largestMetadata is more than a metadataFile has, in bytes.
const largestMetadata = 4096

func (s *Set) readTopicID(dir string) (meta.TopicID, error) { return readTopicID(s.opt.FS, dir) }

func readTopicID(fsys vfs.FS, dir string) (meta.TopicID, error) {
	name := filepath.Join(dir, metadataFile)
	f, err := fsys.Open(name)
	if err != nil {
		return meta.TopicID{}, err
	}
	defer f.Close()
	b := make([]byte, largestMetadata)
	n, _ := f.ReadAt(b, 0)
	id, err := parseTopicIDFile(b[:n])
	if err != nil {
		return id, fmt.Errorf("%s: %w", name, err)
	}
	return id, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const metadataSum = "\ncrc32c: "

// topicIDFile is the contents of a metadataFile.
func topicIDFile(id meta.TopicID) []byte {
	b := fmt.Appendf(nil, "version: 0\ntopic_id: %s", id)
	return fmt.Appendf(b, "%s%08x\n", metadataSum, crc32.Checksum(b, castagnoli))
}

// parseTopicIDFile reads a metadataFile, of sordini or of Kafka.
func parseTopicIDFile(b []byte) (meta.TopicID, error) {
	text, sum, sealed := strings.Cut(string(b), metadataSum)
	if sealed && strings.TrimSpace(sum) != fmt.Sprintf("%08x", crc32.Checksum([]byte(text), castagnoli)) {
		return meta.TopicID{}, errors.New("checksum")
	}
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "topic_id:"); ok {
			return meta.ParseTopicID(strings.TrimSpace(id))
		}
	}
	return meta.TopicID{}, errors.New("no topic_id")
}

// checkTopicID makes sure that a directory belongs to the topic. The file is
// derived data: where it is missing or unreadable it is written again.
func (s *Set) checkTopicID(dir string, id meta.TopicID) error {
	have, err := s.readTopicID(dir)
	switch {
	case err == nil && have == id:
		return nil
	case err == nil:
		return fmt.Errorf("%s belongs to topic id %s, not %s", dir, have, id)
	}
	if _, err := s.opt.FS.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory of an existing partition is missing: %w (is the disk mounted?)", err)
	}
	return s.writeTopicID(dir, id)
}

// writeTopicID says in a directory whose it is. Where there are several volumes it is
// durable at once: after a power cut another one may have a directory of the same name
// again, of a topic that was deleted.
func (s *Set) writeTopicID(dir string, id meta.TopicID) error {
	err := segment.ReplaceFile(s.opt.FS, filepath.Join(dir, metadataFile), topicIDFile(id))
	if err == nil && len(s.volumes) > 1 {
		err = s.opt.FS.SyncDir(dir)
	}
	return err
}
