package partition

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
)

// twoDirs are a data directory for each of two classes.
var twoDirs = []Dir{{Path: dataDir, Class: "ssd"}, {Path: secondDir, Class: "hdd"}}

func mustOpenIn(t *testing.T, fsys vfs.FS, dirs []Dir, flags ...string) *broker {
	t.Helper()
	b, err := openIn(fsys, 1, dirs, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// places says where the partitions of a topic are.
func places(partitions []*Partition) string {
	var where []string
	for _, p := range partitions {
		where = append(where, p.DataDir())
	}
	return strings.Join(where, " ")
}

func TestVolume_Placement(t *testing.T) {
	disk := newDisk(t)
	b := mustOpenIn(t, disk, twoDirs)
	defer b.close(t)
	for _, c := range []struct {
		name, class string
		partitions  int32
		want        string
	}{
		{"fast", "ssd", 3, "data data data"},
		{"slow", "hdd", 1, "data2"},
		{"any", "", 4, "data2 data2 data data2"}, // those with the fewest, the first of equals
	} {
		if got := places(b.create(t, c.name, c.partitions, map[string]string{"storage.class": c.class})); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := b.SetTopicConfigs("fast", map[string]string{"storage.class": "hdd"}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddPartitions("fast", 4); err != nil {
		t.Fatal(err)
	}
	if got := places(b.Topic("fast")); got != "data data data data2" {
		t.Errorf("after a change of the class: %s", got)
	}
	for _, before := range []map[string]string{nil, {}, {"storage.class": "hdd"}} {
		err := b.CheckTopic(before, map[string]string{"storage.class": "tape"})
		if !errors.Is(err, config.ErrInvalidConfig) || !strings.Contains(err.Error(), "hdd, ssd") {
			t.Errorf("unknown class, before %v: %v", before, err)
		}
	}
	if _, errs := b.CreateTopics([]Topic{{Name: "t", Partitions: 1, Configs: map[string]string{"storage.class": "tape"}}}); !errors.Is(errs[0], config.ErrInvalidConfig) {
		t.Errorf("created of an unknown class: %v", errs[0])
	}
}

func TestVolume_Cordoned(t *testing.T) {
	dirs := []Dir{{Path: dataDir, Cordoned: true}, {Path: secondDir}}
	b := mustOpenIn(t, newDisk(t), dirs)
	if got := places(b.create(t, "a", 2, nil)); got != "data2 data2" {
		t.Errorf("placed in %s", got)
	}
	b.close(t)
	dirs[1].Cordoned = true
	b = mustOpenIn(t, newDisk(t), dirs)
	defer b.close(t)
	if _, errs := b.CreateTopics([]Topic{{Name: "b", Partitions: 1}}); !errors.Is(errs[0], ErrNoDir) || !strings.Contains(errs[0].Error(), "cordoned") {
		t.Errorf("with all cordoned: %v", errs[0])
	}
}

// breaking is a rule that fails what a directory is asked for, once it is on.
func breaking(dir string, on *atomic.Bool) vfs.Rule {
	return func(op vfs.Op) vfs.Fault {
		if on.Load() && (op.Path == dir || strings.HasPrefix(op.Path, dir+"/")) {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	}
}

func offline(p *Partition) bool {
	_, err := p.Offsets()
	return err != nil
}

func awaitOffline(t *testing.T, p *Partition) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !offline(p); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the other partition of the disk is not offline")
		}
	}
}

// A disk that fails takes all of its directory, and nothing of another one.
func TestVolume_FailsAlone(t *testing.T) {
	var broken atomic.Bool
	disk := newDisk(t)
	b := mustOpenIn(t, vfs.NewFaulty(disk, breaking(secondDir, &broken)), twoDirs)
	fast := b.create(t, "fast", 1, map[string]string{"storage.class": "ssd"})[0]
	slow := b.create(t, "slow", 2, map[string]string{"storage.class": "hdd"})
	mustWrite(t, fast, 3)
	mustWrite(t, slow[0], 3)
	mustWrite(t, slow[1], 3)
	broken.Store(true)
	if err := write(slow[0], built(1, nil)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("written to a broken disk: %v", err)
	}
	awaitOffline(t, slow[1])
	if offline(fast) {
		t.Error("offline in the other directory")
	}
	mustWrite(t, fast, 3)
	dirs, storage := b.Dirs(), b.Storage()
	if dirs[0].Err != nil || !errors.Is(dirs[1].Err, syscall.EIO) || storage[0].Offline || !storage[1].Offline {
		t.Errorf("told %v, %v", dirs, storage)
	}
	if err := b.Checkpoint(); err != nil {
		t.Errorf("checkpoint of the whole directory: %v", err)
	}
	if got := places(b.create(t, "new", 2, nil)); got != "data data" {
		t.Errorf("a new topic is in %s", got)
	}
	if _, errs := b.CreateTopics([]Topic{{Name: "more", Partitions: 1, Configs: map[string]string{"storage.class": "hdd"}}}); !errors.Is(errs[0], ErrNoDir) {
		t.Errorf("a topic of the broken class: %v", errs[0])
	}
	if err := b.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("closed with %v", err)
	}
	_ = b.store.Close()

	broken.Store(false)
	b = mustOpenIn(t, disk, twoDirs)
	defer b.close(t)
	if !b.volumes[0].Clean || b.volumes[1].Clean {
		t.Errorf("clean %v and %v", b.volumes[0].Clean, b.volumes[1].Clean)
	}
	for topic, want := range map[string]int64{"fast": 6, "slow": 3} {
		if o, err := b.Get(topic, 0).Offsets(); err != nil || o.High.Offset != want {
			t.Errorf("%s after the repair: %+v, %v", topic, o, err)
		}
	}
}

// A journal that cannot be written takes its directory offline at once.
func TestVolume_JournalFails(t *testing.T) {
	var broken atomic.Bool
	disk := newDisk(t)
	b := mustOpenIn(t, vfs.NewFaulty(disk, breaking(secondDir+"/"+journalDir, &broken)), twoDirs)
	slow := b.create(t, "slow", 2, map[string]string{"storage.class": "hdd"})
	mustWrite(t, slow[0], 3)
	mustWrite(t, slow[1], 3)
	broken.Store(true)
	if err := write(slow[0], built(1, nil)); !errors.Is(err, syscall.EIO) {
		t.Errorf("written to a broken journal: %v", err)
	}
	awaitOffline(t, slow[1])
	_ = b.Close()
	_ = b.store.Close()
}

// The directory of the metadata does not go offline for its journal: each log goes on
// by itself.
func TestVolume_MetadataStays(t *testing.T) {
	var broken atomic.Bool
	b := mustOpenIn(t, vfs.NewFaulty(newDisk(t), breaking(dataDir+"/"+journalDir, &broken)), twoDirs)
	fast := b.create(t, "fast", 1, map[string]string{"storage.class": "ssd"})[0]
	broken.Store(true)
	mustWrite(t, fast, 2)
	if s := b.Storage()[0]; s.Offline || !s.JournalBroken {
		t.Errorf("%+v", s)
	}
	broken.Store(false)
	b.close(t)
}

// What waits for a sync in one directory does not hold up another one.
func TestVolume_FlushesDoNotWait(t *testing.T) {
	release, slowSync := make(chan struct{}), make(chan struct{}, 100)
	var slow atomic.Bool
	fsys := vfs.NewFaulty(newDisk(t), func(op vfs.Op) vfs.Fault {
		if slow.Load() && strings.HasPrefix(op.Path, secondDir+"/") && (op.Kind == vfs.OpSyncData || op.Kind == vfs.OpSync) {
			slowSync <- struct{}{}
			<-release
		}
		return vfs.Fault{}
	})
	b := mustOpenIn(t, fsys, twoDirs)
	defer b.close(t)
	one := b.create(t, "fast", 1, map[string]string{"storage.class": "ssd"})[0]
	other := b.create(t, "slow", 1, map[string]string{"storage.class": "hdd"})[0]
	mustWrite(t, other, 1)
	slow.Store(true)
	a := built(1, nil)
	other.Append(a)
	<-slowSync
	mustWrite(t, one, 20)
	slow.Store(false)
	close(release)
	if err := acked(other, a.Next); err != nil {
		t.Error(err)
	}
}

// A directory that is not there takes its partitions offline, and has them again when
// it comes back, with what was deleted meanwhile gone.
func TestVolume_MissingAtStart(t *testing.T) {
	disk := newDisk(t)
	b := mustOpenIn(t, disk, twoDirs)
	mustWrite(t, b.create(t, "fast", 1, map[string]string{"storage.class": "ssd"})[0], 2)
	mustWrite(t, b.create(t, "slow", 1, map[string]string{"storage.class": "hdd"})[0], 2)
	mustWrite(t, b.create(t, "old", 1, map[string]string{"storage.class": "hdd"})[0], 2)
	b.close(t)

	var broken atomic.Bool
	broken.Store(true)
	b = mustOpenIn(t, vfs.NewFaulty(disk, breaking(secondDir, &broken)), twoDirs)
	if !b.report.Clean || b.report.Offline != 2 {
		t.Errorf("%+v", b.report)
	}
	if offline(b.Get("fast", 0)) || !offline(b.Get("slow", 0)) {
		t.Error("the wrong partitions are offline")
	}
	if err := b.SetTopicConfigs("slow", map[string]string{"flush.policy": "async"}); err != nil {
		t.Error(err)
	}
	old := b.Get("old", 0).ID
	if err := b.DeleteTopic(old); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, b.create(t, "old", 1, nil)[0], 1)
	b.purging.Wait()
	if n := deletions(b.Image()); n != 1 {
		t.Errorf("%d deletions are to be finished", n)
	}
	_ = b.Close()
	_ = b.store.Close()

	b = mustOpenIn(t, disk, twoDirs)
	defer b.close(t)
	for topic, want := range map[string]int64{"fast": 2, "slow": 2, "old": 1} {
		if o, err := b.Get(topic, 0).Offsets(); err != nil || o.High.Offset != want {
			t.Errorf("%s: %+v, %v", topic, o, err)
		}
	}
	if n := deletions(b.Image()); n != 0 {
		t.Errorf("%d deletions are not finished", n)
	}
	if left := directoriesOf(t, disk, secondDir); fmt.Sprint(left) != "[slow-0]" {
		t.Errorf("%v are left", left)
	}
}

func deletions(i *meta.Image) (n int) {
	for range i.Deleting() {
		n++
	}
	return n
}

// directoriesOf lists the partitions' directories in a data directory.
func directoriesOf(t *testing.T, fsys vfs.FS, dir string) (names []string) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "-") && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// A partition in two directories: the one with the topic's id counts; if both have it,
// neither does.
func TestVolume_TwoHomes(t *testing.T) {
	disk := newDisk(t)
	b := mustOpenIn(t, disk, twoDirs)
	p := b.create(t, "a", 1, map[string]string{"storage.class": "ssd"})[0]
	mustWrite(t, p, 2)
	id := p.ID
	b.close(t)
	second := secondDir + "/a-0"
	file := func(content []byte) {
		t.Helper()
		f, err := disk.OpenFile(second+"/"+metadataFile, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
		if err == nil {
			_, err = f.WriteAt(content, 0)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.MkdirAll(second); err != nil {
		t.Fatal(err)
	}
	file([]byte("no id"))
	check := func(what string, where string) {
		t.Helper()
		b := mustOpenIn(t, disk, twoDirs)
		defer b.close(t)
		if o, err := b.Get("a", 0).Offsets(); err != nil || o.High.Offset != 2 || places(b.Topic("a")) != dataDir {
			t.Errorf("%s: %+v, %v", what, o, err)
		}
		if got := fmt.Sprint(directoriesOf(t, disk, secondDir)); !strings.HasPrefix(got, where) {
			t.Errorf("%s: the second directory has %s", what, got)
		}
	}
	check("without an id", "[]")
	if err := disk.MkdirAll(second); err != nil {
		t.Fatal(err)
	}
	file(topicIDFile(meta.TopicID{1}))
	check("of another topic, and empty", "[]")

	if err := disk.MkdirAll(second); err != nil {
		t.Fatal(err)
	}
	file(topicIDFile(id))
	check("of a creation that came to nothing", "[]")

	if err := disk.MkdirAll(second); err != nil {
		t.Fatal(err)
	}
	file(topicIDFile(id))
	other, err := disk.OpenFile(second+"/00000000000000000000.log", os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
	b = mustOpenIn(t, disk, twoDirs)
	defer func() { _ = b.store.Close() }()
	_, err = b.Get("a", 0).Offsets()
	if err == nil || !strings.Contains(err.Error(), "two data directories, data and data2") {
		t.Errorf("in both: %v", err)
	}
	_ = b.Close()
}

// A partition whose directory was moved is found, and begins where it did.
func TestVolume_Moved(t *testing.T) {
	disk := newDisk(t)
	b := mustOpenIn(t, disk, twoDirs)
	p := b.create(t, "a", 1, map[string]string{"storage.class": "ssd"})[0]
	mustWrite(t, p, 3)
	if _, err := p.DeleteRecords(1); err != nil {
		t.Fatal(err)
	}
	if err := b.Purge([]*Partition{p}); err != nil {
		t.Fatal(err)
	}
	b.close(t)
	if err := disk.Rename(dataDir+"/a-0", secondDir+"/a-0"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b = mustOpenIn(t, disk, twoDirs)
		if o, err := b.Get("a", 0).Offsets(); err != nil || o.Start != 1 || o.High.Offset != 3 || places(b.Topic("a")) != secondDir {
			t.Errorf("%+v, %v in %s", o, err, places(b.Topic("a")))
		}
		b.close(t)
	}
}

// A directory that is full gets nothing new while another one has space.
func TestVolume_FullAlone(t *testing.T) {
	fsys := &sizedDir{newSized(newDisk(t), 100)}
	b := mustOpenIn(t, fsys, twoDirs)
	defer b.close(t)
	slow := b.create(t, "slow", 1, map[string]string{"storage.class": "hdd"})[0]
	fsys.used.Store(950)
	for _, v := range b.volumes {
		v.space.look()
	}
	if err := slow.Writable(); !IsFull(err) || !strings.Contains(err.Error(), secondDir) {
		t.Errorf("the full directory: %v", err)
	}
	if err := b.Writable(); err != nil {
		t.Errorf("somewhere: %v", err)
	}
	p := b.create(t, "any", 2, nil)
	if err := p[0].Writable(); err != nil || places(p) != "data data" {
		t.Errorf("new partitions are in %s: %v", places(p), err)
	}
	if err := b.AddPartitions("slow", 2); !IsFull(err) {
		t.Errorf("added to a full directory: %v", err)
	}
	if s := b.Storage(); s[0].DiskState != int(DiskOK) || s[1].DiskState != int(DiskFull) {
		t.Errorf("%+v", s)
	}
}

// sizedDir is a sizedFS of which only the second directory is used.
type sizedDir struct{ *sizedFS }

func (s *sizedDir) Usage(dir string) (vfs.Usage, error) {
	u, err := s.sizedFS.Usage(dir)
	if dir != secondDir {
		u.Used, u.Free = 0, u.Total
	}
	return u, err
}
