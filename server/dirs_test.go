package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/admin"
	"sordini/server/meta"
	"sordini/server/partition"
)

// dirsTest has two directories and servers on them.
type dirsTest struct {
	*testing.T
	one, two string
	flags    []string
}

func newDirsTest(t *testing.T) *dirsTest {
	root := t.TempDir()
	d := &dirsTest{T: t, one: filepath.Join(root, "one"), two: filepath.Join(root, "two")}
	d.flags = []string{"log.dirs=fast:" + d.one + ",slow:" + d.two}
	return d
}

func (d *dirsTest) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// during starts a server, and stops it when do has returned.
func (d *dirsTest) during(do func(s *Server)) {
	d.Helper()
	s, err := Start(context.Background(), optionsWith(d.T, d.flags...))
	d.must(err)
	do(s)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		d.Error(err)
	}
}

// refused expects that no server starts.
func (d *dirsTest) refused(says string) {
	d.Helper()
	s, err := Start(context.Background(), optionsWith(d.T, d.flags...))
	if err == nil {
		_ = s.Stop(context.Background())
		d.Fatal("started")
	}
	if !strings.Contains(err.Error(), says) {
		d.Errorf("%v, want %q", err, says)
	}
}

func (d *dirsTest) create(s *Server, name, class string) *meta.Topic {
	d.Helper()
	created, errs := s.set.CreateTopics([]partition.Topic{{Name: name, Partitions: 1, Configs: map[string]string{"storage.class": class}}})
	d.must(errs[0])
	return created[0]
}

func (d *dirsTest) properties(dir string) meta.Properties {
	d.Helper()
	p, err := meta.ReadProperties(vfs.OS(), dir)
	d.must(err)
	return p
}

func online(s *Server, topic string) bool {
	_, err := s.set.Get(topic, 0).Offsets()
	return err == nil
}

func TestDirs_NewOnes(t *testing.T) {
	d := newDirsTest(t)
	d.during(func(s *Server) {
		d.create(s, "a", "fast")
		d.create(s, "b", "slow")
		if dirs := s.Dirs(); dirs[0].Class != "fast" || !dirs[0].Metadata || dirs[1].Class != "slow" || dirs[1].Metadata {
			t.Errorf("%+v", dirs)
		}
		if _, err := Start(context.Background(), optionsWith(t, "log.dirs="+d.two)); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second server on the second directory: %v", err)
		}
	})
	for _, name := range []string{d.one + "/a-0", d.two + "/b-0", d.one + "/metadata"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	one, two := d.properties(d.one), d.properties(d.two)
	if one.ClusterID != two.ClusterID || one.NodeID != two.NodeID || one.DirectoryID == two.DirectoryID || two.DirectoryID == "" {
		t.Errorf("%+v and %+v", one, two)
	}
	d.during(func(s *Server) {
		if !s.Recovery().Clean || !online(s, "a") || !online(s, "b") || s.healthy() != nil {
			t.Errorf("%+v, %v", s.Recovery(), s.healthy())
		}
	})
	d.flags = []string{"log.dirs=" + d.two + "," + d.one, "metadata.log.dir=" + d.one}
	d.during(func(s *Server) {
		if !online(s, "a") || !online(s, "b") {
			t.Error("not found in another order")
		}
	})
}

func TestDirs_OfOthers(t *testing.T) {
	d := newDirsTest(t)
	d.during(func(s *Server) {})
	p := d.properties(d.two)
	p.ClusterID = d.properties(d.one).DirectoryID // another one
	d.must(meta.WriteProperties(vfs.OS(), d.two, p))
	d.refused("belongs to node 1 of cluster " + p.ClusterID)
	d.must(meta.WriteProperties(vfs.OS(), d.two, d.properties(d.one)))
	d.refused("the same directory id")
	d.must(os.WriteFile(filepath.Join(d.two, meta.PropertiesFile), []byte("version=7\n"), 0o644))
	d.refused("version")
}

// The disk with the metadata is not mounted: nothing is begun anew.
func TestDirs_MetadataMissing(t *testing.T) {
	d := newDirsTest(t)
	d.during(func(s *Server) { d.create(s, "a", "slow") })
	d.must(os.Rename(d.one, d.one+".away"))
	d.refused("is a disk not mounted")
	if entries, err := os.ReadDir(d.one); err != nil || len(entries) != 1 || entries[0].Name() != lockFile {
		t.Errorf("left %v, %v", entries, err)
	}
	d.must(os.RemoveAll(d.one))
	d.must(os.WriteFile(d.one, nil, 0o644))
	d.refused(d.one)
	d.must(os.Remove(d.one))
	d.must(os.Rename(d.one+".away", d.one))
	d.during(func(s *Server) {
		if !online(s, "a") {
			t.Error("a is offline")
		}
	})
}

// The other disk is not mounted: its mount point is not taken for a new disk before its
// topics are deleted.
func TestDirs_OtherMissing(t *testing.T) {
	d := newDirsTest(t)
	d.during(func(s *Server) {
		d.create(s, "a", "fast")
		d.create(s, "b", "slow")
	})
	d.must(os.Rename(d.two, d.two+".away"))
	half := func(says string) {
		t.Helper()
		d.during(func(s *Server) {
			if !online(s, "a") || online(s, "b") {
				t.Errorf("online: a %v, b %v", online(s, "a"), online(s, "b"))
			}
			var degraded *admin.Degraded
			if err := s.healthy(); !errors.As(err, &degraded) || !strings.Contains(err.Error(), d.two) || !strings.Contains(err.Error(), says) {
				t.Errorf("health: %v", err)
			}
			if r := s.Recovery(); !r.Clean || r.Offline != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
	half("is its disk not mounted")
	d.must(os.RemoveAll(d.two))
	d.must(os.WriteFile(d.two, nil, 0o644))
	half("not a directory")
	d.must(os.Remove(d.two))
	d.must(os.MkdirAll(d.two+"/other", 0o755))
	half("is not empty (other)")
	d.must(os.RemoveAll(d.two))
	d.must(os.Rename(d.two+".away", d.two))
	var b *meta.Topic
	d.during(func(s *Server) {
		if b = s.set.Image().Topic("b"); !online(s, "b") {
			t.Error("b is offline")
		}
	})
	d.must(os.RemoveAll(d.two)) // for good
	d.during(func(s *Server) { d.must(s.set.DeleteTopic(b.ID)) })
	d.during(func(s *Server) {
		d.create(s, "c", "slow")
		if !online(s, "c") || s.healthy() != nil {
			t.Errorf("with a new disk: %v", s.healthy())
		}
	})
}

// The metadata may have a directory of its own.
func TestDirs_MetadataElsewhere(t *testing.T) {
	d := newDirsTest(t)
	home := filepath.Join(filepath.Dir(d.one), "home")
	d.flags = append(d.flags, "metadata.log.dir="+home)
	d.during(func(s *Server) { d.create(s, "a", "fast") })
	d.during(func(s *Server) {
		if !s.Recovery().Clean || !online(s, "a") {
			t.Errorf("%+v", s.Recovery())
		}
	})
	if _, err := os.Stat(d.one + "/metadata"); err == nil {
		t.Error("metadata is in the first of log.dirs")
	}
	d.must(os.RemoveAll(d.one))
	d.must(os.WriteFile(d.one, nil, 0o644))
	d.during(func(s *Server) { // also the first one may be offline then
		if online(s, "a") {
			t.Error("a is online")
		}
	})
	d.must(os.RemoveAll(d.two))
	d.must(os.WriteFile(d.two, nil, 0o644))
	d.refused("no data directory can be used")
}
