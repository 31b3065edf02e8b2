//go:build !linux

package vfs

func (f *osFile) WriteVAt(bufs [][]byte, pos int64) (int64, error) {
	return writeEach(f.file, bufs, pos)
}

func (f *osFile) SyncData() error { return f.file.Sync() }

func (f *osFile) preallocate(_, _ int64) error { return nil }
