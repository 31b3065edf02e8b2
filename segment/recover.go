package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync/atomic"

	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// Recovered tells what a scan found.
type Recovered struct {
	Batches, Records, Bytes int64
	// Cut is the count of bytes that were cut from the end, CutFile where they
	// are kept ("" if they were all zeros).
	Cut     int64
	CutFile string
	// Next is the offset behind the last valid batch.
	Next int64
	// Damaged says that bytes below the durable offset could not be read. Nothing
	// may be appended to the segment then.
	Damaged bool
}

// Scanned counts what recoveries have read so far, for whoever waits for them.
type Scanned struct {
	Segments, Bytes atomic.Int64
	// GiveUp, once it is closed, ends them with ErrGivenUp. On the disk that is as if the
	// process had died. nil: they are not given up. It is set while there are none.
	GiveUp <-chan struct{}
}

// Err is ErrGivenUp if the recoveries are given up.
func (c *Scanned) Err() error {
	if c == nil {
		return nil
	}
	select {
	case <-c.GiveUp:
		return ErrGivenUp
	default:
		return nil
	}
}

// scannedStep is how many bytes are counted at a time, so that counting costs nothing.
const scannedStep = 1 << 20

// told counts what lies before a position and was not counted yet, if that is worth it or
// if it is the end of the segment, and returns what was counted.
func (c *Scanned) told(before, pos int64, end bool) int64 {
	if c == nil || !end && pos-before < scannedStep {
		return before
	}
	c.Bytes.Add(pos - before)
	if end {
		c.Segments.Add(1)
	}
	return pos
}

// Recover opens an existing segment by reading all of it: each batch is checked,
// the indexes are made anew, and visit is called with every valid header.
//
// durable is the offset below which everything was synced once. A bad batch at or
// behind it is a torn write: the file is cut there, the cut bytes are kept in a
// *.torn file, and the file is synced. A bad batch before it is damage: nothing
// is cut, the stretch up to the next valid batch is remembered, and reading it is
// an error.
//
// Good batches at or behind durable are written once more before the sync, unless
// Options.NoSyncFailed is set. The process before may have died of a failed sync;
// then the kernel shows their bytes, calls them clean, and a sync alone would not
// bring them to the disk. Nor would it tell: each failure is told once.
//
// Index and checksum files that an earlier process left are removed, since they
// will not tell of what is appended from now on. The caller syncs the directory.
func Recover(dir string, base, durable int64, opt Options, visit func(batch.Header)) (*Segment, Recovered, error) {
	s := newSegment(dir, base, opt)
	f, err := opt.FS.OpenFile(s.path(LogSuffix), os.O_RDWR)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("recover segment: %w", err)
	}
	s.file = f
	s.active.Store(index.NewActive(opt.IndexInterval))
	r, err := s.recover(f, durable, visit)
	if err != nil {
		f.Close()
		return nil, r, fmt.Errorf("recover segment: %w", err)
	}
	return s, r, nil
}

func (s *Segment) recover(f vfs.File, durable int64, visit func(batch.Header)) (Recovered, error) {
	size, err := f.Size()
	if err != nil {
		return Recovered{}, err
	}
	sc := newScanner(s, f, size)
	defer sc.release()
	r := Recovered{Next: s.base}
	rewrite := size // from here on the bytes may be in the page cache only
	var told int64
	for sc.pos < size {
		if err := s.opt.Scanned.Err(); err != nil {
			return r, err
		}
		told = s.opt.Scanned.told(told, sc.pos, false)
		h, err := sc.step()
		if err == nil {
			if h.LastOffset() >= durable {
				rewrite = min(rewrite, sc.pos)
			}
			s.sums.add(sc.pos, sc.head[:], s.base)
			s.accept(sc, &r, h)
			visit(h)
			continue
		}
		bad, isBad := err.(errBad)
		if !isBad {
			return r, err
		}
		if sc.next >= durable {
			if err := s.cutTail(f, sc, &r); err != nil {
				return r, err
			}
			break
		}
		if err := s.skipDamage(sc, &r, durable, bad.reason); err != nil {
			return r, err
		}
	}
	s.opt.Scanned.told(told, size, true)
	s.size.Store(sc.pos)
	r.Bytes = sc.pos
	if !s.opt.NoSyncFailed {
		if err := s.writeAgain(f, rewrite, sc.pos); err != nil {
			return r, fmt.Errorf("write again from %d: %w", rewrite, err)
		}
	}
	if err := f.Sync(); err != nil {
		return r, fmt.Errorf("sync: %w", err)
	}
	return r, s.dropIndexFiles()
}

// writeAgain writes bytes [from, to) to where they are.
func (s *Segment) writeAgain(f vfs.File, from, to int64) error {
	for ; from < to; from += scanBuffer {
		if err := s.opt.Scanned.Err(); err != nil {
			return err
		}
		if err := copyRange(f, f, from, min(from+scanBuffer, to), from); err != nil {
			return err
		}
	}
	return nil
}

// accept takes in a valid batch at the scanner's position.
func (s *Segment) accept(sc *scanner, r *Recovered, h batch.Header) {
	s.active.Load().Add(uint32(h.LastOffset()-s.base), sc.pos, h.Size(), IndexTime(&h))
	if s.firstTime < 0 {
		s.firstTime = h.MaxTimestamp
	}
	r.Batches++
	r.Records += int64(h.Count)
	sc.advance(h)
	r.Next = sc.next
}

// skipDamage notes the damage at the scanner's position and moves behind it.
func (s *Segment) skipDamage(sc *scanner, r *Recovered, durable int64, reason string) error {
	r.Damaged = true
	d := Damage{Pos: sc.pos, EndPos: sc.limit, Offset: sc.next, NextOffset: durable, Reason: reason}
	at, h, err := sc.resync(sc.pos, durable)
	if err != nil {
		return err
	}
	if at > 0 {
		d.EndPos, d.NextOffset = at, h.BaseOffset
	}
	s.addDamage(d)
	sc.pos, sc.next = d.EndPos, d.NextOffset
	r.Next = sc.next
	return nil
}

// cutTail cuts the file at the scanner's position and keeps what was behind it.
func (s *Segment) cutTail(f vfs.File, sc *scanner, r *Recovered) error {
	r.Cut = sc.limit - sc.pos
	zeros, err := allZeros(f, sc.pos, sc.limit)
	if err != nil {
		return err
	}
	if !zeros {
		r.CutFile, err = keepAside(s.opt.FS, f, s.path(LogSuffix), sc.pos, sc.limit)
		if err == nil {
			err = s.opt.FS.SyncDir(s.dir)
		}
		if err != nil {
			return err
		}
	}
	if err := f.Truncate(sc.pos); err != nil {
		return fmt.Errorf("cut torn tail at %d: %w", sc.pos, err)
	}
	return nil
}

// keepAside copies bytes [from, to) of f to a new *.torn file beside path.
func keepAside(fsys vfs.FS, f vfs.File, path string, from, to int64) (string, error) {
	name, err := freeName(fsys, path)
	if err != nil {
		return "", err
	}
	out, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", fmt.Errorf("keep cut bytes: %w", err)
	}
	err = copyRange(out, f, from, to, 0)
	if err == nil {
		err = out.SyncData()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", fmt.Errorf("keep cut bytes in %s: %w", name, err)
	}
	return name, nil
}

// copyRange copies bytes [from, to) of src to position at of dst.
func copyRange(dst, src vfs.File, from, to, at int64) error {
	buf := takeBuffer(max(0, min(scanBuffer, to-from)))
	defer giveBuffer(buf)
	for pos := from; pos < to; {
		b := buf[:min(int64(len(buf)), to-pos)]
		n, err := src.ReadAt(b, pos)
		if n == 0 && err != nil {
			return err
		}
		if _, err := dst.WriteAt(b[:n], at+pos-from); err != nil {
			return err
		}
		pos += int64(n)
	}
	return nil
}

func allZeros(f vfs.File, from, to int64) (bool, error) {
	buf := make([]byte, min(scanBuffer, to-from))
	for pos := from; pos < to; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), to-pos)], pos)
		if n == 0 && err != nil {
			return false, fmt.Errorf("read at %d: %w", pos, err)
		}
		for _, b := range buf[:n] {
			if b != 0 {
				return false, nil
			}
		}
		pos += int64(n)
	}
	return true, nil
}

// OpenSealed opens a segment that is complete and synced, without reading its
// batches. The result is an error if its index files are missing or can't be
// right; Recover makes them anew.
func OpenSealed(dir string, base int64, opt Options) (*Segment, error) {
	s := newSegment(dir, base, opt)
	sizes := make(map[string]int64, 3)
	for _, suffix := range []string{LogSuffix, IndexSuffix, TimeIndexSuffix} {
		info, err := opt.FS.Stat(s.path(suffix))
		if err != nil {
			return nil, fmt.Errorf("open segment: %w", err)
		}
		sizes[suffix] = info.Size()
	}
	if sizes[IndexSuffix]%index.OffsetEntrySize != 0 || sizes[TimeIndexSuffix]%index.TimeEntrySize != 0 {
		return nil, &CorruptError{File: s.path(IndexSuffix), Offset: -1, Reason: "the size of an index is not a whole number of entries"}
	}
	if sizes[LogSuffix] > 0 && sizes[TimeIndexSuffix] == 0 {
		return nil, &CorruptError{File: s.path(TimeIndexSuffix), Offset: -1, Reason: "the time index is empty, the log is not"}
	}
	s.size.Store(sizes[LogSuffix])
	s.cold.Store(sizes[LogSuffix])
	si := &sealedIndex{offsets: index.NewSealed(sizes[IndexSuffix]), timeSize: sizes[TimeIndexSuffix], maxTime: index.NoTimestamp}
	if err := s.loadMax(si); err != nil {
		return nil, err
	}
	s.sealed.Store(si)
	return s, nil
}

func (s *Segment) loadMax(si *sealedIndex) error {
	f, err := s.opt.FS.Open(s.path(TimeIndexSuffix))
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	e, ok, err := index.LastTime(f, si.timeSize)
	if err != nil {
		return fmt.Errorf("open segment: %s: %w", s.path(TimeIndexSuffix), err)
	}
	if ok {
		si.maxTime, si.maxRel = e.Timestamp, e.Rel
	}
	return nil
}

// OpenActive opens the last segment after a clean shutdown, to be appended to:
// the indexes and header checksums come from their files, and only the batches
// behind the last index entry are read. wantEnd is the log end offset that the shutdown noted and
// wantSize the bytes of the file; if anything differs the result is an error and
// Recover decides. The index files are removed as by Recover.
func OpenActive(dir string, base, wantEnd, wantSize int64, opt Options, visit func(batch.Header)) (*Segment, error) {
	s := newSegment(dir, base, opt)
	f, err := opt.FS.OpenFile(s.path(LogSuffix), os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	s.file = f
	if err := s.openActive(f, wantEnd, wantSize, visit); err != nil {
		f.Close()
		return nil, fmt.Errorf("open segment %s: %w", s.Path(), err)
	}
	return s, nil
}

// lookAhead is how much openActive reads at least where it looks at a few batches: each
// of thousands of logs is looked at at a start.
const lookAhead = 4 << 10

func (s *Segment) openActive(f vfs.File, wantEnd, wantSize int64, visit func(batch.Header)) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size != wantSize {
		return fmt.Errorf("%d bytes, the shutdown left %d", size, wantSize)
	}
	if size == 0 {
		return s.openEmpty(wantEnd)
	}
	t, err := s.readCheck(size)
	if err != nil {
		return err
	}
	a := index.NewActive(s.opt.IndexInterval)
	sc := newScanner(s, f, size)
	defer sc.release()
	sc.ahead = lookAhead
	if err := s.loadIndexes(a, sc, size, t); err != nil {
		return err
	}
	s.active.Store(a)
	var r Recovered
	r.Next = sc.next
	for sc.pos < size {
		h, err := sc.batch(sc.pos, sc.next, sc.epoch)
		if err != nil {
			return err
		}
		s.accept(sc, &r, h)
		visit(h)
	}
	if sc.next != wantEnd {
		return fmt.Errorf("log end offset %d, the shutdown noted %d", sc.next, wantEnd)
	}
	s.size.Store(size)
	s.addDamage(t.damage...)
	s.sums = sums{blocks: slices.Clone(t.sums.blocks), next: t.sums.next}
	s.verifying.Store(newVerifying(t))
	s.cold.Store(size)
	return s.dropIndexFiles()
}

// openEmpty is openActive of a segment without batches, which has no files but its
// .log file.
func (s *Segment) openEmpty(wantEnd int64) error {
	if wantEnd != s.base {
		return fmt.Errorf("log end offset %d, the shutdown noted %d", s.base, wantEnd)
	}
	s.active.Store(index.NewActive(s.opt.IndexInterval))
	return s.dropIndexFiles()
}

// loadIndexes reads the index files into a and puts the scanner behind the batch
// of the last entry.
func (s *Segment) loadIndexes(a *index.Active, sc *scanner, size int64, t *checkTable) error {
	ob, err := readFile(s.opt.FS, s.path(IndexSuffix))
	if err != nil {
		return err
	}
	tb, err := readFile(s.opt.FS, s.path(TimeIndexSuffix))
	if err != nil {
		return err
	}
	offsets, err := index.DecodeOffsets(ob, size)
	if err != nil {
		return err
	}
	times, err := index.DecodeTimes(tb)
	if err != nil {
		return err
	}
	if crc32.Checksum(tb, castagnoli) != t.times {
		return fmt.Errorf("%s: the checksum differs", s.path(TimeIndexSuffix))
	}
	var entryPos, entrySize int64
	if n := len(offsets); n > 0 {
		entryPos = int64(offsets[n-1].Pos)
		h, err := sc.batch(entryPos, s.base, -1)
		if err != nil {
			return err
		}
		if h.LastOffset() != s.base+int64(offsets[n-1].Rel) {
			return fmt.Errorf("the last index entry says offset %d, the batch at %d ends at %d", s.base+int64(offsets[n-1].Rel), entryPos, h.LastOffset())
		}
		entrySize = h.Size()
		sc.pos, sc.next, sc.epoch = entryPos+entrySize, h.LastOffset()+1, h.LeaderEpoch
	}
	if size > 0 {
		h, err := sc.batch(0, s.base, -1)
		if err != nil {
			return err
		}
		s.firstTime = h.MaxTimestamp
	}
	a.Load(offsets, times, entrySize)
	return nil
}

func readFile(fsys vfs.FS, name string) ([]byte, error) {
	return vfs.ReadFile(fsys, name, math.MaxInt)
}

// TruncateTo cuts the segment so that no batch that ends at or behind offset
// remains, and syncs it. Sends that are in flight from the cut bytes end short.
// A sealed segment becomes appendable again. next is the offset behind the last
// batch that remains.
func (s *Segment) TruncateTo(offset int64) (next int64, err error) {
	if err := s.verifyAll(); err != nil {
		return 0, fmt.Errorf("truncate segment: %w", err)
	}
	a := index.NewActive(s.opt.IndexInterval)
	s.lockKeys()
	defer s.unlockKeys()
	s.dropKeys()
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	if s.file == nil {
		f, err := s.opt.FS.OpenFile(s.path(LogSuffix), os.O_RDWR)
		if err != nil {
			return 0, fmt.Errorf("truncate segment: %w", err)
		}
		s.file = f
	}
	sc := newScanner(s, s.file, s.size.Load())
	old := s.active.Swap(a)
	s.firstTime = -1
	s.sums.reset()
	var r Recovered
	for sc.pos < sc.limit {
		if d, ok := s.damageAt(sc.pos); ok {
			if d.NextOffset > offset {
				break
			}
			sc.pos, sc.next = d.EndPos, d.NextOffset
			continue
		}
		h, err := sc.batch(sc.pos, sc.next, sc.epoch)
		if err != nil {
			s.active.Store(old)
			return 0, fmt.Errorf("truncate %s: %w", s.Path(), err)
		}
		if h.LastOffset() >= offset {
			break
		}
		s.sums.add(sc.pos, sc.head[:], s.base)
		s.accept(sc, &r, h)
	}
	s.size.Store(sc.pos)
	s.dropDamage(sc.pos)
	s.tails.Store(nil)    // it may be appended to: positions tell again
	s.opt.Handles.drop(s) // their index files are gone
	s.reserved = 0
	if err := s.file.Truncate(sc.pos); err != nil {
		return 0, fmt.Errorf("truncate %s: %w", s.Path(), err)
	}
	if err := s.file.Sync(); err != nil {
		return 0, fmt.Errorf("truncate %s: %w", s.Path(), err)
	}
	return sc.next, s.dropIndexFiles()
}

func (s *Segment) dropIndexFiles() error {
	for _, suffix := range derived {
		if err := s.opt.FS.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove index: %w", err)
		}
	}
	return nil
}
