package takeover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/takeover/kraft"
)

const (
	metadataDir = "metadata"
	// asideSuffix ends the names of directories that are being copied: a server that
	// starts removes them, like those of deleted topics.
	asideSuffix = ".import-delete"
	straySuffix = "-stray"
)

// target is the data directory. store is nil if there is none yet and nothing is to be
// written.
type target struct {
	opt   *Options
	lock  io.Closer
	store *meta.Store
	fresh bool // no server has used it
	marks *checkpoint.Checkpoint
	notes []string
	// setAside are directories that were in the way, by what they are called now.
	setAside map[string]string
}

// openTarget takes the lock and opens the metadata, as the server does. In a dry run
// a data directory that is not there is not made.
func openTarget(opt *Options, from *sources) (*target, error) {
	t := &target{opt: opt, setAside: make(map[string]string)}
	if err := t.open(from); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *target) open(from *sources) error {
	fsys, dir := t.opt.FS, t.opt.DataDir
	ours, err := exists(fsys, filepath.Join(dir, metadataDir))
	if err != nil {
		return err
	}
	if theirs, err := exists(fsys, filepath.Join(dir, kraft.Dir)); err != nil || theirs && !ours {
		return errors.Join(fmt.Errorf("%s: %w: it belongs to Kafka; choose another, into which the topics are copied", dir, ErrTarget), err)
	}
	if member, err := exists(fsys, filepath.Join(dir, meta.PropertiesFile)); err != nil || member && !ours {
		return errors.Join(fmt.Errorf("%s: %w: it belongs to a broker whose metadata is in another directory", dir, ErrTarget), err)
	}
	if t.opt.DryRun && !ours {
		t.fresh = true
		return nil
	}
	if err := makeDir(fsys, dir); err != nil {
		return err
	}
	t.lock, err = fsys.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("data directory %s: a server runs on it; stop it first: %w", dir, ErrRunning)
	} else if err != nil {
		return err
	}
	if t.store, _, err = meta.Open(fsys, filepath.Join(dir, metadataDir), meta.Options{Log: t.opt.Logger}); err != nil {
		return err
	}
	if t.marks, err = checkpoint.Read(fsys, dir); err != nil {
		return fmt.Errorf("%s: %w: start the server once and stop it in order: %w", dir, ErrTarget, err)
	}
	t.fresh = t.store.Image().BrokerEpoch() == 0
	if t.opt.DryRun {
		return nil
	}
	if err := t.identify(from); err != nil {
		return err
	}
	return t.clear()
}

// makeDir makes a directory with those above it, durably; also if it was there: a process
// that died right after making it did not sync.
func makeDir(fsys vfs.FS, dir string) error {
	parents := []string{filepath.Dir(filepath.Clean(dir))}
	for at := parents[0]; ; at = filepath.Dir(at) {
		there, err := exists(fsys, at)
		if err != nil {
			return err
		}
		if there || filepath.Dir(at) == at {
			break
		}
		parents = append(parents, filepath.Dir(at))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := fsys.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// identify gives a new data directory the cluster id of Kafka's.
func (t *target) identify(from *sources) error {
	node := int32(-1)
	if v := t.opt.Values; v.Origin("node.id") != config.Defaults().Origin("node.id") {
		node = v.Broker().NodeID
	}
	if t.store.Image().ClusterID() == "" {
		id, err := meta.NewTopicID(t.opt.Random)
		if err != nil {
			return err
		}
		created := meta.ClusterCreated{ClusterID: from.all[0].properties.ClusterID, DirectoryID: id.String(), NodeID: node}
		if node < 0 {
			created.NodeID = meta.DefaultNodeID
		}
		if _, err := t.store.Apply(created); err != nil {
			return err
		}
	}
	_, err := t.store.Identify(t.opt.DataDir, node, t.opt.Random)
	return err
}

// clear removes what an import that was interrupted has left.
func (t *target) clear() error {
	entries, err := t.opt.FS.ReadDir(t.opt.DataDir)
	if err != nil {
		return err
	}
	cleared := false
	for _, e := range entries {
		if e.IsDir() && strings.HasSuffix(e.Name(), asideSuffix) {
			if err := t.remove(filepath.Join(t.opt.DataDir, e.Name())); err != nil {
				return err
			}
			cleared = true
		}
	}
	if cleared {
		return t.opt.FS.SyncDir(t.opt.DataDir)
	}
	return nil
}

func (t *target) remove(dir string) error {
	return log.RemoveDir(log.Options{FS: t.opt.FS, Logger: t.opt.Logger}, dir)
}

func (t *target) close() {
	if t.store != nil {
		t.store.Close()
	}
	if t.lock != nil {
		t.lock.Close()
	}
}

// image is the metadata; nil if there is none.
func (t *target) image() *meta.Image {
	if t.store == nil {
		return nil
	}
	return t.store.Image()
}

// aside is the directory into which a partition is copied.
func (t *target) aside(p *plan, index int32) string {
	suffix := fmt.Sprintf(".%x.%d%s", p.id[:], index, asideSuffix)
	name := dirName(p.name, index)
	return filepath.Join(t.opt.DataDir, name[:min(len(name), 255-len(suffix))]+suffix)
}

func dirName(topic string, index int32) string { return fmt.Sprintf("%s-%d", topic, index) }

// add makes a topic of the directories that were copied: they get their names, the
// checkpoint says what is in them, and then the topic exists. done says that it may; if
// it does not, the directories have their old names again.
func (t *target) add(p *plan, records []meta.Record, entries []checkpoint.Entry) (done bool, err error) {
	moved := int32(0)
	defer func() {
		for i := range moved {
			if done {
				return
			}
			if rerr := t.opt.FS.Rename(filepath.Join(t.opt.DataDir, dirName(p.name, i)), t.aside(p, i)); rerr != nil {
				t.opt.Logger.Warn("the copy of a partition remains", "topic", p.name, "partition", i, "err", rerr)
			}
		}
	}()
	for ; int(moved) < len(entries); moved++ {
		if err := t.move(p, moved); err != nil {
			return false, err
		}
	}
	if err := t.opt.FS.SyncDir(t.opt.DataDir); err != nil {
		return false, err
	}
	for i, e := range entries {
		t.marks.Partitions[checkpoint.Partition{Topic: p.name, Index: int32(i)}] = e
	}
	if t.fresh {
		t.marks.Clean, t.marks.BrokerEpoch = true, t.store.Image().BrokerEpoch()
	}
	if err := checkpoint.Write(t.opt.FS, t.opt.DataDir, t.marks); err != nil {
		return false, err
	}
	if _, err := t.store.Apply(records...); err != nil {
		return errors.Is(err, meta.ErrFailed), err
	}
	return true, nil
}

// move gives a directory that was copied its name. One that has it belongs to no topic,
// and is set aside as the server would.
func (t *target) move(p *plan, index int32) error {
	dir := filepath.Join(t.opt.DataDir, dirName(p.name, index))
	there, err := exists(t.opt.FS, dir)
	if err != nil {
		return err
	}
	if there {
		suffix := fmt.Sprintf(".%d%s", t.opt.Now().UnixNano(), straySuffix)
		name := dirName(p.name, index)
		stray := filepath.Join(t.opt.DataDir, name[:min(len(name), 255-len(suffix))]+suffix)
		if err := t.opt.FS.Rename(dir, stray); err != nil {
			return err
		}
		t.setAside[stray] = dir
	}
	return t.opt.FS.Rename(t.aside(p, index), dir)
}

// told are the notes for the report.
func (t *target) told() []string {
	for _, stray := range slices.Sorted(maps.Keys(t.setAside)) {
		t.notes = append(t.notes, fmt.Sprintf("%s belonged to no topic and is now %s; nothing was deleted", t.setAside[stray], stray))
	}
	return t.notes
}

// finish makes the first start of a server on a new data directory one after an
// orderly stop.
func (t *target) finish() error {
	if t.store == nil || !t.fresh || t.opt.DryRun {
		return nil
	}
	return meta.WriteClean(t.opt.FS, t.opt.DataDir, t.store.Image().BrokerEpoch())
}
