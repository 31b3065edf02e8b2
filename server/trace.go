package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/server/admin"
	"sordini/server/audit"
	"sordini/server/group/shard"
	"sordini/server/partition"
)

// maxTraced is the size in bytes of the largest batch that is looked into for a record.
const maxTraced = 64 << 20

// trace answers GET /v1/topics/TOPIC/trace.
func (s *Server) trace(ctx context.Context, q admin.TraceQuery) (admin.TraceAnswer, error) {
	a := admin.TraceAnswer{JSONVersion: 1, Topic: q.Topic, Groups: []admin.TracedGroup{}, Changes: []audit.Change{}}
	p, offset, err := s.traced(q)
	if err != nil {
		return a, err
	}
	a.TopicID, a.Partition, a.Offset = p.ID.String(), p.Index, offset
	a.AuditEnable = p.Audited()
	epoch, err := describeStored(p, offset, &a)
	if err != nil {
		return a, err
	}
	commits := s.commits(p)
	question := audit.Query{TopicID: p.ID, Partition: p.Index, Epoch: epoch, Offset: offset}
	for _, c := range commits {
		if c.Offset > offset {
			question.Groups = append(question.Groups, c.Group)
		}
	}
	t, err := s.audit.Trace(ctx, question)
	if err != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("the audit could not be read to its end: %v", err))
	}
	a.Appended = appended(&a, &t)
	a.Flushed = flushed(&t, p.DurableTo() > offset)
	a.Groups = passed(offset, commits, &t)
	a.Changes = append(a.Changes, t.Changes...)
	return a, nil
}

// traced finds the partition and the offset that are asked about.
func (s *Server) traced(q admin.TraceQuery) (*partition.Partition, int64, error) {
	partitions := s.set.Topic(q.Topic)
	switch {
	case len(partitions) == 0:
		return nil, 0, &admin.StatusError{Status: http.StatusNotFound, Text: fmt.Sprintf("there is no topic %q", q.Topic)}
	case int(q.Partition) >= len(partitions):
		return nil, 0, &admin.StatusError{Status: http.StatusNotFound,
			Text: fmt.Sprintf("topic %q has %d partitions, there is no %d", q.Topic, len(partitions), q.Partition)}
	case q.Partition >= 0:
		partitions = partitions[q.Partition:][:1]
	case q.Key == nil && len(partitions) > 1:
		return nil, 0, &admin.StatusError{Status: http.StatusBadRequest, Text: "an offset needs a partition"}
	}
	if q.Key == nil {
		return partitions[0], q.Offset, nil
	}
	var found *partition.Partition
	var newest batch.Record
	more := false
	for _, p := range partitions {
		answer, err := query(p, admin.RecordsQuery{Key: q.Key, Offset: -1, Limit: 1, Last: true}, int64(len(partitions)))
		if err != nil {
			return nil, 0, err
		}
		if len(answer.Records) == 0 {
			more = more || answer.More
		} else if r := answer.Records[0]; found == nil || r.Timestamp > newest.Timestamp {
			found, newest = p, r
		}
	}
	if found == nil {
		text := "no record has this key"
		if more {
			text = "no record was found with this key, and more could not be read in one query: index.key=true makes keys easy to find"
		}
		return nil, 0, &admin.StatusError{Status: http.StatusNotFound, Text: text}
	}
	return found, newest.Offset, nil
}

// describeStored fills in what the segment holds, and returns the leader epoch of the
// batch.
func describeStored(p *partition.Partition, offset int64, a *admin.TraceAnswer) (int32, error) {
	r, o, err := p.Read(offset, 1, true)
	switch {
	case errors.Is(err, log.ErrOffsetOutOfRange), err == nil && offset >= o.High.Offset:
		return 0, &admin.StatusError{Status: http.StatusRequestedRangeNotSatisfiable,
			Text: fmt.Sprintf("offset %d is out of range: partition %d has %d to %d", offset, p.Index, o.Start, o.High.Offset-1)}
	case err != nil:
		return 0, storedError(p, err)
	}
	defer r.Release()
	b := make([]byte, min(r.Len(), batch.HeaderSize))
	if _, err := r.ReadAt(b, 0); err != nil && r.Len() > batch.HeaderSize {
		return 0, storedError(p, err)
	}
	h, err := batch.ParseHeader(b)
	if err != nil || h.BaseOffset > offset || h.LastOffset() < offset {
		return 0, &admin.StatusError{Status: http.StatusNotFound, Text: fmt.Sprintf("offset %d is not in the log any more: compaction has removed it", offset)}
	}
	a.Segment = admin.TracedSegment{File: log.DirName(p.Topic, p.Index) + "/" + segment.FileName(r.Segment(), segment.LogSuffix), Position: r.Pos()}
	a.Batch = describeBatch(&h)
	if r.Len() > maxTraced {
		a.Notes = append(a.Notes, "the batch is too large to look into")
		return h.LeaderEpoch, nil
	}
	b = make([]byte, r.Len())
	if _, err := r.ReadAt(b, 0); err != nil {
		return 0, storedError(p, err)
	}
	for rec, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			a.Notes = append(a.Notes, fmt.Sprintf("the records of the batch cannot be read: %v", err))
			break
		}
		if rec.Offset == offset {
			a.Record = describeRecord(rec, &h)
			break
		}
	}
	if a.Record == nil && a.Notes == nil {
		a.Notes = append(a.Notes, "the batch does not hold the record any more: compaction has removed it")
	}
	return h.LeaderEpoch, nil
}

func storedError(p *partition.Partition, err error) error {
	status := http.StatusServiceUnavailable
	var corrupt *segment.CorruptError
	if errors.As(err, &corrupt) {
		status = http.StatusInternalServerError
	}
	return &admin.StatusError{Status: status, Text: fmt.Sprintf("%s-%d: %v", p.Topic, p.Index, err)}
}

func describeBatch(h *batch.Header) admin.TracedBatch {
	kind := "CreateTime"
	if h.IsLogAppendTime() {
		kind = "LogAppendTime"
	}
	return admin.TracedBatch{
		BaseOffset: h.BaseOffset, LastOffset: h.LastOffset(), Records: h.Count, Bytes: h.Size(), Codec: h.Codec().String(),
		CRC: fmt.Sprintf("%08x", h.CRC), LeaderEpoch: h.LeaderEpoch, TimestampType: kind, MaxTimestamp: h.MaxTimestamp,
		ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence,
	}
}

func describeRecord(r batch.Record, h *batch.Header) *admin.TracedRecord {
	t := &admin.TracedRecord{Timestamp: r.Timestamp, ValueBytes: len(r.Value), Headers: r.HeaderCount()}
	if h.IsLogAppendTime() {
		t.Timestamp = h.MaxTimestamp
	}
	if r.Value == nil {
		t.ValueBytes = -1
	}
	t.Key, t.KeyBase64 = admin.Text(r.Key)
	return t
}

// commits are what groups have committed for a partition of the topic that it now
// belongs to.
func (s *Server) commits(p *partition.Partition) []shard.Commit {
	var all []shard.Commit
	for _, c := range s.groups.Commits(p.Topic, p.Index) {
		if c.TopicID == [16]byte{} || c.TopicID == p.ID {
			all = append(all, c)
		}
	}
	return all
}

// moment is a time, or two if they differ, in microseconds since 1970.
func moment(from, to int64) admin.Moment {
	at := time.UnixMicro(from).UTC()
	m := admin.Moment{Recorded: true, At: &at}
	if to > from {
		until := time.UnixMicro(to).UTC()
		m.Until = &until
	}
	return m
}

func told(c audit.Client) admin.TracedClient {
	return admin.TracedClient{Principal: audit.Anonymous, ClientID: c.ID, Address: c.Address, Listener: c.Listener}
}

func appended(a *admin.TraceAnswer, t *audit.Trace) admin.TracedAppend {
	if t.Appended != nil {
		return admin.TracedAppend{Moment: moment(t.Appended.From, t.Appended.To), TracedClient: told(t.Appended.Client)}
	}
	var why []string
	var dropped int64
	for _, g := range t.Gaps {
		dropped += g.Appends
	}
	switch {
	case dropped > 0:
		first, last := t.Gaps[0], t.Gaps[len(t.Gaps)-1]
		why = append(why, fmt.Sprintf("%d entries were dropped about then, from %s to %s", dropped,
			time.UnixMicro(first.From).UTC().Format(time.RFC3339Nano), time.UnixMicro(last.To).UTC().Format(time.RFC3339Nano)))
	case t.Oldest == 0 && !a.AuditEnable:
		why = append(why, "audit.enable is not set for the topic")
	default:
		why = append(why, "audit.enable was not set then, or the server was killed within moments, or the audit keeps it no more")
	}
	if t.Oldest > 0 {
		why = append(why, "the audit goes back to "+time.UnixMilli(t.Oldest).UTC().Format(time.RFC3339Nano))
	}
	return admin.TracedAppend{Moment: admin.Moment{Why: strings.Join(why, "; ")}}
}

func flushed(t *audit.Trace, durable bool) admin.TracedFlush {
	f := admin.TracedFlush{Durable: durable}
	switch {
	case t.Flushed != nil:
		f.Moment, f.By, f.Latest = moment(t.Flushed.From, t.Flushed.To), t.Flushed.By.String(), t.Flushed.Late
	case durable:
		f.Why = "when was not recorded"
	default:
		f.Why = "it is not durable yet"
	}
	return f
}

// passed are the groups, with those that the audit alone knows behind the others.
func passed(offset int64, commits []shard.Commit, t *audit.Trace) []admin.TracedGroup {
	groups := []admin.TracedGroup{}
	for _, c := range commits {
		g := admin.TracedGroup{Group: c.Group, Passed: c.Offset > offset}
		at := time.UnixMilli(c.CommitTimestamp).UTC()
		g.Committed, g.CommittedAt = &c.Offset, &at
		key := audit.GroupKey(c.Group)
		p, ok := t.Passed[key]
		switch {
		case ok:
			notePass(&g, p)
			delete(t.Passed, key)
		case g.Passed && t.Partial:
			g.Why = "when could not be found: there are too many commits since"
		case g.Passed:
			g.Why = "when was not recorded; at the latest with its last commit"
		}
		groups = append(groups, g)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Passed)) {
		g := admin.TracedGroup{Group: name}
		notePass(&g, t.Passed[name])
		groups = append(groups, g)
	}
	return groups
}

func notePass(g *admin.TracedGroup, p audit.Passed) {
	g.Passed, g.Moment, g.Offset, g.TracedClient = true, moment(p.At, p.At), &p.Offset, told(p.Client)
}
