package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/server/admin"
	"sordini/server/partition"
)

// Bounds of one query, over all partitions.
const (
	maxRecordBytes = 4 << 20   // of keys and values
	maxQueryRead   = 256 << 20 // of batches
)

// records answers GET /v1/topics/TOPIC/records.
func (s *Server) records(q admin.RecordsQuery) (admin.RecordsAnswer, error) {
	answer := admin.RecordsAnswer{JSONVersion: 1, Topic: q.Topic, Records: []admin.Record{}}
	partitions := s.set.Topic(q.Topic)
	switch {
	case len(partitions) == 0:
		return answer, &admin.StatusError{Status: http.StatusNotFound, Text: fmt.Sprintf("there is no topic %q", q.Topic)}
	case int(q.Partition) >= len(partitions):
		return answer, &admin.StatusError{Status: http.StatusNotFound,
			Text: fmt.Sprintf("topic %q has %d partitions, there is no %d", q.Topic, len(partitions), q.Partition)}
	case q.Partition >= 0:
		partitions = partitions[q.Partition:][:1]
	case q.Offset >= 0 && len(partitions) > 1:
		return answer, &admin.StatusError{Status: http.StatusBadRequest, Text: "an offset needs a partition"}
	}
	var counts log.KeyCounts
	for _, p := range partitions {
		found, err := query(p, q, int64(len(partitions)))
		if err != nil {
			return answer, err
		}
		for _, r := range found.Records {
			answer.Records = append(answer.Records, record(p.Index, r))
		}
		answer.More = answer.More || found.More
		if found.More && !q.Last && len(partitions) == 1 {
			answer.NextOffset = &found.Next
		}
		counts.Segments += found.Segments
		counts.Scanned += found.Scanned
		counts.Skipped += found.Skipped
		answer.ReadBytes += found.Read
	}
	if len(partitions) > 1 {
		merge(&answer, q)
	}
	answer.Segments, answer.SegmentsSkipped, answer.SegmentsScanned = counts.Segments, counts.Skipped, counts.Scanned
	if q.Key != nil {
		answer.KeyIndex = keyIndex(counts)
	}
	return answer, nil
}

func keyIndex(c log.KeyCounts) string {
	switch c.Scanned {
	case 0:
		return "used"
	case c.Segments:
		return "none"
	}
	return "partial"
}

func query(p *partition.Partition, q admin.RecordsQuery, share int64) (log.Answer, error) {
	a, o, err := p.Query(log.Query{
		Key: q.Key, Offset: max(0, q.Offset), From: q.From, To: q.To, Limit: q.Limit, Newest: q.Last,
		MaxBytes: maxRecordBytes / share, MaxRead: maxQueryRead / share,
	})
	if err == nil && q.Offset >= 0 && (q.Offset < o.Start || q.Offset > o.High.Offset) {
		return a, &admin.StatusError{Status: http.StatusRequestedRangeNotSatisfiable,
			Text: fmt.Sprintf("offset %d is out of range: partition %d has %d to %d", q.Offset, p.Index, o.Start, o.High.Offset-1)}
	}
	if err == nil {
		return a, nil
	}
	status := http.StatusServiceUnavailable
	var corrupt *segment.CorruptError
	if errors.As(err, &corrupt) {
		status = http.StatusInternalServerError
	}
	return a, &admin.StatusError{Status: status, Text: fmt.Sprintf("%s-%d: %v", p.Topic, p.Index, err)}
}

func record(partition int32, r batch.Record) admin.Record {
	out := admin.Record{Partition: partition, Offset: r.Offset, Timestamp: r.Timestamp}
	out.Key, out.KeyBase64 = admin.Text(r.Key)
	out.Value, out.ValueBase64 = admin.Text(r.Value)
	return out
}

// merge brings the records of several partitions into the order of their times.
func merge(a *admin.RecordsAnswer, q admin.RecordsQuery) {
	slices.SortStableFunc(a.Records, func(x, y admin.Record) int {
		if q.Last {
			x, y = y, x
		}
		return cmp.Compare(x.Timestamp, y.Timestamp)
	})
	if len(a.Records) > q.Limit {
		a.Records, a.More = a.Records[:q.Limit], true
	}
}
