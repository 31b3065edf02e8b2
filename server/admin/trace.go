package admin

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"sordini/server/audit"
)

// TraceQuery is what GET /v1/topics/TOPIC/trace asks for.
type TraceQuery struct {
	Topic     string
	Partition int32  // -1: not given
	Offset    int64  // -1: the newest record with Key
	Key       []byte // nil: not given
}

// TraceAnswer is the answer, in JSON. Times are the server's, in UTC.
type TraceAnswer struct {
	JSONVersion int    `json:"_version"`
	Topic       string `json:"topic"`
	TopicID     string `json:"topic_id"`
	Partition   int32  `json:"partition"`
	Offset      int64  `json:"offset"`
	// AuditEnable is the topic's setting as it is now.
	AuditEnable bool          `json:"audit_enable"`
	Record      *TracedRecord `json:"record"` // null: the batch does not hold it any more
	Segment     TracedSegment `json:"segment"`
	Batch       TracedBatch   `json:"batch"`
	Appended    TracedAppend  `json:"appended"`
	Flushed     TracedFlush   `json:"flushed"`
	Groups      []TracedGroup `json:"groups"` // those that have committed offsets of the partition
	// Changes are the newest administrative changes of the topic since the append, and
	// starts and stops of the server.
	Changes []audit.Change `json:"changes"`
	Notes   []string       `json:"notes,omitempty"`
}

// TracedRecord is the record itself.
type TracedRecord struct {
	Timestamp  int64   `json:"timestamp"` // ms since 1970
	Key        *string `json:"key"`
	KeyBase64  bool    `json:"key_base64,omitempty"`
	ValueBytes int     `json:"value_bytes"` // -1: null
	Headers    int     `json:"headers"`
}

// TracedSegment is where the batch stands.
type TracedSegment struct {
	File     string `json:"file"`
	Position int64  `json:"position"` // of the batch, in bytes
}

// TracedBatch is the batch of the record.
type TracedBatch struct {
	BaseOffset    int64  `json:"base_offset"`
	LastOffset    int64  `json:"last_offset"`
	Records       int32  `json:"records"`
	Bytes         int64  `json:"bytes"`
	Codec         string `json:"codec"`
	CRC           string `json:"crc"` // hexadecimal
	LeaderEpoch   int32  `json:"leader_epoch"`
	TimestampType string `json:"timestamp_type"`
	MaxTimestamp  int64  `json:"max_timestamp"` // ms since 1970
	// Of an idempotent producer; -1 otherwise.
	ProducerID    int64 `json:"producer_id"`
	ProducerEpoch int16 `json:"producer_epoch"`
	BaseSequence  int32 `json:"base_sequence"`
}

// Moment is when something happened: at a time, or between two. Where that was not
// recorded, Why says what is known of the cause.
type Moment struct {
	Recorded bool       `json:"recorded"`
	At       *time.Time `json:"at,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	Why      string     `json:"why,omitempty"`
}

// TracedClient is a client.
type TracedClient struct {
	Principal string `json:"principal,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Address   string `json:"address,omitempty"` // host:port
	Listener  string `json:"listener,omitempty"`
}

// TracedAppend is who appended the record.
type TracedAppend struct {
	Moment
	TracedClient
}

// TracedFlush is what made the record durable.
type TracedFlush struct {
	Durable bool `json:"durable"` // it is by now
	Moment
	By string `json:"by,omitempty"` // journal, segment, recovery or stop
	// Latest says that the record may have been durable before.
	Latest bool `json:"latest,omitempty"`
}

// TracedGroup is a group. The moment is that of its first commit behind the record.
type TracedGroup struct {
	Group  string `json:"group"`
	Passed bool   `json:"passed"`
	Moment
	Offset *int64 `json:"offset,omitempty"` // that was committed then
	TracedClient
	// What the group has committed by now; absent if nothing.
	Committed   *int64     `json:"committed,omitempty"`
	CommittedAt *time.Time `json:"committed_at,omitempty"`
}

func traces(opt Options) http.Handler {
	return question(opt, func(r *http.Request) (any, error) {
		q, err := parseTraceQuery(r.PathValue("topic"), r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		return opt.Trace(r.Context(), q)
	})
}

// parseTraceQuery reads the parameters; an unknown one is an error.
func parseTraceQuery(topic, raw string) (TraceQuery, error) {
	q := TraceQuery{Topic: topic, Partition: -1, Offset: -1}
	params, err := url.ParseQuery(raw)
	if err != nil {
		return q, badRequest("%v", err)
	}
	for name, values := range params {
		if len(values) > 1 {
			return q, badRequest("%s is given twice", name)
		}
		if err := q.set(name, values[0]); err != nil {
			return q, badRequest("%s=%s: %v", name, values[0], err)
		}
	}
	switch given := params.Has("key") || params.Has("key_base64"); {
	case params.Has("key") && params.Has("key_base64"):
		return q, badRequest("both key and key_base64 are given")
	case given && params.Has("offset"):
		return q, badRequest("both a key and an offset are given")
	case !given && !params.Has("offset"):
		return q, badRequest("a key or an offset must be given")
	}
	return q, nil
}

func (q *TraceQuery) set(name, value string) (err error) {
	switch name {
	case "key":
		q.Key = append([]byte{}, value...)
	case "key_base64":
		if q.Key, err = base64.StdEncoding.DecodeString(value); q.Key == nil {
			q.Key = []byte{}
		}
	case "partition":
		var n int64
		n, err = parseCount(value, 1<<31-1)
		q.Partition = int32(n)
	case "offset":
		q.Offset, err = parseCount(value, 1<<63-1)
	default:
		err = errors.New("there is no such parameter; there are key, key_base64, partition and offset")
	}
	return err
}
