package takeover

import "sordini/log"

// Result says what became of a topic.
type Result string

// The results.
const (
	Imported    Result = "imported"
	WouldImport Result = "would import"
	Exists      Result = "exists" // from an import before
	Refused     Result = "refused"
)

// Report tells what an import found and did.
type Report struct {
	DryRun  bool           `json:"dryRun"`
	Sources []SourceReport `json:"sources"`
	Topics  []*TopicReport `json:"topics"`
	Skipped []Skipped      `json:"skipped"` // directories that are no topic of the cluster
	Notes   []string       `json:"notes"`   // what else is not as it was in Kafka
}

// SourceReport describes one of Kafka's directories.
type SourceReport struct {
	Dir       string `json:"dir"`
	ClusterID string `json:"clusterId"`
	NodeID    int32  `json:"nodeId"`
	Clean     bool   `json:"clean"` // the broker was stopped in order
}

// Skipped is a directory that was passed over.
type Skipped struct {
	Dir    string `json:"dir"`
	Reason string `json:"reason"`
}

// TopicReport tells of one topic.
type TopicReport struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Result     Result            `json:"result"`
	Reason     string            `json:"reason,omitempty"` // why it was refused
	Damage     bool              `json:"damage"`           // there is some; if the topic was refused, that is why
	Records    int64             `json:"records"`
	Bytes      int64             `json:"bytes"`
	Configs    map[string]string `json:"configs"`
	LeftOut    []LeftOut         `json:"configsLeftOut"`
	Partitions []PartitionReport `json:"partitions"`
}

// LeftOut is a setting that was not taken.
type LeftOut struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// PartitionReport tells of one partition. Offsets are Kafka's.
type PartitionReport struct {
	Partition int32  `json:"partition"`
	Dir       string `json:"dir"` // Kafka's
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Segments  int    `json:"segments"`
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	// Cut is how many bytes of a write that a crash tore were left out.
	Cut int64 `json:"cutBytes"`
	// Damaged are offsets that can't be read any more.
	Damaged []log.Span `json:"damaged"`
	// Transactional counts batches of transactions, Aborted those transactions that were
	// given up, Unfinished those without an end.
	Transactional int64 `json:"transactionalBatches"`
	Aborted       int   `json:"abortedTransactions"`
	Unfinished    int   `json:"unfinishedTransactions"`
}

// Failed counts the topics that were refused.
func (r *Report) Failed() (refused int, damage bool) {
	for _, t := range r.Topics {
		if t.Result == Refused {
			refused++
			damage = damage || t.Damage
		}
	}
	return refused, damage
}
