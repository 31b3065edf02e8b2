package log

import (
	"fmt"
	"slices"
	"strings"

	"sordini/log/producer"
	"sordini/segment"
)

// Examine looks at the segments of a log that nobody has open, of which opt says FS,
// Dir, Handles, Logger and IndexInterval, or at the one that begins at only, if that is
// not negative. It writes nothing. With restore it looks for batch headers that can be
// put right.
//
// A log in which a compaction was interrupted is refused: opening it ends that.
func Examine(opt Options, only int64, restore bool) ([]*segment.Repair, error) {
	o := &opener{l: &Log{opt: opt, producers: producer.NewState()}}
	if err := o.listUnchanged(); err != nil {
		return nil, fmt.Errorf("examine log %s: %w", opt.Dir, err)
	}
	if err := o.loadGaps(); err != nil {
		return nil, fmt.Errorf("examine log %s: %w", opt.Dir, err)
	}
	o.loadEpochs()
	var found []*segment.Repair
	for i, base := range o.bases {
		if only >= 0 && base != only {
			continue
		}
		ro := segment.RepairOptions{Options: o.l.segmentOptions(), Following: -1}
		if i+1 < len(o.bases) {
			ro.Following = o.bases[i+1]
		}
		r, err := segment.Examine(opt.Dir, base, ro, restore)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("examine log %s: no segment", opt.Dir)
	}
	return found, nil
}

// listUnchanged finds the segments, and removes nothing.
func (o *opener) listUnchanged() error {
	entries, err := o.l.opt.FS.ReadDir(o.l.opt.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segment.SwapSuffix) {
			return fmt.Errorf("%s: a compaction was interrupted; let the server open the log first, or recover", e.Name())
		}
		if base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix); ok {
			o.bases = append(o.bases, base)
		}
	}
	slices.Sort(o.bases)
	return nil
}
