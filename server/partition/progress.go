package partition

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/segment"
	"sordini/server/metrics"
)

// Phase is what an Open is at.
type Phase int32

// Phases, in order.
const (
	PhaseBefore  Phase = iota // logs are not looked at yet
	PhaseJournal              // batches are written back from the journal
	PhaseLogs                 // logs are opened, and scanned where that is needed
	PhaseOpened               // all is open
)

// String is the name that people and programs are told.
func (p Phase) String() string {
	switch p {
	case PhaseBefore:
		return "starting"
	case PhaseJournal:
		return "journal"
	case PhaseLogs:
		return "logs"
	}
	return "opened"
}

// Progress tells how far an Open is. The zero value is ready; all methods may be
// called concurrently, and beside the Open.
type Progress struct {
	// KeepDetails has Details remember each partition; set it before the Open.
	KeepDetails bool
	// GiveUp, once it is closed, has the Open end soon, without a result; nil: it takes as
	// long as it takes. Set it before the Open.
	GiveUp <-chan struct{}

	phase               atomic.Int32
	began               atomic.Int64 // the phase, ns since 1970
	partitions, planned atomic.Int64
	scanned             segment.Scanned
	segments, bytes     atomic.Int64 // to be scanned
	entries, journaled  atomic.Int64 // of the journal, written back
	journalSize         atomic.Int64
	reportMu            sync.Mutex
	report              *Report
	details             []Detail
}

// Detail is what opening one partition found and did.
type Detail struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Clean     bool       `json:"clean"`   // nothing had to be scanned
	From      int64      `json:"from"`    // offset from which it was scanned
	Scanned   int        `json:"scanned"` // segments
	Batches   int64      `json:"batches"` // in those, as Records and Bytes
	Records   int64      `json:"records"`
	Bytes     int64      `json:"bytes"`
	Cut       int64      `json:"cut"`     // bytes
	Aside     []string   `json:"aside"`   // files that keep what was cut
	Damaged   []log.Span `json:"damaged"` // offsets that cannot be read

	JournalEntries int64  `json:"journalEntries"`  // written back
	Error          string `json:"error,omitempty"` // why it is offline
}

// Done is how much is done of what there is to do.
type Done struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// JournalDone is how much of the journal was written back. Total is the bytes of its
// files, which are seldom full.
type JournalDone struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"` // of batches
	Total   int64 `json:"totalAtMost"`
}

// Stage is a Progress at one moment. Partitions are those that are open, Segments and
// Bytes those that had to be scanned.
type Stage struct {
	Phase      Phase       `json:"-"`
	Name       string      `json:"phase"`
	Partitions Done        `json:"partitions"`
	Segments   Done        `json:"segments"`
	Bytes      Done        `json:"bytes"`
	Journal    JournalDone `json:"journal"`
	// Estimate is the seconds that the phase will go on for, if it goes on as it did;
	// nil while that is not known.
	Estimate *float64 `json:"estimateSeconds,omitempty"`
	Report   *Report  `json:"report,omitempty"` // once all is open
}

// Stage returns how far it is now.
func (p *Progress) Stage() Stage {
	s := Stage{
		Phase:      Phase(p.phase.Load()),
		Partitions: Done{p.partitions.Load(), p.planned.Load()},
		Segments:   Done{p.scanned.Segments.Load(), p.segments.Load()},
		Bytes:      Done{p.scanned.Bytes.Load(), p.bytes.Load()},
		Journal:    JournalDone{p.entries.Load(), p.journaled.Load(), p.journalSize.Load()},
	}
	s.Name = s.Phase.String()
	// What nobody expected to be scanned was scanned too: indexes were missing.
	s.Segments.Total = max(s.Segments.Total, s.Segments.Done)
	s.Bytes.Total = max(s.Bytes.Total, s.Bytes.Done)
	if s.Phase == PhaseLogs {
		s.Estimate = s.estimate(time.Since(time.Unix(0, p.began.Load())))
	}
	p.reportMu.Lock()
	s.Report = p.report
	p.reportMu.Unlock()
	return s
}

// estimate goes by bytes if there are any to scan, else by partitions.
func (s *Stage) estimate(passed time.Duration) *float64 {
	of := s.Bytes
	if of.Total == 0 {
		of = s.Partitions
	}
	if of.Done == 0 || passed <= 0 {
		return nil
	}
	left := passed.Seconds() * float64(of.Total-of.Done) / float64(of.Done)
	return &left
}

// Recovery is the Stage as metrics show it.
func (p *Progress) Recovery() metrics.Recovery {
	s := p.Stage()
	return metrics.Recovery{
		PartitionsDone: s.Partitions.Done, PartitionsPlanned: s.Partitions.Total,
		SegmentsDone: s.Segments.Done, SegmentsPlanned: s.Segments.Total,
		BytesDone: s.Bytes.Done, BytesPlanned: s.Bytes.Total, JournalEntries: s.Journal.Entries,
	}
}

// MarshalJSON gives the time in seconds.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	return json.Marshal(struct {
		plain
		Seconds float64 `json:"seconds"`
	}{plain(r), r.Took.Seconds()})
}

func (p *Progress) enter(phase Phase) {
	p.began.Store(time.Now().UnixNano())
	p.phase.Store(int32(phase))
}

// opened counts a partition.
func (p *Progress) opened(o *opening) {
	p.partitions.Add(1)
	if !p.KeepDetails {
		return
	}
	r := o.report
	d := Detail{
		Topic: o.topic.Name, Partition: o.index, Clean: r.Clean, From: r.From, Scanned: r.Scanned, Batches: r.Batches,
		Records: r.Records, Bytes: r.Bytes, Cut: r.Cut, Aside: append([]string{}, r.Aside...), Damaged: append([]log.Span{}, r.Damaged...),
		JournalEntries: o.entries,
	}
	if _, err := o.result.Offsets(); err != nil {
		d.Error = err.Error()
	}
	p.reportMu.Lock()
	p.details = append(p.details, d)
	p.reportMu.Unlock()
}

// Details are the partitions that were opened, by topic and number, if KeepDetails
// was set.
func (p *Progress) Details() []Detail {
	p.reportMu.Lock()
	defer p.reportMu.Unlock()
	all := slices.Clone(p.details)
	slices.SortFunc(all, func(a, b Detail) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// finish notes the result. From here on nothing is given up.
func (p *Progress) finish(r Report) {
	p.scanned.GiveUp = nil
	p.reportMu.Lock()
	p.report = &r
	p.reportMu.Unlock()
	p.enter(PhaseOpened)
}

// replayed counts an entry of the journal.
func (p *Progress) replayed(bytes int) {
	p.entries.Add(1)
	p.journaled.Add(int64(bytes))
}

// planJournal begins with the journal.
func (s *Set) planJournal(partitions int) {
	p := s.opt.Progress
	p.planned.Add(int64(partitions))
	for _, v := range s.volumes {
		if v.offline() != nil {
			continue
		}
		entries, _ := s.opt.FS.ReadDir(v.journalPath())
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				p.journalSize.Add(info.Size())
			}
		}
	}
	p.enter(PhaseJournal)
}

// planLogs finds out what will be scanned. It costs a listing of each directory, so
// it is left out where nothing should be.
func (s *Set) planLogs(all []*opening) {
	p := s.opt.Progress
	p.enter(PhaseLogs)
	s.eachOpening(all, func(o *opening) {
		if o.known.Clean || o.cause != nil || o.volume.offline() != nil {
			return
		}
		segments, bytes := log.Extent(s.opt.FS, o.volume.dirOf(o.topic.Name, o.index), o.known)
		p.segments.Add(int64(segments))
		p.bytes.Add(bytes)
	})
}

// noteReport completes a report by what the journal gave.
func (s *Set) noteReport(r *Report) {
	r.JournalEntries, r.JournalBytes = s.opt.Progress.entries.Load(), s.opt.Progress.journaled.Load()
	s.opt.Progress.finish(*r)
}
