package audit

import "strconv"

// Bounds of a segment of the topic: retention deletes whole ones.
const (
	minSegment = 1 << 20
	maxSegment = 64 << 20
)

// configs are the settings of the topic.
func (r *Recorder) configs() map[string]string {
	a := r.set.Broker().Audit
	size := int64(maxSegment)
	if a.RetentionBytes > 0 {
		size = max(minSegment, min(size, a.RetentionBytes/8))
	}
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	return map[string]string{
		"cleanup.policy": "delete", "compression.type": "producer", "flush.policy": "async", "message.timestamp.type": "CreateTime",
		"retention.ms": text(a.RetentionMs), "retention.bytes": text(a.RetentionBytes), "segment.bytes": text(size),
		"audit.enable": "false", "index.key": "false",
	}
}
