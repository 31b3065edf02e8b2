package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"sordini/log"
	"sordini/server/config"
	"sordini/server/meta"
)

// Topic describes a topic to be created.
type Topic struct {
	Name       string
	Partitions int32 // at least 1
	Configs    map[string]string
	Internal   bool
}

// CreateTopics creates topics that were validated. They exist, durably, when it
// returns. The error of one does not concern the others; meta.ErrTopicExists
// means that there is one already, *FullError that there is no space for any.
func (s *Set) CreateTopics(topics []Topic) ([]*meta.Topic, []error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	created := make([]*meta.Topic, len(topics))
	errs := make([]error, len(topics))
	var planned []plannedTopic
	place := s.newPlacer()
	names := make(map[string]bool, len(topics))
	for i, t := range topics {
		if names[t.Name] {
			errs[i] = fmt.Errorf("topic %q twice: %w", t.Name, meta.ErrTopicExists)
			continue
		}
		names[t.Name] = true
		plan, err := s.prepareTopic(t, place)
		if err != nil {
			errs[i] = err
			continue
		}
		plan.which = i
		planned = append(planned, plan)
	}
	if len(planned) == 0 {
		return created, errs
	}
	records := make([]meta.Record, len(planned))
	var touched []*volume
	for i, plan := range planned {
		records[i] = plan.record
		touched = append(touched, plan.volumes...)
	}
	image, err := s.commitTopics(records, touched)
	for _, plan := range planned {
		if err != nil {
			errs[plan.which] = err
			continue
		}
		created[plan.which] = image.TopicByID(plan.record.ID)
		s.openNew(created[plan.which], 0, plan.volumes)
	}
	return created, errs
}

// plannedTopic is a topic whose directories are there.
type plannedTopic struct {
	record  meta.TopicCreated
	volumes []*volume // of its partitions
	which   int       // of those asked for
}

// prepareTopic makes the directories of a topic. They come before the record that
// the topic exists: a directory without a topic is an interrupted creation, a
// topic without a directory is lost data.
func (s *Set) prepareTopic(t Topic, place *placer) (plannedTopic, error) {
	plan := plannedTopic{record: meta.TopicCreated{Name: t.Name, Partitions: t.Partitions, Configs: t.Configs, Internal: t.Internal}}
	if s.Image().Topic(t.Name) != nil {
		return plan, fmt.Errorf("topic %q: %w", t.Name, meta.ErrTopicExists)
	}
	var err error
	if plan.volumes, err = place.choose(t.Configs, t.Partitions, t.Internal); err != nil {
		return plan, err
	}
	if plan.record.ID, err = meta.NewTopicID(s.opt.Random); err == nil {
		err = s.makeDirs(t.Name, plan.record.ID, 0, plan.volumes)
	}
	if err != nil {
		return plan, fmt.Errorf("topic %q: %w", t.Name, err)
	}
	return plan, nil
}

// commitTopics makes the directories durable that were made in some volumes, and then
// applies the records.
func (s *Set) commitTopics(records []meta.Record, touched []*volume) (*meta.Image, error) {
	for _, v := range s.volumes {
		if slices.Contains(touched, v) {
			if err := v.syncDir(); err != nil {
				return nil, err
			}
		}
	}
	return s.opt.Store.Apply(records...)
}

// makeDirs makes the directories of a topic's partitions from one on, each in its
// volume.
func (s *Set) makeDirs(topic string, id meta.TopicID, from int32, volumes []*volume) error {
	for n, v := range volumes {
		i := from + int32(n)
		dir := v.dirOf(topic, i)
		err := s.opt.FS.Mkdir(dir)
		if errors.Is(err, fs.ErrExist) && s.empty(dir) {
			err = nil // a creation that failed half way
		}
		if err == nil {
			err = s.writeTopicID(dir, id)
		}
		if err != nil {
			return fmt.Errorf("directory of partition %d: %w", i, err)
		}
	}
	return nil
}

// openNew opens the logs of new partitions and publishes the topic.
func (s *Set) openNew(t *meta.Topic, from int32, volumes []*volume) {
	settings := s.Broker().Topic(t.Configs)
	partitions := append([]*Partition(nil), s.Topic(t.Name)...)
	for n, v := range volumes {
		o := &opening{volume: v, topic: t, index: from + int32(n), settings: &settings}
		s.openOne(o)
		v.giveMark(o.result)
		partitions = append(partitions, o.result)
	}
	s.publish(t.Name, t.ID, partitions)
	for n, v := range volumes { // one that has failed meanwhile may not have seen them
		if err := v.offline(); err != nil {
			partitions[int(from)+n].fail(err)
		}
	}
}

// AddPartitions raises the number of a topic's partitions to total.
func (s *Set) AddPartitions(topic string, total int32) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	t := s.Image().Topic(topic)
	if t == nil {
		return fmt.Errorf("topic %q: %w", topic, meta.ErrUnknownTopic)
	}
	volumes, err := s.newPlacer().choose(t.Configs, total-t.Partitions, false)
	if err != nil {
		return err
	}
	if err := s.makeDirs(topic, t.ID, t.Partitions, volumes); err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	image, err := s.commitTopics([]meta.Record{meta.PartitionsAdded{ID: t.ID, Partitions: total}}, volumes)
	if err != nil {
		return err
	}
	s.openNew(image.TopicByID(t.ID), t.Partitions, volumes)
	return nil
}

// DeleteTopic deletes a topic. The name is free when it returns, and the topic
// does not come back; its files go in the background.
func (s *Set) DeleteTopic(id meta.TopicID) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	t := s.Image().TopicByID(id)
	if t == nil {
		return fmt.Errorf("topic id %s: %w", id, meta.ErrUnknownTopic)
	}
	s.makeRoom()
	_, err := s.opt.Store.Apply(meta.TopicDeleted{ID: id})
	if err != nil {
		return err
	}
	s.mu.Lock()
	partitions := s.byName[t.Name]
	s.count.Add(-int64(len(partitions)))
	delete(s.byName, t.Name)
	delete(s.byID, id)
	s.mu.Unlock()
	dirs := make(map[*volume][]string)
	for _, p := range partitions {
		p.leave()
		if err := p.log.Abandon(); err != nil {
			s.opt.Logger.Warn("closing a deleted partition", "topic", t.Name, "partition", p.Index, "err", err)
		}
		v, name := p.volume, log.DirName(t.Name, p.Index)
		aside := filepath.Join(v.Path, asideName(name, fmt.Sprintf(".%x.%d%s", id[:], p.Index, deleteSuffix)))
		dirs[v] = append(dirs[v], aside)
		if v.offline() != nil {
			continue
		}
		rerr := s.opt.FS.Rename(filepath.Join(v.Path, name), aside)
		if rerr == nil || errors.Is(rerr, fs.ErrNotExist) {
			continue
		}
		if v.noteError(rerr); v.offline() == nil && err == nil {
			err = fmt.Errorf("delete topic %q: %w", t.Name, rerr)
		}
	}
	if err != nil {
		return err // the next start finishes the deletion
	}
	s.purging.Add(1)
	go s.purge(id, dirs)
	return nil
}

// purge removes the directories of a deleted topic. What fails here is tried
// again at the next start.
func (s *Set) purge(id meta.TopicID, dirs map[*volume][]string) {
	defer s.purging.Done()
	var err error
	for _, v := range s.volumes {
		if len(dirs[v]) > 0 {
			err = errors.Join(err, v.purge(dirs[v]))
		}
	}
	if err == nil {
		_, err = s.opt.Store.Apply(meta.TopicPurged{ID: id})
	}
	if err != nil {
		s.opt.Logger.Error("files of a deleted topic remain until the next start", "id", id, "err", err)
	}
}

// purge removes directories of the volume.
func (v *volume) purge(dirs []string) error {
	err := v.offline()
	if err == nil {
		err = v.syncDir()
	}
	for _, dir := range dirs {
		if err == nil {
			err = log.RemoveDir(log.Options{FS: v.set.opt.FS, Logger: v.logger}, dir)
		}
	}
	if err == nil {
		err = v.syncDir()
	}
	return err
}

// SetTopicConfigs replaces the settings of a topic, which were validated.
func (s *Set) SetTopicConfigs(topic string, configs map[string]string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.setTopicConfigs(topic, func(map[string]string) (map[string]string, error) { return configs, nil })
}

// UpdateTopicConfigs replaces the settings of a topic by what update makes of
// them. No other change comes in between.
func (s *Set) UpdateTopicConfigs(topic string, update func(map[string]string) (map[string]string, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.setTopicConfigs(topic, update)
}

func (s *Set) setTopicConfigs(topic string, update func(map[string]string) (map[string]string, error)) error {
	t := s.Image().Topic(topic)
	if t == nil {
		return fmt.Errorf("topic %q: %w", topic, meta.ErrUnknownTopic)
	}
	configs, err := update(t.Configs)
	if err != nil {
		return err
	}
	image, err := s.opt.Store.Apply(meta.TopicConfigsSet{ID: t.ID, Configs: configs})
	if err != nil {
		return err
	}
	s.configure(image.TopicByID(t.ID))
	return nil
}

// configure puts a topic's settings in force.
func (s *Set) configure(t *meta.Topic) {
	settings := s.Broker().Topic(t.Configs)
	for _, p := range s.Topic(t.Name) {
		p.configure(&settings)
	}
}

func (p *Partition) configure(settings *config.Topic) {
	old := p.settings.Swap(settings)
	p.log.Configure(logConfig(settings))
	p.keyer.note(p)
	if old.FlushPolicy == settings.FlushPolicy && old.FlushMs == settings.FlushMs && old.FlushMessages == settings.FlushMessages {
		return
	}
	p.mu.Lock()
	if p.armed {
		p.armed = false
		p.timer.Stop()
	}
	p.appendedLocked(settings) // under the new policy there may be something to do at once
	p.mu.Unlock()
}

// UpdateBrokerConfigs replaces the dynamic settings of this broker, or with
// cluster set those of all brokers, by what update makes of them.
func (s *Set) UpdateBrokerConfigs(cluster bool, update func(map[string]string) (map[string]string, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	image := s.Image()
	name := strconv.Itoa(int(image.NodeID()))
	if cluster {
		name = ""
	}
	configs, err := update(image.BrokerConfigs(name))
	if err != nil {
		return err
	}
	if image, err = s.opt.Store.Apply(meta.BrokerConfigsSet{Broker: name, Configs: configs}); err != nil {
		return err
	}
	if err := s.resolve(image); err != nil {
		return err
	}
	for _, v := range s.volumes {
		if v.offline() == nil {
			v.space.look()
		}
	}
	for t := range image.Topics() {
		s.configure(t)
	}
	return nil
}

// UpdateGroupConfigs replaces the settings of a group by what update makes of them.
// Whether there is such a group does not matter.
func (s *Set) UpdateGroupConfigs(group string, update func(map[string]string) (map[string]string, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	configs, err := update(s.Image().GroupConfigs(group))
	if err != nil {
		return err
	}
	_, err = s.opt.Store.Apply(meta.GroupConfigsSet{Group: group, Configs: configs})
	return err
}

// ReserveProducerIDs reserves n producer ids that were never handed out and
// returns the first.
func (s *Set) ReserveProducerIDs(n int64) (int64, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	first := s.Image().NextProducerID()
	if _, err := s.opt.Store.Apply(meta.ProducerIDsReserved{Next: first + n}); err != nil {
		return 0, err
	}
	return first, nil
}
