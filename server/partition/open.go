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

// Open opens all partitions that the metadata names. clean says that the process
// before was shut down in order, as meta.Store.Start found.
func Open(opt Options, clean bool) (*Set, Report, error) {
	began := opt.Now()
	if opt.Progress == nil {
		opt.Progress = new(Progress)
	}
	s := &Set{
		opt: opt, handles: segment.NewHandles(opt.FS, idleHandles), flusher: newFlusher(opt.Metrics, opt.Logger),
		byName: make(map[string][]*Partition), byID: make(map[meta.TopicID][]*Partition), stop: make(chan struct{}),
	}
	s.flusher.observer = opt.Observer
	s.cleaner, s.keyer = newCleaner(s), &keyer{set: s}
	s.space.set = s
	if err := s.resolve(s.Image()); err != nil {
		return nil, Report{}, err
	}
	s.space.look()
	ck, err := checkpoint.Read(opt.FS, opt.Dir)
	if err != nil {
		opt.Logger.Error("checkpoint not usable: logs are scanned from the one before it, or from their start", "err", err)
	}
	marks, err := checkpoint.ReadMarks(opt.FS, opt.Dir)
	if err != nil {
		opt.Logger.Error("marks of the last syncs not usable: the checkpoint says how far logs were synced", "err", err)
	}
	if err := checkpoint.DoubtMarks(opt.FS, opt.Dir); err != nil {
		return nil, Report{}, fmt.Errorf("marks of the last syncs: %w", err)
	}
	if err := s.tidy(); err != nil {
		return nil, Report{}, err
	}
	r := Report{Clean: clean, Checkpoint: len(ck.Partitions)+len(marks) > 0}
	kept, err := s.openAll(ck, marks, clean && ck.Clean, &r)
	if err == nil {
		err = s.begin(kept)
	}
	if err != nil {
		return nil, r, err
	}
	r.Took = opt.Now().Sub(began)
	s.noteReport(&r)
	s.background.Add(1)
	go s.runBackground()
	if opt.SpaceInterval > 0 {
		s.space.adoptBallast()
		s.background.Add(1)
		go s.watchSpace(opt.SpaceInterval)
	}
	return s, r, nil
}

// begin makes durable what opening found and starts to mark what is synced. kept
// says that the journal must stay.
func (s *Set) begin(kept bool) error {
	if err := s.Checkpoint(); err != nil {
		return err
	}
	marks, err := checkpoint.CreateMarks(s.opt.FS, s.opt.Dir)
	if err != nil {
		return err
	}
	s.marks = marks
	for _, p := range s.All() {
		s.giveMark(p)
	}
	return s.openJournal(kept)
}

// giveMark gives a partition its mark. What is in the log now is synced; of a log that
// could not be opened nothing is known.
func (s *Set) giveMark(p *Partition) {
	p.mark = s.marks.Of(checkpoint.MarkKey{Topic: p.ID, Index: p.Index})
	if st := p.log.State(); st.Failure == nil {
		p.mark.Raise(st.Flushed.Offset)
	}
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

// Suffixes of directories that are no partitions (any more), as in Kafka.
const (
	deleteSuffix = "-delete"
	straySuffix  = "-stray"
)

// tidy finishes deletions that were interrupted and puts aside directories that
// the metadata does not know.
func (s *Set) tidy() error {
	entries, err := s.opt.FS.ReadDir(s.opt.Dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	changed := false
	var purged []meta.Record
	for t := range s.Image().Deleting() {
		purged = append(purged, meta.TopicPurged{ID: t.ID})
		changed = true // the process before may have died between removal and sync
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		did, err := s.tidyDir(e.Name())
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		changed = changed || did
	}
	if changed {
		if err := s.opt.FS.SyncDir(s.opt.Dir); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	if len(purged) > 0 {
		if _, err := s.opt.Store.Apply(purged...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) tidyDir(name string) (changed bool, err error) {
	dir := filepath.Join(s.opt.Dir, name)
	opt := log.Options{FS: s.opt.FS, Logger: s.opt.Logger}
	if strings.HasSuffix(name, deleteSuffix) {
		return true, log.RemoveDir(opt, dir)
	}
	topic, index, ok := parseDirName(name)
	if !ok {
		return false, nil
	}
	id, idErr := s.readTopicID(dir)
	t := s.Image().Topic(topic)
	if t != nil && index < t.Partitions && (idErr != nil || id == t.ID) {
		return false, nil
	}
	for gone := range s.Image().Deleting() {
		// Without its file, which a power cut may take from an unflushed partition,
		// the name tells.
		if idErr == nil && gone.ID == id || idErr != nil && gone.Name == topic {
			return true, log.RemoveDir(opt, dir)
		}
	}
	if s.empty(dir) {
		return true, log.RemoveDir(opt, dir) // a creation that was interrupted
	}
	s.opt.Logger.Warn("directory belongs to no topic; set aside, nothing is deleted", "dir", dir)
	aside := asideName(name, fmt.Sprintf(".%d%s", s.opt.Now().UnixNano(), straySuffix))
	return true, s.opt.FS.Rename(dir, filepath.Join(s.opt.Dir, aside))
}

// asideName is the name of a directory with a suffix, cut to the 255 bytes that
// file systems allow.
func asideName(name, suffix string) string {
	return name[:min(len(name), 255-len(suffix))] + suffix
}

// StrayOf is what a directory that was set aside was called before, or the beginning of
// that; false of any other.
func StrayOf(name string) (was string, ok bool) {
	was, ok = strings.CutSuffix(name, straySuffix)
	if at := strings.LastIndexByte(was, '.'); ok && at >= 0 {
		return was[:at], true
	}
	return "", false
}

// empty says whether a directory holds no record, and nothing that is not ours.
func (s *Set) empty(dir string) bool {
	entries, err := s.opt.FS.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() || !log.Owns(strings.TrimSuffix(e.Name(), segment.TempSuffix)) && strings.TrimSuffix(e.Name(), segment.TempSuffix) != metadataFile {
			return false
		}
		if !strings.HasSuffix(e.Name(), segment.LogSuffix) {
			continue
		}
		if info, err := e.Info(); err != nil || info.Size() > 0 {
			return false
		}
	}
	return true
}

func parseDirName(name string) (topic string, index int32, ok bool) {
	at := strings.LastIndexByte(name, '-')
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[at+1:], 10, 32)
	if err != nil || n < 0 || name[at+1:] != strconv.FormatInt(n, 10) {
		return "", 0, false
	}
	return name[:at], int32(n), true
}

// opening is one partition to open.
type opening struct {
	topic    *meta.Topic
	index    int32
	settings *config.Topic
	known    log.Known
	cause    error // why it must not be opened
	result   *Partition
	report   log.Report
	entries  int64 // of the journal that were written back
}

// openAll opens the partitions, several at a time. kept says that the journal has
// something that could not be written back.
func (s *Set) openAll(ck *checkpoint.Checkpoint, marks map[checkpoint.MarkKey]checkpoint.Marked, clean bool, r *Report) (kept bool, err error) {
	starts, err := checkpoint.ReadKafka(s.opt.FS, filepath.Join(s.opt.Dir, checkpoint.KafkaStart))
	if err != nil {
		s.opt.Logger.Warn("Kafka's log start checkpoint is not usable", "err", err)
	}
	cleaned, err := checkpoint.ReadKafka(s.opt.FS, filepath.Join(s.opt.Dir, checkpoint.KafkaCleaner))
	if err != nil {
		s.opt.Logger.Warn("checkpoint of compaction is not usable: logs are compacted anew", "err", err)
	}
	var all []*opening
	for t := range s.Image().Topics() {
		settings := s.Broker().Topic(t.Configs)
		for i := range t.Partitions {
			o := &opening{topic: t, index: i, settings: &settings}
			key := checkpoint.Partition{Topic: t.Name, Index: i}
			if e, ok := ck.Partitions[key]; ok && e.Topic == t.ID {
				o.known = log.Known{Start: e.Start, Recovery: e.Recovery, Clean: clean, End: e.End, Segment: e.Segment, Size: e.Size}
			} else if len(ck.Partitions) == 0 {
				o.known.Start, o.known.Ragged = starts[key], cleaned[key] // taken over from Kafka
			}
			o.known.Cleaned = cleaned[key]
			m := marks[checkpoint.MarkKey{Topic: t.ID, Index: i}]
			o.known.Recovery = max(o.known.Recovery, m.Offset)
			o.known.NoSyncFailed = m.Idle && vfs.ReportsLate()
			all = append(all, o)
		}
		r.Topics++
	}
	s.planJournal(len(all))
	if kept, err = s.replayJournal(all, clean); err != nil {
		return kept, err
	}
	s.planLogs(all)
	eachOpening(all, s.openOne)
	topics := make(map[*meta.Topic][]*Partition)
	for _, o := range all {
		topics[o.topic] = append(topics[o.topic], o.result)
		s.sum(r, o)
	}
	for t, partitions := range topics {
		s.publish(t.Name, t.ID, partitions)
	}
	return kept, nil
}

// eachOpening calls do for each of the partitions, several at a time.
func eachOpening(all []*opening, do func(*opening)) {
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
		work <- o
	}
	close(work)
	workers.Wait()
}

// openOne opens one partition. One that can't be opened is there all the same,
// and answers with an error. A missing directory is not made again: it held data
// once, or the disk is not mounted.
func (s *Set) openOne(o *opening) {
	opt := s.logOptions(o.topic, o.index, o.settings)
	l, err := s.openLog(o, opt)
	if err != nil {
		opt.Logger.Error("partition is offline: it could not be opened", "err", err)
		l = log.Offline(opt, err)
	}
	o.result = newPartition(o.topic, o.index, l, o.settings, s.flusher)
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

func (s *Set) readTopicID(dir string) (meta.TopicID, error) { return readTopicID(s.opt.FS, dir) }

func readTopicID(fsys vfs.FS, dir string) (meta.TopicID, error) {
	name := filepath.Join(dir, metadataFile)
	f, err := fsys.Open(name)
	if err != nil {
		return meta.TopicID{}, err
	}
	defer f.Close()
	b := make([]byte, 4096)
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
	return segment.ReplaceFile(s.opt.FS, filepath.Join(dir, metadataFile), topicIDFile(id))
}
