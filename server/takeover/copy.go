package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// workers is how many partitions are copied at a time: syncs take longer than copying
// where partitions are small.
const workers = 4

// survey is what will read a partition.
func (r *run) survey(p *plan, index int32) *survey {
	compacted := strings.Contains(p.configs["cleanup.policy"], "compact")
	at := &p.places[index]
	s := &survey{
		from: r.opt.Source, dir: at.dir, to: r.opt.FS, known: at.known(p.name, compacted), damaged: r.opt.Damaged,
		read: func(n int64) {
			r.bytes.Add(n)
			r.tell(false)
		},
	}
	s.Partition = index
	s.Damaged = []log.Span{}
	return s
}

// copies reads all partitions of a topic, and copies them unless it is a dry run. After
// an error of one the others are given up.
func (r *run) copies(ctx context.Context, p *plan, t *TopicReport) ([]*survey, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([]*survey, len(p.places))
	work := make(chan int)
	var running sync.WaitGroup
	for range min(workers, len(all)) {
		running.Go(func() {
			for i := range work {
				if err := r.copy(ctx, p, all[i]); err != nil {
					cancel(fmt.Errorf("partition %d: %w", i, err))
				}
			}
		})
	}
	for i := range all {
		all[i] = r.survey(p, int32(i))
		work <- i
	}
	close(work)
	running.Wait()
	err := context.Cause(ctx)
	for _, s := range all {
		t.Partitions = append(t.Partitions, s.PartitionReport)
		t.Records += s.Records
		t.Bytes += s.Bytes
		t.Damage = t.Damage || s.hurt
		if err == nil && !r.opt.Uncommitted && s.Aborted+s.Unfinished > 0 {
			err = fmt.Errorf("partition %d: %w", s.Partition, &refusal{reason: fmt.Sprintf(
				"%d transactions in it were aborted and %d never ended; consumers would get their records", s.Aborted, s.Unfinished)})
		}
	}
	var no *refusal
	if errors.As(err, &no) {
		err = &refusal{err.Error(), no.damage} // with the partition
	}
	return all, err
}

// copy reads one partition, and copies it.
func (r *run) copy(ctx context.Context, p *plan, s *survey) error {
	s.ctx = ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.opt.DryRun {
		return s.run()
	}
	s.target = r.to.aside(p, s.Partition)
	if err := r.opt.FS.Mkdir(s.target); err != nil {
		return err
	}
	if err := s.run(); err != nil {
		return err
	}
	identity := fmt.Appendf(nil, "version: 0\ntopic_id: %s", p.id)
	return vfs.WriteSynced(r.opt.FS, filepath.Join(s.target, identityFile), identity)
}

// open opens the copies as logs, which makes their indexes, and closes them in order.
// It returns what a checkpoint says of them.
func (r *run) open(p *plan, t *TopicReport, copies []*survey) ([]checkpoint.Entry, error) {
	entries := make([]checkpoint.Entry, len(copies))
	errs := make([]error, len(copies))
	slots := make(chan struct{}, workers)
	var running sync.WaitGroup
	for i, s := range copies {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			entries[i], errs[i] = r.openOne(p, t, s)
		})
	}
	running.Wait()
	for i, s := range copies {
		t.Partitions[i] = s.PartitionReport
		if errs[i] != nil {
			return nil, fmt.Errorf("partition %d: %w", i, errs[i])
		}
	}
	return entries, nil
}

func (r *run) openOne(p *plan, t *TopicReport, s *survey) (checkpoint.Entry, error) {
	settings := r.opt.Values.Broker().Topic(t.Configs)
	l, found, err := log.Open(log.Options{
		FS: r.opt.FS, Dir: s.target, Handles: r.handles, Now: r.opt.Now, Logger: slog.New(slog.DiscardHandler),
		IndexInterval: settings.IndexIntervalBytes,
	}, log.Known{Start: s.Start, Recovery: s.durable(), NoSyncFailed: true, Ragged: s.sparse})
	if err != nil {
		return checkpoint.Entry{}, err
	}
	st := l.State()
	if err := l.Close(); err != nil {
		return checkpoint.Entry{}, err
	}
	if !s.hurt && (len(found.Damaged) > 0 || st.End.Offset != s.next || found.Cut > 0) {
		return checkpoint.Entry{}, fmt.Errorf("the copy in %s differs from what was read: it ends at %d, not %d, %d bytes cut, damaged %v",
			s.target, st.End.Offset, s.next, found.Cut, found.Damaged)
	}
	for _, d := range append(found.Damaged, s.missing...) {
		if d = s.clip(d); !slices.Contains(s.Damaged, d) {
			s.Damaged = append(s.Damaged, d)
		}
	}
	slices.SortFunc(s.Damaged, func(a, b log.Span) int { return cmp.Compare(a.From, b.From) })
	s.Start, s.End = st.Start, st.End.Offset
	if s.hurt {
		s.Records, s.Bytes = found.Records, found.Bytes
	}
	return checkpoint.Entry{
		Topic: p.id, Start: st.Start, Recovery: st.End.Offset, High: st.End.Offset,
		End: st.End.Offset, Segment: st.End.Segment, Size: st.End.Pos,
	}, nil
}

// clip ends a damaged stretch where the next segment begins.
func (s *survey) clip(d log.Span) log.Span {
	for _, base := range s.bases {
		if base > d.From {
			d.To = min(d.To, base)
			break
		}
	}
	return d
}

// records make the topic. Its leader epoch begins above those in its logs, and producer
// ids that are in them are not handed out again.
func (r *run) records(p *plan, t *TopicReport, copies []*survey) []meta.Record {
	highest, producer := p.epoch, r.from.next-1
	for _, s := range copies {
		highest = max(highest, s.highest)
		producer = max(producer, s.producer)
	}
	var records []meta.Record
	if next := producer + 1; next > r.to.image().NextProducerID() && producer < math.MaxInt64/2 {
		records = append(records, meta.ProducerIDsReserved{Next: next})
	}
	return append(records, meta.TopicCreated{
		Name: p.name, ID: p.id, Partitions: int32(len(p.places)), Configs: t.Configs, Internal: p.name == GroupsTopic,
		FirstEpoch: min(highest, math.MaxInt32-1) + 1,
	})
}
