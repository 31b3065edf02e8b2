package partition

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// The disk tests run one story over and over and let another operation of the file
// system fail each time. Whatever fails, the story goes on with what still works;
// then the power is cut, and what was acknowledged must be there.

// faultMode is how the operation fails, and whether those behind it do.
type faultMode struct {
	name  string
	fault vfs.Fault
	stays bool
}

var faultModes = []faultMode{
	{"EIO", vfs.Fault{Err: syscall.EIO}, false},
	{"EIO from then on", vfs.Fault{Err: syscall.EIO}, true},
	{"ENOSPC", vfs.Fault{Err: syscall.ENOSPC}, false},
	{"ENOSPC from then on", vfs.Fault{Err: syscall.ENOSPC}, true},
	{"half a write", vfs.Fault{Err: syscall.EIO, Short: 30}, false},
	{"an error after all is done", vfs.Fault{Err: syscall.EIO, Done: true}, false},
}

// needsSpace says whether a full disk fails an operation.
func needsSpace(k vfs.OpKind) bool {
	switch k {
	case vfs.OpCreate, vfs.OpWrite, vfs.OpPreallocate, vfs.OpSync, vfs.OpSyncData, vfs.OpMkdir:
		return true
	}
	return false
}

// story is one run.
type story struct {
	t    *testing.T
	flag string // how it flushes
	disk *vfs.Mem
	fs   *vfs.Faulty
	b    *broker

	mu     sync.Mutex
	hit    []vfs.Op // operations that failed
	errors int      // that the story was told of

	topics map[meta.TopicID]*storyTopic
}

// storyTopic is what is known of a topic.
type storyTopic struct {
	name       string
	partitions int32
	deleted    bool // the deletion was asked for
	logs       map[int32]*storyLog
}

type storyLog struct {
	written  map[int64][]byte // acknowledged or not
	acked    int64
	maxStart int64
	offline  bool
}

// tell counts an error of the story.
func (s *story) tell(err error) bool {
	if err != nil {
		s.errors++
	}
	return err == nil
}

func (s *story) open(seed uint64) bool {
	b, err := open(s.fs, seed, s.flag)
	if !s.tell(err) {
		return false
	}
	s.b = b
	for _, p := range b.All() {
		p.log.Configure(storyConfig)
	}
	return true
}

var storyConfig = log.Config{SegmentBytes: 700, IndexBytes: 1 << 20, Retention: -1, RetainBytes: 900, Delete: true}

func (s *story) create(name string) {
	created, errs := s.b.CreateTopics([]Topic{{Name: name, Partitions: 2}})
	if !s.tell(errs[0]) {
		return
	}
	topic := &storyTopic{name: name, partitions: 2, logs: map[int32]*storyLog{0: {}, 1: {}}}
	s.topics[created[0].ID] = topic
	for i, l := range topic.logs {
		l.written = map[int64][]byte{}
		s.b.GetByID(created[0].ID, i).log.Configure(storyConfig)
	}
}

// write appends n batches to every partition, and waits for each.
func (s *story) write(n int) {
	for id, topic := range s.topics {
		for i, l := range topic.logs {
			p := s.b.GetByID(id, i)
			for range n {
				if p != nil {
					s.writeOne(p, l)
				}
			}
		}
	}
}

func (s *story) writeOne(p *Partition, l *storyLog) {
	a := built(2, bytes.Repeat([]byte{'a' + byte(p.Index)}, 40))
	p.Append(a)
	if a.Base >= 0 {
		l.written[a.Base] = a.Batch
	}
	err := a.Err
	if err == nil {
		err = acked(p, a.Next)
	}
	var offline *log.OfflineError
	switch {
	case s.tell(err) && l.offline:
		s.t.Errorf("%s-%d: acknowledged at %d by a log that was offline", p.Topic, p.Index, a.Base)
	case err == nil:
		l.acked = max(l.acked, a.Next)
	case errors.As(err, &offline):
		l.offline = true
	}
}

// run is the story itself.
func (s *story) run() {
	if !s.open(1) {
		return
	}
	s.create("a")
	s.write(4)
	s.tell(s.b.Checkpoint())
	s.create("b")
	s.write(8)
	if image := s.b.Image().Topic("a"); image != nil && s.tell(s.b.AddPartitions("a", 3)) {
		s.topics[image.ID].partitions = 3
		s.topics[image.ID].logs[2] = &storyLog{written: map[int64][]byte{}}
		s.tell(s.b.SetTopicConfigs("a", map[string]string{"flush.ms": "1000"}))
	}
	s.write(4)
	s.deleteRecords()
	s.tell(s.b.Retain())
	s.settle()
	s.deleteTopic("b")
	s.write(2)
	err := s.b.Close()
	_ = s.b.store.Close()
	s.b = nil
	if s.tell(err) && s.open(2) {
		for _, topic := range s.topics {
			for _, l := range topic.logs {
				l.offline = false
			}
		}
		s.write(3)
		s.settle()
	}
}

// settle waits until full segments are completed, and is told where that failed.
func (s *story) settle() {
	for _, p := range s.b.All() {
		until(s.t, "completed", func() bool { return !p.log.Rolled() || p.log.State().Failure != nil })
		s.tell(p.log.State().Failure)
	}
}

func (s *story) deleteRecords() {
	for id, topic := range s.topics {
		for i, l := range topic.logs {
			l.maxStart = 1 << 40 // deletion and retention may go as far as they like
			if p := s.b.GetByID(id, i); p != nil && i == 0 {
				_, err := p.DeleteRecords(3)
				if s.tell(err) {
					s.tell(s.b.Purge([]*Partition{p}))
				}
			}
		}
	}
}

func (s *story) deleteTopic(name string) {
	image := s.b.Image().Topic(name)
	if image == nil {
		return
	}
	s.topics[image.ID].deleted = true
	s.tell(s.b.DeleteTopic(image.ID))
	s.b.purging.Wait()
}

// check starts a broker on what is left and compares.
func (s *story) check(disk *vfs.Mem) error {
	b, err := open(disk, 3)
	if err != nil {
		return fmt.Errorf("the next start: %w", err)
	}
	defer b.abandon()
	for id, topic := range s.topics {
		t := b.Image().TopicByID(id)
		switch {
		case t == nil && topic.deleted:
			continue
		case t == nil || t.Partitions < topic.partitions:
			return fmt.Errorf("topic %s is lost, or a part of it", topic.name)
		}
		for i, l := range topic.logs {
			if err := l.check(b.GetByID(id, i)); err != nil {
				return fmt.Errorf("%s-%d: %w", topic.name, i, err)
			}
		}
	}
	return nil
}

func (l *storyLog) check(p *Partition) error {
	got, o, err := contents(p)
	if err != nil {
		return err
	}
	if o.High.Offset < l.acked || o.Start > l.maxStart {
		return fmt.Errorf("%+v, acknowledged %d", o, l.acked)
	}
	for offset, b := range got {
		if want := l.written[offset]; !bytes.Equal(b, want) {
			return fmt.Errorf("another batch at %d than was written: %d bytes, want %d", offset, len(b), len(want))
		}
	}
	return nil
}

// isTolerated says whether a failure of an operation need not be told: the
// file is made anew, or only gives back space, or is the journal, without which each
// log is synced by itself.
func isTolerated(op vfs.Op) bool {
	name := filepath.Base(op.Path)
	switch {
	case op.Kind == vfs.OpRename && name == checkpoint.File:
		return true // the first, which is not there yet
	case op.Kind == vfs.OpPreallocate, op.Kind == vfs.OpRemove,
		name == checkpoint.MarksFile, filepath.Base(filepath.Dir(op.Path)) == journalDir, filepath.Base(op.Path) == journalDir, strings.HasPrefix(name, "leader-epoch-checkpoint"),
		strings.Contains(op.Path, deleteSuffix):
		return true
	}
	return false
}

// tellStory runs the story with one fault, at the operation of that number, and
// returns how many operations there were and whether it came to the fault.
func tellStory(t *testing.T, flag string, at int64, mode faultMode) (ops int64, hit bool) {
	disk := newDisk(t)
	s := &story{t: t, flag: flag, disk: disk, topics: map[meta.TopicID]*storyTopic{}}
	s.fs = vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
		if at == 0 || op.N < at || !mode.stays && op.N > at || errors.Is(mode.fault.Err, syscall.ENOSPC) && !needsSpace(op.Kind) {
			return vfs.Fault{}
		}
		s.mu.Lock()
		s.hit = append(s.hit, op)
		s.mu.Unlock()
		return mode.fault
	})
	s.run()
	if s.b != nil {
		s.b.abandon()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hit) > 0 && s.errors == 0 && !isTolerated(s.hit[0]) && !purgeOnly(s.hit[0]) {
		t.Errorf("%s at %d: %v failed and nobody was told", mode.name, at, s.hit[0])
	}
	for _, crash := range []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashKeepAll, vfs.CrashRandom} {
		if err := s.check(disk.Crash(uint64(at), crash)); err != nil {
			t.Errorf("%s at %d, %v; %v: %v", mode.name, at, s.hit[:min(1, len(s.hit))], crash, err)
		}
	}
	return s.fs.Ops(), len(s.hit) > 0
}

// purgeOnly says whether an operation may belong to the removal of a deleted
// topic, which runs in the background and is finished by the next start.
func purgeOnly(op vfs.Op) bool {
	return op.Kind == vfs.OpSyncDir && op.Path == dataDir || strings.Contains(op.Path, "metadata")
}

// TestDisk_EveryOperationFails lets each operation of the story fail in each way.
// SORDINI_ROT_FULL=1 takes each, otherwise it is a sample.
func TestDisk_EveryOperationFails(t *testing.T) {
	for _, flag := range []string{bySegment, "flush.journal.bytes=16384"} {
		t.Run(flag, func(t *testing.T) { everyOperationFails(t, flag) })
	}
}

func everyOperationFails(t *testing.T, flag string) {
	total, _ := tellStory(t, flag, 0, faultMode{})
	runs := map[string]int{}
	for m, mode := range faultModes {
		for at := int64(1 + m); at <= total; at += int64(stride(211)) {
			if _, hit := tellStory(t, flag, at, mode); hit {
				runs[mode.name]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		t.Logf("%-28s %4d of %d operations", name, runs[name], total)
	}
}
