package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// RecordsQuery is what GET /v1/topics/TOPIC/records asks for.
type RecordsQuery struct {
	Topic     string
	Partition int32  // -1 for all
	Key       []byte // nil for any
	Offset    int64  // -1 for the first there is
	From, To  int64  // timestamps in ms since 1970, From <= t < To; 0 for no bound
	Limit     int
	Last      bool // the newest, and those first
}

// Record is a record in an answer.
type Record struct {
	Partition   int32   `json:"partition"`
	Offset      int64   `json:"offset"`
	Timestamp   int64   `json:"timestamp"` // ms since 1970
	Key         *string `json:"key"`
	KeyBase64   bool    `json:"key_base64,omitempty"`
	Value       *string `json:"value"`
	ValueBase64 bool    `json:"value_base64,omitempty"`
}

// Text is how bytes are shown: as they are if they are UTF-8, else in base64.
func Text(b []byte) (text *string, inBase64 bool) {
	if b == nil {
		return nil, false
	}
	s := string(b)
	if inBase64 = !utf8.ValidString(s); inBase64 {
		s = base64.StdEncoding.EncodeToString(b)
	}
	return &s, inBase64
}

// RecordsAnswer is the answer, in JSON.
type RecordsAnswer struct {
	JSONVersion int      `json:"_version"`
	Topic       string   `json:"topic"`
	Records     []Record `json:"records"`
	// More says that there may be more; of one partition NextOffset is where to go on.
	More       bool   `json:"more"`
	NextOffset *int64 `json:"next_offset,omitempty"`
	// KeyIndex is, where a key was asked for: used, partial, or none if all was scanned.
	KeyIndex        string `json:"key_index,omitempty"`
	Segments        int    `json:"segments"` // looked at
	SegmentsSkipped int    `json:"segments_skipped"`
	SegmentsScanned int    `json:"segments_scanned"`
	ReadBytes       int64  `json:"read_bytes"`
}

// StatusError is an error with its HTTP status.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string { return e.Text }

func badRequest(format string, args ...any) error {
	return &StatusError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Bounds of an answer.
const (
	defaultRecords = 100
	maxRecords     = 10_000
	maxQueries     = 4 // at the same time; more are answered with 503
)

// records answers with what opt.Records says.
func records(opt Options) http.Handler {
	return question(opt, func(r *http.Request) (any, error) {
		q, err := parseRecordsQuery(r.PathValue("topic"), r.URL.RawQuery, time.Now())
		if err != nil {
			return nil, err
		}
		return opt.Records(q)
	})
}

// question answers in JSON with what find says of records, on a loopback address, and
// only so many at the same time.
func question(opt Options, find func(*http.Request) (any, error)) http.Handler {
	slots := make(chan struct{}, maxQueries)
	ask := func(r *http.Request) (any, error) {
		if !opt.Profiling || !Loopback(withPort(r.Host)) {
			return nil, &StatusError{http.StatusForbidden, "records are served on a loopback address only"}
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return find(r)
		default:
			return nil, &StatusError{http.StatusServiceUnavailable, "too many queries at the same time"}
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "no-store")
		answer, err := ask(r)
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		if err == nil {
			_ = e.Encode(answer) // whoever asked may be gone
			return
		}
		status := http.StatusInternalServerError
		var known *StatusError
		if errors.As(err, &known) {
			status = known.Status
		}
		w.WriteHeader(status)
		_ = e.Encode(struct {
			Error string `json:"error"`
		}{err.Error()})
	})
}

// withPort adds a port to a host that has none.
func withPort(host string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":0"
}

// parseRecordsQuery reads the parameters; an unknown one is an error.
func parseRecordsQuery(topic, raw string, now time.Time) (RecordsQuery, error) {
	q := RecordsQuery{Topic: topic, Partition: -1, Offset: -1, Limit: defaultRecords}
	params, err := url.ParseQuery(raw)
	if err != nil {
		return q, badRequest("%v", err)
	}
	for name, values := range params {
		if len(values) > 1 {
			return q, badRequest("%s is given twice", name)
		}
		if err := q.set(name, values[0], now); err != nil {
			return q, badRequest("%s=%s: %v", name, values[0], err)
		}
	}
	if q.To > 0 && q.From >= q.To {
		return q, badRequest("from is not before to")
	}
	if params.Has("key") && params.Has("key_base64") {
		return q, badRequest("both key and key_base64 are given")
	}
	if q.Last && !params.Has("limit") {
		q.Limit = 1
	}
	return q, nil
}

func (q *RecordsQuery) set(name, value string, now time.Time) (err error) {
	var n int64
	switch name {
	case "key":
		q.Key = append([]byte{}, value...)
	case "key_base64":
		q.Key, err = base64.StdEncoding.DecodeString(value)
	case "partition":
		n, err = parseCount(value, 1<<31-1)
		q.Partition = int32(n)
	case "offset":
		q.Offset, err = parseCount(value, 1<<63-1)
	case "limit":
		n, err = parseCount(value, maxRecords)
		if q.Limit = int(n); err == nil && n == 0 {
			err = errors.New("must be at least 1")
		}
	case "from":
		q.From, err = parseTime(value, now)
	case "to":
		q.To, err = parseTime(value, now)
	case "last":
		q.Last, err = strconv.ParseBool(value)
	default:
		err = errors.New("there is no such parameter; there are key, key_base64, partition, offset, from, to, limit and last")
	}
	return err
}

func parseCount(value string, most int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("must be a number from 0 to %d", most)
	}
	return n, nil
}

// parseTime reads RFC 3339, milliseconds since 1970, or a duration before now, as -1h.
func parseTime(value string, now time.Time) (int64, error) {
	if ms, err := strconv.ParseInt(value, 10, 64); err == nil && ms > 0 {
		return ms, nil
	}
	if d, err := time.ParseDuration(value); err == nil && strings.HasPrefix(value, "-") {
		return now.Add(d).UnixMilli(), nil
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil && t.UnixMilli() > 0 {
		return t.UnixMilli(), nil
	}
	return 0, errors.New("must be a time as 2026-01-31T12:00:00Z, milliseconds since 1970, or a time ago as -1h")
}
