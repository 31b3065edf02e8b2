package takeover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
	"sordini/server/meta"
	"sordini/server/takeover/kraft"
)

// lockFile is Kafka's.
const lockFile = ".lock"

// source is one of Kafka's log directories.
type source struct {
	dir        string
	properties meta.Properties
	clean      bool
	lock       io.Closer // nil if there is no lock file

	recovery, starts, cleaned map[checkpoint.Partition]int64
}

// place is where a partition was found.
type place struct {
	source *source
	index  int32
	dir    string
}

// known is what the checkpoints of the directory say of the partition.
func (p *place) known(topic string, compacted bool) known {
	key := checkpoint.Partition{Topic: topic, Index: p.index}
	_, cleaned := p.source.cleaned[key]
	return known{
		start: p.source.starts[key], recovery: p.source.recovery[key], clean: p.source.clean, gaps: compacted || cleaned,
	}
}

// openSource locks a directory and reads what it says of itself.
func openSource(opt *Options, dir string) (*source, error) {
	s := &source{dir: dir}
	fail := func(err error) (*source, error) {
		s.close()
		return nil, err
	}
	var err error
	if s.lock, err = opt.LockSource(filepath.Join(dir, lockFile)); errors.Is(err, vfs.ErrLocked) {
		return fail(fmt.Errorf("%s: Kafka is running on it; stop it first: %w", dir, ErrRunning))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	if s.properties, err = meta.ReadProperties(opt.Source, dir); err != nil {
		return fail(fmt.Errorf("%s: %w: it is no log directory of Kafka's: %w", dir, ErrSource, err))
	}
	if ours, err := exists(opt.Source, filepath.Join(dir, "metadata")); err != nil || ours {
		return fail(errors.Join(fmt.Errorf("%s: %w: it is a data directory of sordini's", dir, ErrSource), err))
	}
	if s.clean, err = exists(opt.Source, filepath.Join(dir, meta.CleanShutdownFile)); err != nil {
		return fail(err)
	}
	for name, to := range map[string]*map[checkpoint.Partition]int64{
		checkpoint.KafkaRecovery: &s.recovery, checkpoint.KafkaStart: &s.starts, checkpoint.KafkaCleaner: &s.cleaned,
	} {
		if *to, err = readCheckpoint(opt.Source, filepath.Join(dir, name)); err != nil {
			return fail(fmt.Errorf("%w (Kafka makes it again: start it once and stop it in order)", err))
		}
	}
	return s, nil
}

// readCheckpoint reads one of Kafka's checkpoint files. Kafka makes them without contents
// first, which says the same as no file.
func readCheckpoint(fsys vfs.FS, name string) (map[checkpoint.Partition]int64, error) {
	if info, err := fsys.Stat(name); err == nil && info.Size() == 0 {
		return nil, nil
	}
	return checkpoint.ReadKafka(fsys, name)
}

func (s *source) close() {
	if s.lock != nil {
		s.lock.Close()
	}
}

// report describes the directory.
func (s *source) report() SourceReport {
	return SourceReport{Dir: s.dir, ClusterID: s.properties.ClusterID, NodeID: s.properties.NodeID, Clean: s.clean}
}

// plan is a topic that was found.
type plan struct {
	name    string
	id      meta.TopicID
	configs map[string]string
	places  []place // by partition
	epoch   int32   // leader epoch that the metadata says
	fault   string  // why it can't be taken
}

// sources are all directories with what the metadata log says.
type sources struct {
	opt     *Options
	all     []*source
	topics  map[string]*kraft.Topic // nil if there is no metadata
	next    int64                   // producer id
	plans   map[string]*plan
	skipped []Skipped
	notes   []string
}

func openSources(opt *Options) (*sources, error) {
	s := &sources{opt: opt, plans: make(map[string]*plan)}
	for _, dir := range opt.Dirs {
		one, err := openSource(opt, dir)
		if err != nil {
			s.close()
			return nil, err
		}
		s.all = append(s.all, one)
		if a, b := s.all[0], one; a.properties.ClusterID != b.properties.ClusterID {
			s.close()
			return nil, fmt.Errorf("%s: %w: it is of cluster %q, %s of %q", dir, ErrSource, b.properties.ClusterID, a.dir, a.properties.ClusterID)
		}
	}
	if err := s.load(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sources) close() {
	for _, one := range s.all {
		one.close()
	}
}

// load reads the metadata log and finds the directories of partitions.
func (s *sources) load() error {
	if err := s.readMetadata(); err != nil {
		s.notes = append(s.notes, fmt.Sprintf("without Kafka's metadata log, the directories of partitions tell the topics and how many partitions they have, and settings are the defaults: %v", err))
	}
	for _, one := range s.all {
		if err := s.find(one); err != nil {
			return err
		}
	}
	for _, p := range s.plans {
		s.complete(p)
	}
	return nil
}

// readMetadata takes what the metadata log says, of several the one that is furthest.
func (s *sources) readMetadata() error {
	var image *kraft.Image
	var errs []error
	for _, one := range s.all {
		i, err := kraft.Load(s.opt.Source, filepath.Join(one.dir, kraft.Dir))
		if err != nil {
			errs = append(errs, err)
		} else if image == nil || i.End > image.End {
			image = i
		}
	}
	if image == nil {
		return errors.Join(errs...)
	}
	topics, err := image.Topics()
	if err != nil {
		return err
	}
	s.topics, s.next = topics, image.NextProducerID
	for _, what := range slices.Sorted(maps.Keys(image.Others)) {
		s.notes = append(s.notes, fmt.Sprintf("not taken over: %s (records of them: %d)", what, image.Others[what]))
	}
	for name, t := range topics {
		p := &plan{name: name, id: meta.TopicID(t.ID), configs: t.Configs, places: make([]place, len(t.Partitions))}
		for _, one := range t.Partitions {
			p.epoch = max(p.epoch, one.LeaderEpoch)
		}
		s.plans[name] = p
	}
	return nil
}

// Ends of the names of directories that Kafka has given up, or does not use yet.
var others = map[string]string{
	"-delete": "of a deleted topic", "-stray": "Kafka has set it aside as belonging to no topic",
	"-future": "the copy of a move between directories that was not finished",
}

// find looks for the partitions in a directory.
func (s *sources) find(one *source) error {
	entries, err := s.opt.Source.ReadDir(one.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == kraft.Dir {
			continue
		}
		dir := filepath.Join(one.dir, e.Name())
		if reason := s.place(one, e.Name(), dir); reason != "" {
			s.skipped = append(s.skipped, Skipped{dir, reason})
		}
	}
	return nil
}

// place notes a directory as that of a partition, or says why it is none.
func (s *sources) place(one *source, name, dir string) (skipped string) {
	for suffix, reason := range others {
		if strings.HasSuffix(name, suffix) {
			return reason
		}
	}
	topic, index, ok := log.ParseDirName(name)
	if !ok {
		return "no partition by its name"
	}
	id, err := readTopicID(s.opt.Source, dir)
	p := s.plans[topic]
	switch {
	case s.topics != nil && p == nil:
		return "the cluster has no such topic"
	case p == nil && err != nil:
		return fmt.Sprintf("nothing tells the id of its topic: %v", err)
	case p == nil:
		p = &plan{name: topic, id: id}
		s.plans[topic] = p
	case err == nil && id != p.id && s.topics != nil:
		return fmt.Sprintf("it is of an earlier topic of this name, with the id %s", id)
	case err == nil && id != p.id:
		p.fault = fmt.Sprintf("its directories have different topic ids: %s and %s", p.id, id)
	}
	if s.topics == nil && int(index) >= len(p.places) {
		if index > maxPartitions {
			return "no partition by its number"
		}
		p.places = append(p.places, make([]place, int(index)+1-len(p.places))...)
	}
	switch {
	case int(index) >= len(p.places):
		return fmt.Sprintf("its topic has %d partitions", len(p.places))
	case p.places[index].source != nil:
		p.fault = fmt.Sprintf("partition %d is in %s and in %s; give the directories of one broker only", index, p.places[index].dir, dir)
	}
	p.places[index] = place{one, index, dir}
	return ""
}

// maxPartitions bounds what a directory's name may say where nothing else does.
const maxPartitions = 100_000

// complete notes what keeps a topic from being taken.
func (s *sources) complete(p *plan) {
	if p.configs["remote.storage.enable"] == "true" {
		p.fault = "it has tiered storage (remote.storage.enable=true), so that its older records are not in its directories"
	}
	if p.fault != "" {
		return
	}
	var missing []string
	for i := range p.places {
		if p.places[i].source != nil {
			continue
		}
		where := strconv.Itoa(i)
		if t := s.topics[p.name]; t != nil {
			where += fmt.Sprintf(" (on nodes %d)", t.Partitions[i].Replicas)
		}
		missing = append(missing, where)
	}
	if len(missing) > 0 {
		const most = 10
		more := ""
		if n := len(missing) - most; n > 0 {
			missing, more = missing[:most], fmt.Sprintf(" and %d more", n)
		}
		p.fault = fmt.Sprintf("these of its %d partitions are in none of the directories: %s%s", len(p.places), strings.Join(missing, ", "), more)
	}
}

// readTopicID reads partition.metadata.
func readTopicID(fsys vfs.FS, dir string) (meta.TopicID, error) {
	const most = 4096
	b, err := vfs.ReadFile(fsys, filepath.Join(dir, identityFile), most)
	if err != nil {
		return meta.TopicID{}, err
	}
	for line := range strings.Lines(string(b)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "topic_id:"); ok {
			return meta.ParseTopicID(strings.TrimSpace(id))
		}
	}
	return meta.TopicID{}, errors.New(identityFile + " has no topic_id")
}
