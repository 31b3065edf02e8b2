package takeover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sordini/log"
	"sordini/log/epoch"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// Files in a partition's directory that are copied besides the .log files.
const (
	snapshotSuffix = ".snapshot"
	epochFile      = "leader-epoch-checkpoint"
	identityFile   = "partition.metadata"
)

// maxSide bounds the files that are copied whole, in bytes.
const maxSide = 1 << 30

// survey reads the log of one partition, checks it, and copies it.
type survey struct {
	ctx     context.Context
	from    vfs.FS
	dir     string
	to      vfs.FS
	target  string // directory of the copy; "" to make none
	known   known
	damaged bool // damage is wanted
	read    func(n int64)

	PartitionReport
	bases    []int64
	next     int64                        // offset behind the last good batch
	epoch    int32                        // of the last good batch
	highest  int32                        // leader epoch that was in force
	producer int64                        // largest id; -1 if there is none
	limit    int64                        // base of the segment behind the one that is read
	sparse   int64                        // gaps in the offsets end here; 0 if there are none
	gap      string                       // what is missing between segments though nothing was compacted
	missing  []log.Span                   // the offsets of that
	jump     string                       // a gap before the last batch that was read; "" if there is none
	before   struct{ next, sparse int64 } // of that batch
	hurt     bool                         // there is damage, which is wanted
	lost     bool                         // so that next is where it begins
	open     map[int64]bool               // producers whose transactions have begun
}

// known is what Kafka's checkpoints say of a log.
type known struct {
	start    int64 // log start offset; 0 if it is where the first segment begins
	recovery int64 // everything below was synced
	clean    bool  // so was the rest
	gaps     bool  // compaction may have left gaps
}

// files are those of a partition's directory.
type files struct {
	bases []int64
	sizes map[int64]int64
	side  []string
}

func (s *survey) list() (files, error) {
	found := files{sizes: make(map[int64]int64)}
	entries, err := s.from.ReadDir(s.dir)
	if err != nil {
		return found, err
	}
	for _, e := range entries {
		name := e.Name()
		if base, ok := segment.ParseFileName(name, segment.LogSuffix); ok {
			info, err := e.Info()
			if err != nil {
				return found, err
			}
			found.bases = append(found.bases, base)
			found.sizes[base] = info.Size()
		} else if _, ok := segment.ParseFileName(name, snapshotSuffix); ok || name == epochFile {
			found.side = append(found.side, name)
		} else if strings.HasSuffix(name, segment.SwapSuffix) {
			return found, &refusal{reason: fmt.Sprintf("%s: a compaction of Kafka's was interrupted; start Kafka once and stop it in order", filepath.Join(s.dir, name))}
		}
	}
	slices.Sort(found.bases)
	for len(found.bases) > 1 && found.bases[1] <= s.known.start {
		found.bases = found.bases[1:] // Kafka was about to delete it
	}
	return found, nil
}

// size is how many bytes of segments there are to read.
func (s *survey) size() (int64, error) {
	f, err := s.list()
	var n int64
	for _, base := range f.bases {
		n += f.sizes[base]
	}
	return n, err
}

// run reads and copies the partition. A *refusal says why it must not be taken.
func (s *survey) run() error {
	f, err := s.list()
	if err != nil {
		return err
	}
	s.epoch, s.highest, s.producer, s.open = epoch.Undefined, epoch.Undefined, -1, make(map[int64]bool)
	s.Dir, s.Segments, s.bases = s.dir, len(f.bases), f.bases
	s.Start = s.known.start
	if len(f.bases) > 0 {
		s.Start = max(s.Start, f.bases[0])
		s.next = f.bases[0]
	}
	for i, base := range f.bases {
		s.limit = math.MaxInt64
		if i+1 < len(f.bases) {
			s.limit = f.bases[i+1]
		}
		if s.detached(base) {
			s.leaveOut(f, i-1)
			break
		}
		if torn, err := s.segment(base, f.sizes[base]); err != nil {
			return err
		} else if torn {
			s.leaveOut(f, i)
			break
		}
	}
	s.next = max(s.next, s.Start)
	err = s.whole()
	s.End, s.Unfinished = s.next, len(s.open)
	if err != nil {
		return err
	}
	return s.copySide(f.side)
}

// detached says whether a segment lies behind a gap that a crash has left: the end of
// the segment before never came to the disk.
func (s *survey) detached(base int64) bool {
	return base > s.next && !s.lost && !s.known.clean && !s.known.gaps && s.next >= s.known.recovery
}

// whole makes sure that nothing is missing. Kafka's recovery point is the end of the log
// after an orderly stop, and not behind it after a crash.
func (s *survey) whole() error {
	recovery := s.known.recovery
	ended := s.known.clean && recovery == s.next
	var missing string
	switch {
	case s.lost:
		return nil // is known
	case s.jump != "" && !s.known.gaps && !ended:
		missing, s.lost = s.jump, true
		s.next, s.sparse = s.before.next, s.before.sparse // the last batch does not count
	case s.gap != "" && s.sparse == 0:
		missing = s.gap
	case s.next < recovery || s.known.clean && recovery > 0 && !ended:
		missing = fmt.Sprintf("%s: the log ends at offset %d, and at %d by Kafka's checkpoint", s.dir, s.next, recovery)
	default:
		for _, gap := range s.missing { // it was compacted after all
			s.sparse = max(s.sparse, gap.To)
		}
		s.missing = nil
		return nil
	}
	s.hurt = true
	return s.fault(missing)
}

// leaveOut counts the segments behind one that was torn, which stay behind.
func (s *survey) leaveOut(f files, last int) {
	for _, base := range f.bases[last+1:] {
		s.Cut += f.sizes[base]
	}
	s.Segments = last + 1
}

// durable is the offset below which bad bytes of the copy are damage: all there is, as
// the copy is whole.
func (s *survey) durable() int64 {
	if s.lost {
		return max(s.known.recovery, s.next+1)
	}
	if s.hurt {
		return max(s.known.recovery, s.next)
	}
	return s.next
}

// fault is damage: a refusal, unless damage is wanted.
func (s *survey) fault(reason string) error {
	if s.damaged {
		return nil
	}
	return &refusal{reason: reason, damage: true}
}

// segment reads and copies one segment. torn says that the log ends in it because
// a write was cut short.
func (s *survey) segment(base, size int64) (torn bool, err error) {
	name := segment.FileName(base, segment.LogSuffix)
	switch {
	case s.lost:
		s.lost, s.next = false, max(base, s.next)
	case base < s.next:
		s.hurt = true
		err = s.fault(fmt.Sprintf("%s: it begins at %d, the segment before ends at %d", filepath.Join(s.dir, name), base, s.next))
	case base > s.next:
		s.jump = "" // is told by gap
		s.miss(base, fmt.Sprintf("%s: no segment holds offsets %d to %d", s.dir, s.next, base-1))
		s.next = base
	}
	if err != nil {
		return false, err
	}
	src, err := s.from.Open(filepath.Join(s.dir, name))
	if err != nil {
		return false, err
	}
	defer src.Close()
	end, torn, err := s.walk(&walker{ctx: s.ctx, src: src, size: size, read: s.read})
	if err != nil || s.target == "" {
		return torn, err
	}
	dst, err := s.to.OpenFile(filepath.Join(s.target, name), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return false, err
	}
	if err = copyRange(s.ctx, dst, src, end); err == nil {
		err = dst.SyncData()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return torn, err
}

// miss notes that no batch holds the offsets before one.
func (s *survey) miss(end int64, what string) {
	if s.known.gaps {
		s.sparse = end
		return
	}
	s.missing = append(s.missing, log.Span{From: s.next, To: end})
	if s.gap == "" {
		s.gap = what
	}
}

// walk goes over the batches of a segment. It returns where they end.
func (s *survey) walk(w *walker) (end int64, torn bool, err error) {
	for {
		at := w.pos
		h, control, err := w.batch()
		if err == nil {
			err = s.follows(h)
		}
		var bad *errBatch
		switch {
		case errors.Is(err, io.EOF):
			return at, false, nil
		case errors.As(err, &bad):
			if torn, err = s.bad(w, at, bad.reason); torn {
				return at, true, err
			}
			return w.size, false, err
		case err != nil:
			return 0, false, err
		}
		if s.jump = ""; h.BaseOffset > s.next {
			s.before.next, s.before.sparse = s.next, s.sparse
			s.jump = fmt.Sprintf("%s at byte %d: base offset %d, expected %d, and no batch is behind it", w.src.Name(), at, h.BaseOffset, s.next)
		}
		s.accept(h, control)
	}
}

// follows says whether a good batch can come behind those before.
func (s *survey) follows(h batch.Header) error {
	switch {
	case h.BaseOffset < s.next:
		return badf("base offset %d, expected %d", h.BaseOffset, s.next)
	case h.LastOffset() >= s.limit:
		return badf("last offset %d, the segment behind begins at %d", h.LastOffset(), s.limit)
	case h.LeaderEpoch < s.epoch:
		return badf("leader epoch %d after %d", h.LeaderEpoch, s.epoch)
	}
	return nil
}

func (s *survey) accept(h batch.Header, control []byte) {
	if h.BaseOffset > s.next {
		// Nothing but compaction leaves gaps inside of a segment whose batches are good.
		s.sparse = h.BaseOffset
	}
	s.next, s.epoch, s.highest = h.LastOffset()+1, h.LeaderEpoch, max(s.highest, h.LeaderEpoch)
	s.producer = max(s.producer, h.ProducerID)
	s.Bytes += h.Size()
	if !h.IsControl() {
		s.Records += int64(h.Count)
	}
	if !h.IsTransactional() {
		return
	}
	s.Transactional++
	if !h.IsControl() {
		if h.Count > 0 { // compaction keeps batches without records
			s.open[h.ProducerID] = true
		}
		return
	}
	if s.open[h.ProducerID] && aborts(control) {
		s.Aborted++
	}
	delete(s.open, h.ProducerID)
}

// aborts says whether a control batch gives up its transaction. A control record's key
// is version int16, type int16; type 0 is abort.
func aborts(b []byte) bool {
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err == nil && len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 0 {
			return true
		}
	}
	return false
}

// bad deals with a position at which there is no good batch: the torn end of the log,
// damage, or a format that is not supported.
func (s *survey) bad(w *walker, at int64, reason string) (torn bool, err error) {
	where := fmt.Sprintf("%s at byte %d, offset %d", w.src.Name(), at, s.next)
	old, err := legacy(w.src, at, w.size)
	if err != nil {
		return false, err
	}
	if old {
		return false, &refusal{reason: where + ": a message in the format of Kafka before 0.11, which is not supported"}
	}
	if !s.known.clean && s.next >= s.known.recovery {
		s.Cut += w.size - at
		return true, nil
	}
	nothing, err := zeros(w.src, at, w.size)
	if err != nil {
		return false, err
	}
	if nothing {
		reason = "zeros up to the end of the file"
	}
	if err := s.fault(where + ": " + reason); err != nil {
		return false, err
	}
	s.hurt = true // the log that is opened on the copy finds out what is lost
	s.lost = true
	return false, nil
}

// copySide copies the small files.
func (s *survey) copySide(names []string) error {
	for _, name := range names {
		b, err := vfs.ReadFile(s.from, filepath.Join(s.dir, name), maxSide)
		if errors.Is(err, vfs.ErrTooLarge) {
			continue // made again from the batches
		}
		if err != nil {
			return err
		}
		if name == epochFile {
			if list, _, err := epoch.Parse(b); err == nil {
				s.highest = max(s.highest, list.Latest())
			}
		}
		if s.target == "" {
			continue
		}
		if err := vfs.ReplaceFile(s.to, filepath.Join(s.target, name), b); err != nil {
			return err
		}
	}
	return nil
}

// exists says whether a name is there.
func exists(fsys vfs.FS, name string) (bool, error) {
	_, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
