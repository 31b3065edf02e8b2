package takeover

import (
	"path/filepath"
	"testing"

	"sordini/segment"
	"sordini/segment/vfs"
)

// leave puts a copy of a partition of topic a into the data directory.
func leave(t *testing.T, disk vfs.FS, partition, name string) (dir string) {
	t.Helper()
	from, dir := filepath.Join(testData, partition), filepath.Join(testData, name)
	must(t, disk.Mkdir(dir))
	entries, err := disk.ReadDir(from)
	must(t, err)
	for _, e := range entries {
		b, err := vfs.ReadFile(disk, filepath.Join(from, e.Name()), 1<<20)
		must(t, err)
		must(t, vfs.WriteSynced(disk, filepath.Join(dir, e.Name()), b))
	}
	return dir
}

// TestLeftovers: of directories that were set aside those go of which the topic has every
// byte, and no others.
func TestLeftovers(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	run1(t, m.options(disk), allImported)
	first := segment.FileName(0, segment.LogSuffix)
	more := segment.FileName(9, segment.IndexSuffix)
	empty := segment.FileName(6, segment.LogSuffix)
	for _, c := range []struct {
		what, name string
		change     func(dir string)
		goes       bool
	}{
		{"a copy", "a-0.5-stray", func(string) {}, true},
		{"one that ends before", "a-0.5-stray", func(dir string) { cut(t, disk, filepath.Join(dir, first), -1) }, true},
		{"one without the last segment", "a-0.5-stray", func(dir string) { must(t, disk.Remove(filepath.Join(dir, empty))) }, true},
		{"one that ends behind", "a-0.5-stray", func(dir string) { cut(t, disk, filepath.Join(dir, empty), 1) }, false},
		{"another byte", "a-0.5-stray", func(dir string) { flip(t, disk, filepath.Join(dir, first)) }, false},
		{"a segment more", "a-0.5-stray", func(dir string) {
			must(t, vfs.WriteSynced(disk, filepath.Join(dir, segment.FileName(7, segment.LogSuffix)), []byte("x")))
		}, false},
		{"what was cut off", "a-0.5-stray", func(dir string) {
			must(t, vfs.WriteSynced(disk, filepath.Join(dir, first+".1.torn"), []byte("x")))
		}, false},
		{"a compaction", "a-0.5-stray", func(dir string) {
			must(t, disk.Rename(filepath.Join(dir, first), filepath.Join(dir, first+segment.SwapSuffix)))
		}, false},
		{"somebody's file", "a-0.5-stray", func(dir string) { must(t, vfs.WriteSynced(disk, filepath.Join(dir, "precious"), nil)) }, false},
		{"somebody's directory", "a-0.5-stray", func(dir string) { must(t, disk.Mkdir(filepath.Join(dir, more))) }, false},
		{"another topic id", "a-0.5-stray", func(dir string) {
			must(t, vfs.WriteSynced(disk, filepath.Join(dir, identityFile), []byte("version: 0\ntopic_id: "+id(2).String())))
		}, false},
		{"no topic id", "a-0.5-stray", func(dir string) { must(t, disk.Remove(filepath.Join(dir, identityFile))) }, false},
		{"somebody's name", "a-0.mine-stray", func(string) {}, false},
		{"another partition", "a-1.5-stray", func(string) {}, false},
		{"a partition that there is not", "a-2.5-stray", func(string) {}, false},
		{"another topic", "b-0.5-stray", func(string) {}, false},
	} {
		dir := leave(t, disk, "a-0", c.name)
		c.change(dir)
		opt := m.options(disk)
		opt.DryRun = true
		run1(t, opt, map[string]Result{"a": Exists})
		if there, err := exists(disk, dir); err != nil || !there {
			t.Errorf("%s: a dry run removed it: %v", c.what, err)
		}
		r := run1(t, m.options(disk), map[string]Result{"a": Exists})
		there, err := exists(disk, dir)
		if must(t, err); there == c.goes || len(r.Notes) > 0 != c.goes {
			t.Errorf("%s: there %v, notes %v", c.what, there, r.Notes)
		}
		if there {
			for _, e := range []string{more, "."} { // the directory in it first
				removeAll(t, disk, filepath.Join(dir, e))
			}
		}
	}
	sameLogs(t, open(t, disk).logs, simpleLogs)
}

// cut makes a file longer by some zeros, or shorter.
func cut(t *testing.T, disk vfs.FS, name string, by int) {
	t.Helper()
	b, err := vfs.ReadFile(disk, name, 1<<20)
	must(t, err)
	b = append(b, make([]byte, max(by, 0))...)
	must(t, vfs.WriteSynced(disk, name, b[:len(b)+min(by, 0)]))
}

// flip changes the last byte of a file.
func flip(t *testing.T, disk vfs.FS, name string) {
	t.Helper()
	b, err := vfs.ReadFile(disk, name, 1<<20)
	must(t, err)
	b[len(b)-1] ^= 1
	must(t, vfs.WriteSynced(disk, name, b))
}

// removeAll removes a directory without directories, if it is there.
func removeAll(t *testing.T, disk vfs.FS, dir string) {
	t.Helper()
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		must(t, disk.Remove(filepath.Join(dir, e.Name())))
	}
	must(t, disk.Remove(dir))
}
