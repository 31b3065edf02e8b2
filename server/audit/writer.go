package audit

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/partition"
	"sordini/server/wire"
)

const (
	// batchBytes is the size from which on a batch is appended.
	batchBytes = 256 << 10
	// batchClients is the number of clients from which on it is.
	batchClients = 4096
	// checkpointBytes is how much is written at least between two checkpoints, and
	// checkpointShare times the size of one if that is more.
	checkpointBytes = 1 << 20
	checkpointShare = 16
	// checkpointRecord is the size from which on a checkpoint goes on in another record.
	checkpointRecord = 64 << 10
)

// writer makes batches out of what was heard. It belongs to the holder of
// Recorder.work, and keeps its memory.
type writer struct {
	r *Recorder

	found []entry // of recovery, to be written with the next round
	pages []page
	index map[*partition.Partition]int // into pages

	builder batch.Builder
	append  *log.Append
	clients map[*wire.Client]int // of the batch at hand
	order   []*wire.Client       // by number
	key     []byte
	value   []byte
	now     int64 // ms since 1970, of the round
	entries int64 // in the batch at hand
	gap     Gap   // what was dropped since the last gap was written
	failing bool  // the last batch could not be appended

	due     int64 // bytes to write until the next checkpoint
	extents []extent
}

func (w *writer) init(r *Recorder) {
	w.r, w.append = r, log.NewAppend()
	w.index, w.clients = make(map[*partition.Partition]int), make(map[*wire.Client]int)
}

// page is the entries of one partition in a round.
type page struct {
	partition *partition.Partition
	entries   []entry
	appended  int // number of the last append among entries; -1: there is none
	flushed   int // of the last flush
}

// add takes an entry in, or lets the one before it of its kind stand for it too.
func (p *page) add(e *entry) {
	last := &p.appended
	if e.client == nil {
		last = &p.flushed
	}
	if *last >= 0 && p.entries[*last].follows(e) {
		p.entries[*last].to, p.entries[*last].last = e.to, e.last
		return
	}
	*last = len(p.entries)
	p.entries = append(p.entries, *e)
}

// run writes what has come since the last round.
func (w *writer) run(calls []groupCall, gap Gap) {
	w.now = w.r.opt.Now().UnixMilli()
	w.drop(gap)
	w.writeCommits(calls)
	if !w.waiting() && w.gap.empty() {
		return
	}
	if w.due <= 0 {
		// Before the rings are taken: what a checkpoint does not have comes behind it.
		w.survey()
	}
	for i := range w.found {
		w.sort(&w.found[i])
	}
	w.found = nil
	w.writePages()
	for i := range w.r.rings {
		ring := &w.r.rings[i]
		entries, dropped := ring.take()
		w.drop(dropped)
		if entries == nil {
			continue
		}
		for i := range entries {
			w.sort(&entries[i])
		}
		ring.give(entries)
		w.writePages()
	}
	if w.gap.empty() {
		w.finish(pagesPartition)
		return
	}
	w.add(kindGap, place{}, appendGap(w.value[:0], w.gap))
	if w.finish(pagesPartition) {
		w.gap = Gap{}
	}
}

// drop counts what was dropped, to be told when something can be written.
func (w *writer) drop(g Gap) {
	w.gap.add(g)
	w.r.opt.Metrics.AuditDropped.Add(g.Appends + g.Flushes + g.Commits)
}

// waiting says whether there is anything to write.
func (w *writer) waiting() bool {
	if len(w.found) > 0 {
		return true
	}
	for i := range w.r.rings {
		r := &w.r.rings[i]
		r.mu.Lock()
		some := len(r.filled) > 0 || !r.dropped.empty()
		r.mu.Unlock()
		if some {
			return true
		}
	}
	return false
}

// sort puts an entry on the page of its partition.
func (w *writer) sort(e *entry) {
	i, ok := w.index[e.partition]
	if !ok {
		i = len(w.pages)
		w.index[e.partition] = i
		if w.pages = slices.Grow(w.pages, 1)[:i+1]; w.pages[i].entries == nil {
			w.pages[i].entries = make([]entry, 0, 16)
		}
		w.pages[i] = page{partition: e.partition, entries: w.pages[i].entries[:0], appended: -1, flushed: -1}
	}
	w.pages[i].add(e)
}

// writePages adds all pages to batches and empties them.
func (w *writer) writePages() {
	for i := range w.pages {
		p := &w.pages[i]
		w.addPage(p)
		clear(p.entries)
		p.partition = nil
	}
	w.pages = w.pages[:0]
	clear(w.index)
}

func (w *writer) addPage(p *page) {
	first := &p.entries[0]
	base := pageBase{epoch: p.partition.Log().LeaderEpoch(), offset: first.from, time: first.at}
	b := appendPage(w.value[:0], base)
	for i := range p.entries {
		e := &p.entries[i]
		f := fact{span: e.span, client: -1, by: e.by}
		if e.client != nil {
			f.client = w.number(e.client)
		}
		b = appendFact(b, &base, &f)
		w.entries++
	}
	w.add(kindPage, place{p.partition.ID, p.partition.Index}, b)
	if w.builder.Size() >= batchBytes || len(w.order) >= batchClients {
		w.finish(pagesPartition)
	}
}

// number is that of a client in the batch at hand.
func (w *writer) number(c *wire.Client) int {
	n, ok := w.clients[c]
	if !ok {
		n = len(w.order)
		w.clients[c], w.order = n, append(w.order, c)
	}
	return n
}

// add adds a record to the batch at hand. The value is in w.value's memory.
func (w *writer) add(kind byte, p place, value []byte) {
	if w.key = append(w.key[:0], formatVersion, kind); kind == kindPage || kind == kindCommits {
		w.key = appendKey(w.key[:0], kind, p)
	}
	w.value = value
	w.builder.Add(w.now, w.key, value)
}

// finish appends the batch at hand to a partition of the topic. It says false if that
// failed: the entries are dropped.
func (w *writer) finish(index int) bool {
	if w.builder.Len() == 0 {
		return true
	}
	if len(w.order) > 0 {
		b := binary.AppendUvarint(w.value[:0], uint64(len(w.order)))
		for _, c := range w.order {
			b = appendText(b, cut(c.ID))
			b = appendAddress(b, c.Address)
			b = appendText(b, cut(c.Listener))
		}
		w.add(kindClients, place{}, b)
	}
	err := w.r.appendTo(index, w.append, &w.builder)
	if index == pagesPartition {
		w.due -= int64(w.builder.Size())
	}
	if err != nil {
		w.failed(index, err)
	} else {
		w.r.opt.Metrics.AuditEntries.Add(w.entries)
	}
	w.failing = err != nil
	w.builder.Reset()
	clear(w.clients)
	clear(w.order)
	w.order, w.entries = w.order[:0], 0
	return err == nil
}

// failed drops the entries of a batch that could not be appended, and logs the first.
func (w *writer) failed(index int, err error) {
	lost := Gap{From: w.now * 1000, To: w.now * 1000, Appends: w.entries}
	if index == commitsPartition {
		lost.Appends, lost.Commits = 0, w.entries
	}
	w.drop(lost)
	w.due = 0
	if !w.failing {
		w.r.opt.Logger.Error("audit not written; entries are dropped until it can be", "entries", w.entries, "err", err)
	}
}

// survey writes a checkpoint.
func (w *writer) survey() {
	w.extents = w.extents[:0]
	for _, p := range w.r.set.All() {
		end := p.Log().State().End.Offset
		if end == 0 || p.Topic == Topic {
			continue
		}
		w.extents = append(w.extents, extent{place{p.ID, p.Index}, p.Log().LeaderEpoch(), end, p.DurableTo()})
	}
	var body []byte
	n := 0
	flush := func() {
		b := binary.AppendUvarint(w.value[:0], uint64(n))
		w.add(kindCheckpoint, place{}, append(b, body...))
		body, n = body[:0], 0
	}
	for i := range w.extents {
		body = appendExtent(body, &w.extents[i])
		if n++; len(body) >= checkpointRecord {
			flush()
		}
	}
	if n > 0 || len(w.extents) == 0 {
		flush()
	}
	due := max(checkpointBytes, checkpointShare*int64(w.builder.Size()))
	if w.finish(pagesPartition) {
		w.due = due
	}
}

// writeCommits writes the commits of calls for partitions with audit.enable.
func (w *writer) writeCommits(calls []groupCall) {
	if len(calls) == 0 {
		return
	}
	places := make(map[place][]*GroupEvent)
	for i := range calls {
		for j := range calls[i].events {
			e := &calls[i].events[j]
			if e.Kind != OffsetCommitted {
				continue
			}
			if p := w.r.set.GetByID(e.TopicID, e.Partition); p != nil && p.Audited() {
				at := place{e.TopicID, e.Partition}
				places[at] = append(places[at], e)
			}
		}
	}
	inOrder := slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return cmp.Or(slices.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.index, b.index))
	})
	for _, at := range inOrder {
		base := places[at][0].At.UnixMicro()
		b := binary.AppendVarint(w.value[:0], base)
		for _, e := range places[at] {
			client := e.Client
			if client == nil {
				client = nobody
			}
			b = appendCommit(b, base, cut(e.Group), e.New, e.At.UnixMicro(), w.number(client))
			w.entries++
		}
		w.add(kindCommits, at, b)
		if w.builder.Size() >= batchBytes || len(w.order) >= batchClients {
			w.finish(commitsPartition)
		}
	}
	w.finish(commitsPartition)
}

var nobody = new(wire.Client)
