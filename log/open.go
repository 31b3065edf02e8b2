package log

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sordini/log/epoch"
	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// Known is what a checkpoint says about a log. The zero value knows nothing: the
// whole log is scanned.
type Known struct {
	Start    int64 // log start offset
	Recovery int64 // everything below was synced; may lag, must not lead
	// NoSyncFailed says that no sync of the log may have failed unheard of since
	// Recovery was noted: then what recovery reads need not be written again.
	NoSyncFailed bool
	// Clean says that the process ended in an orderly way. Then End, Segment and
	// Size are the log end offset, the base offset of the last segment and the
	// bytes in it.
	Clean              bool
	End, Segment, Size int64

	// Cleaned is the offset up to which compaction came; it may lag.
	Cleaned int64
	// Ragged is the offset below which another program has compacted the log and
	// may have left gaps between segments.
	Ragged int64
}

// Report tells what Open found and did.
type Report struct {
	Clean    bool // nothing had to be scanned
	Segments int  // segments that the log has
	Scanned  int  // segments whose batches were all read
	From     int64
	Batches  int64 // in the scanned segments
	Records  int64
	Bytes    int64
	Cut      int64    // bytes cut from torn tails
	Aside    []string // files that keep cut bytes
	Damaged  []Span   // offsets that cannot be read any more
	Took     time.Duration
}

// opener is one Open.
type opener struct {
	l        *Log
	known    Known
	report   Report
	bases    []int64
	segments []*segment.Segment
	next     int64 // offset behind the last segment opened
	rebuilt  epoch.List

	epochs       epoch.List // of the checkpoint
	epochsFile   []byte     // the checkpoint itself
	epochsUsable bool
}

// Open opens the log in opt.Dir, which must exist; an empty directory becomes an
// empty log. What was not known to be synced is checked, cut where a write was
// torn, and synced before Open returns.
func Open(opt Options, known Known) (*Log, Report, error) {
	began := opt.Now()
	l := &Log{opt: opt, producers: producer.NewState()}
	l.Configure(opt.Config)
	o := &opener{l: l, known: known}
	err := o.run()
	o.report.Took = opt.Now().Sub(began)
	if err != nil {
		for _, s := range o.segments {
			s.Close()
		}
		return nil, o.report, fmt.Errorf("open log %s: %w", opt.Dir, err)
	}
	o.report.Segments = len(l.segments)
	l.firm = l.names
	return l, o.report, nil
}

func (o *opener) run() error {
	if err := o.finishSwaps(); err != nil {
		return err
	}
	names, err := o.list()
	if err != nil {
		return err
	}
	if err := o.loadGaps(); err != nil {
		return err
	}
	if err := o.dropDeleted(names); err != nil {
		return err
	}
	o.loadEpochs()
	o.report.Clean = o.known.Clean && len(o.bases) > 0 && o.bases[len(o.bases)-1] == o.known.Segment && o.openClean()
	if !o.report.Clean {
		if err := o.recover(names); err != nil {
			return err
		}
	} else if err := o.loadState(names, o.known.End); err != nil {
		return err
	}
	return o.publish()
}

// list reads the directory, removes leftovers, and finds the segments.
func (o *opener) list() ([]string, error) {
	l := o.l
	entries, err := l.opt.FS.ReadDir(l.opt.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, segment.TempSuffix) {
			if err := l.opt.FS.Remove(l.path(name)); err != nil {
				return nil, err
			}
			continue
		}
		if base, ok := segment.ParseFileName(name, segment.LogSuffix); ok {
			o.bases = append(o.bases, base)
		}
		names = append(names, name)
	}
	slices.Sort(o.bases)
	return names, nil
}

// Owns says whether a file of this name in a log's directory is one that the log
// makes and may lose without losing a record, or a .log file.
func Owns(name string) bool {
	if name == epochFile || name == gapsFile {
		return true
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, segment.CleanedSuffix), segment.SwapSuffix)
	for _, suffix := range append(segment.Suffixes(), kafkaSnapshot, producersSuffix) {
		if _, ok := segment.ParseFileName(name, suffix); ok {
			return true
		}
	}
	return false
}

// dropDeleted finishes a deletion that raised the log start and was interrupted:
// segments wholly below it go. The last of them stays for a moment if the producer
// state at its end is known from its batches only.
func (o *opener) dropDeleted(names []string) error {
	for len(o.bases) > 1 && o.bases[1] <= o.known.Start {
		last := len(o.bases) == 2 || o.bases[2] > o.known.Start
		if last && !slices.Contains(names, segment.FileName(o.bases[1], producersSuffix)) {
			return nil
		}
		if err := o.remove(o.bases[0]); err != nil {
			return err
		}
		o.bases = o.bases[1:]
	}
	return nil
}

func (o *opener) remove(base int64) error {
	for _, suffix := range append(segment.Suffixes(), kafkaSnapshot, producersSuffix) {
		err := o.l.opt.FS.Remove(o.l.path(segment.FileName(base, suffix)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	o.l.names++
	return nil
}

// openClean opens all segments without scanning. It says false, with nothing
// opened, if anything contradicts the checkpoint.
func (o *opener) openClean() bool {
	opt, dir := o.l.segmentOptions(), o.l.opt.Dir
	last := len(o.bases) - 1
	for i, base := range o.bases {
		var s *segment.Segment
		var err error
		if i < last {
			s, err = segment.OpenSealed(dir, base, opt)
		} else {
			s, err = segment.OpenActive(dir, base, o.known.End, o.known.Size, opt, func(batch.Header) {})
		}
		if err != nil {
			o.l.opt.Logger.Warn("log differs from its checkpoint; scanning it", "dir", dir, "err", err)
			for _, s := range o.segments {
				s.Close()
			}
			o.segments = nil
			return false
		}
		o.segments = append(o.segments, s)
	}
	o.next = o.known.End
	o.l.names++ // the last segment's index files were removed
	return true
}

// recover opens the segments below the recovery point as they are and scans the
// rest.
func (o *opener) recover(names []string) error {
	first := firstToScan(o.bases, o.known.Recovery)
	for i := range first {
		if err := o.openSealed(i); err != nil {
			return err
		}
	}
	if first < len(o.bases) {
		o.report.From = o.bases[first]
		if err := o.loadState(names, o.bases[first]); err != nil {
			return err
		}
		// It may have come from batches that retention is about to delete. At the start of
		// a log that never had a producer there is nothing to keep: many logs are like that.
		if first > 0 || o.l.producers.Len() > 0 || o.hasSnapshot(names, o.bases[first]) {
			if err := o.l.writeSnapshot(o.bases[first], o.l.producers.KafkaSnapshot(), o.l.producers.Snapshot()); err != nil {
				return err
			}
		}
	}
	for i := first; i < len(o.bases); i++ {
		more, err := o.scan(i)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return o.replaceLost()
}

func (o *opener) hasSnapshot(names []string, offset int64) bool {
	return slices.Contains(names, segment.FileName(offset, producersSuffix)) || slices.Contains(names, segment.FileName(offset, kafkaSnapshot))
}

// openSealed opens segment i, which ends at or below the recovery point. If its indexes
// are missing, since the process before died between its Flush and its Seal, or can't be
// right, they are made anew.
func (o *opener) openSealed(i int) error {
	base, durable := o.bases[i], o.known.Recovery
	if i+1 < len(o.bases) {
		durable = min(durable, o.bases[i+1])
	}
	s, err := segment.OpenSealed(o.l.opt.Dir, base, o.l.segmentOptions())
	if err != nil {
		o.l.opt.Logger.Warn("rebuilding indexes of a segment", "dir", o.l.opt.Dir, "base", base, "err", err)
		var r segment.Recovered
		s, r, err = segment.Recover(o.l.opt.Dir, base, durable, o.l.segmentOptions(), func(batch.Header) {})
		if err != nil {
			return err
		}
		o.count(s, r)
		if from := max(r.Next, o.known.Start); from < durable && durable > o.l.gaps.ragged {
			o.lose(from, durable) // the file has lost its end
		}
		if err := s.Seal(); err != nil {
			return err
		}
	}
	o.segments = append(o.segments, s)
	return nil
}

func (o *opener) count(s *segment.Segment, r segment.Recovered) {
	o.report.Scanned++
	o.report.Batches += r.Batches
	o.report.Records += r.Records
	o.report.Bytes += r.Bytes
	o.report.Cut += r.Cut
	if r.CutFile != "" {
		o.report.Aside = append(o.report.Aside, r.CutFile)
	}
	for _, d := range s.Damages() {
		o.report.Damaged = append(o.report.Damaged, Span{d.Offset, d.NextOffset})
	}
}

// scan recovers segment i and says whether the segments behind it belong to the
// log: not if its tail was torn off before they begin.
func (o *opener) scan(i int) (bool, error) {
	l := o.l
	opt := l.segmentOptions()
	opt.NoSyncFailed = o.known.NoSyncFailed
	s, r, err := segment.Recover(l.opt.Dir, o.bases[i], o.known.Recovery, opt, func(h batch.Header) {
		l.producers.Update(&h)
		o.addEpoch(&h)
	})
	if err != nil {
		return false, err
	}
	o.count(s, r)
	o.segments = append(o.segments, s)
	o.next = r.Next
	if i+1 == len(o.bases) {
		return false, nil
	}
	following := o.bases[i+1]
	ragged := r.Next < following && following <= l.gaps.ragged
	if r.Next != following && r.Next >= o.known.Recovery && !ragged {
		return false, o.setAside(o.bases[i+1:])
	}
	if r.Next < following && !ragged {
		o.lose(r.Next, following) // some of it was durable
	}
	if err := s.Seal(); err != nil {
		return false, err
	}
	return true, l.writeSnapshot(o.bases[i+1], l.producers.KafkaSnapshot(), l.producers.Snapshot())
}

// lose notes that offsets are gone of which some were durable.
func (o *opener) lose(from, to int64) {
	o.l.missing = append(o.l.missing, Span{from, to})
	o.report.Damaged = append(o.report.Damaged, Span{from, to})
}

// setAside keeps segments behind a torn tail out of the log.
func (o *opener) setAside(bases []int64) error {
	for _, base := range bases {
		s, r, err := segment.Recover(o.l.opt.Dir, base, 0, o.l.segmentOptions(), func(batch.Header) {})
		if err != nil {
			return err
		}
		o.report.Cut += r.Bytes + r.Cut
		if err := s.SetAside(); err != nil {
			return err
		}
		o.l.opt.Logger.Warn("segment behind a torn tail set aside", "dir", o.l.opt.Dir, "base", base, "bytes", r.Bytes)
	}
	return nil
}

// replaceLost begins a new segment where nothing may be appended to the last one:
// it is damaged, ends before what was durable once, or lies below the log start.
func (o *opener) replaceLost() error {
	l := o.l
	base := max(o.known.Start, 0)
	if n := len(o.segments); n > 0 {
		last := o.segments[n-1]
		if o.next >= max(o.known.Recovery, o.known.Start) && len(last.Damages()) == 0 {
			return nil
		}
		if o.next < o.known.Recovery {
			o.lose(o.next, o.known.Recovery)
		}
		if err := last.Seal(); err != nil {
			return err
		}
		base = max(o.next, base)
	} else if o.known.Recovery > base {
		o.lose(base, o.known.Recovery)
	}
	base = max(base, o.known.Recovery)
	s, err := segment.Create(l.opt.Dir, base, l.segmentOptions())
	if err != nil {
		return err
	}
	o.segments = append(o.segments, s)
	o.next = base
	l.names++
	return nil
}

// loadState loads the producer state as of an offset, and the leader epochs.
func (o *opener) loadState(names []string, offset int64) error {
	from := o.loadProducers(names, offset)
	walkFrom := from
	if !o.epochsUsable {
		walkFrom = 0
	}
	o.rebuilt = append(epoch.List(nil), o.epochs...)
	o.rebuilt.TruncateTo(max(offset, 1))
	for i, s := range o.segments {
		if s.Size() == 0 || i+1 < len(o.segments) && o.segments[i+1].Base() <= walkFrom || walkFrom >= offset {
			continue
		}
		err := s.EachBatch(max(walkFrom, s.Base()), s.Size(), func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
			if err := o.l.opt.Scanned.Err(); err != nil || h.BaseOffset >= offset {
				return false, err
			}
			if h.BaseOffset >= from {
				o.l.producers.Update(&h) // the snapshot has those before
			}
			o.addEpoch(&h)
			return true, nil
		})
		if errors.Is(err, segment.ErrGivenUp) {
			return err
		}
		if err != nil {
			o.l.opt.Logger.Error("part of the producer state is lost with damaged batches", "dir", o.l.opt.Dir, "err", err)
		}
	}
	return nil
}

// addEpoch takes the epoch of a batch into the rebuilt list. Where compaction has
// been, the batch that an epoch began with may be gone: then the checkpoint tells.
func (o *opener) addEpoch(h *batch.Header) {
	if h.LeaderEpoch <= o.rebuilt.Latest() {
		return
	}
	for _, e := range o.l.epochs { // none if there is no checksum
		if e.Epoch <= h.LeaderEpoch && e.Start <= h.BaseOffset && e.Start < o.l.gaps.below {
			o.rebuilt.Add(e.Epoch, e.Start)
		}
	}
	o.rebuilt.Add(h.LeaderEpoch, h.BaseOffset)
}

// loadProducers loads the newest good snapshot that is not newer than offset and
// returns the offset as of which it was taken; 0 if there is none. Snapshots of
// later offsets belong to bytes that are gone, and are removed.
func (o *opener) loadProducers(names []string, offset int64) int64 {
	var offsets []int64
	for _, name := range names {
		for _, suffix := range []string{kafkaSnapshot, producersSuffix} {
			if at, ok := segment.ParseFileName(name, suffix); ok && at > offset {
				o.l.opt.FS.Remove(o.l.path(name))
			} else if ok {
				offsets = append(offsets, at)
			}
		}
	}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	// Kafka's format keeps less: an older one of ours with the batches behind it
	// is worth more than a newer one of Kafka's.
	for _, format := range []struct {
		suffix string
		parse  func([]byte) (*producer.State, error)
	}{{producersSuffix, producer.ParseSnapshot}, {kafkaSnapshot, producer.ParseKafkaSnapshot}} {
		for _, at := range slices.Backward(offsets) {
			state, err := o.readSnapshot(at, format.suffix, format.parse)
			if err == nil {
				o.l.producers = state
				o.dropSnapshots(offsets, at)
				return at
			}
			if !errors.Is(err, fs.ErrNotExist) {
				o.l.opt.Logger.Warn("producer snapshot not usable", "dir", o.l.opt.Dir, "offset", at, "err", err)
			}
		}
	}
	return 0
}

// dropSnapshots removes the snapshots that earlier shutdowns left between the
// segments; those at a segment's base stay with it.
func (o *opener) dropSnapshots(offsets []int64, newest int64) {
	for _, at := range offsets {
		if at == newest || slices.Contains(o.bases, at) || len(o.bases) == 0 {
			continue
		}
		for _, suffix := range []string{kafkaSnapshot, producersSuffix} {
			o.l.opt.FS.Remove(o.l.path(segment.FileName(at, suffix)))
		}
	}
}

func (o *opener) readSnapshot(at int64, suffix string, parse func([]byte) (*producer.State, error)) (*producer.State, error) {
	b, err := readAll(o.l.opt.FS, o.l.path(segment.FileName(at, suffix)))
	if err != nil {
		return nil, err
	}
	return parse(b)
}

// loadEpochs reads the leader epoch checkpoint. One that carries its checksum is
// what recovery holds batches against.
func (o *opener) loadEpochs() {
	b, err := readAll(o.l.opt.FS, o.l.path(epochFile))
	if errors.Is(err, fs.ErrNotExist) && len(o.bases) == 0 {
		o.epochsUsable = true
		return
	}
	var sealed bool
	if err == nil {
		o.epochs, sealed, err = epoch.Parse(b)
	}
	if err != nil {
		o.l.opt.Logger.Warn("leader epochs are made again from the log", "dir", o.l.opt.Dir, "err", err)
		return
	}
	o.epochsUsable, o.epochsFile = true, b
	if sealed {
		o.l.epochs = o.epochs
	}
}

// publish makes the log ready.
func (o *opener) publish() error {
	l := o.l
	first := o.segments[0].Base()
	last := o.segments[len(o.segments)-1]
	l.segments = o.segments
	l.next = Position{Offset: o.next, Segment: last.Base(), Pos: last.Size()}
	l.end, l.flushed = l.next, l.next
	l.start = min(max(o.known.Start, first), o.next)
	if err := l.closeGaps(); err != nil {
		return err // a truncation may have been cut off before it did this
	}
	if l.cleaned = min(o.known.Cleaned, l.gaps.below); o.known.Cleaned > o.next {
		l.cleaned = 0
	}
	o.rebuilt.TruncateTo(o.next)
	o.rebuilt.StartAt(l.start)
	l.epochs = o.rebuilt
	if o.report.Clean {
		return nil
	}
	if !bytes.Equal(o.epochsFile, l.epochs.Format()) { // else it was synced before it got its name
		if err := l.writeEpochs(l.epochs); err != nil {
			return err
		}
	}
	l.synced = l.names // all names come before the first flush counts
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return err
	}
	for len(l.segments) > 1 && l.segments[1].Base() <= l.start {
		if err := l.removeSegment(l.segments[0]); err != nil {
			return err
		}
		l.segments = l.segments[1:]
		l.names++
	}
	return nil
}

// maxStateFile bounds the files that are read into memory at start.
const maxStateFile = 1 << 30

func readAll(fsys vfs.FS, name string) ([]byte, error) {
	return vfs.ReadFile(fsys, name, maxStateFile)
}
