package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var recordsNow = time.UnixMilli(1_700_000_000_000)

func TestParseRecordsQuery(t *testing.T) {
	usual := func(change func(*RecordsQuery)) RecordsQuery {
		q := RecordsQuery{Topic: "t", Partition: -1, Offset: -1, Limit: defaultRecords}
		change(&q)
		return q
	}
	for raw, want := range map[string]RecordsQuery{
		"":                            usual(func(*RecordsQuery) {}),
		"key=a%20b":                   usual(func(q *RecordsQuery) { q.Key = []byte("a b") }),
		"key=":                        usual(func(q *RecordsQuery) { q.Key = []byte{} }),
		"key_base64=AP8%3D":           usual(func(q *RecordsQuery) { q.Key = []byte{0, 255} }),
		"partition=3&offset=7":        usual(func(q *RecordsQuery) { q.Partition, q.Offset = 3, 7 }),
		"limit=5":                     usual(func(q *RecordsQuery) { q.Limit = 5 }),
		"last=true":                   usual(func(q *RecordsQuery) { q.Last, q.Limit = true, 1 }),
		"last=true&limit=2":           usual(func(q *RecordsQuery) { q.Last, q.Limit = true, 2 }),
		"from=-1h":                    usual(func(q *RecordsQuery) { q.From = 1_700_000_000_000 - 3_600_000 }),
		"from=5&to=1970-01-01T00:01Z": {},
		"from=5&to=1970-01-01T00:01:00Z": usual(func(q *RecordsQuery) {
			q.From, q.To = 5, 60_000
		}),
		"limit=0": {}, "limit=10001": {}, "limit=x": {}, "partition=-1": {}, "offset=-2": {}, "from=1h": {}, "from=0": {},
		"from=9&to=9": {}, "keys=1": {}, "key=1&key=2": {}, "key=1&key_base64=MQ": {}, "key_base64=%%": {}, "last=perhaps": {},
	} {
		got, err := parseRecordsQuery("t", raw, recordsNow)
		if want.Topic == "" {
			var status *StatusError
			if !errors.As(err, &status) || status.Status != http.StatusBadRequest {
				t.Errorf("%s: %+v, %v", raw, got, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", raw, got, err, want)
		}
	}
}

func TestRecords_Answers(t *testing.T) {
	var asked RecordsQuery
	var fails error
	opt := Options{Gatherer: prometheus.NewRegistry(), Profiling: true, Records: func(q RecordsQuery) (RecordsAnswer, error) {
		asked = q
		key, inBase64 := Text([]byte{0xff})
		return RecordsAnswer{Topic: q.Topic, Records: []Record{{Offset: 4, Key: key, KeyBase64: inBase64}}}, fails
	}}
	ask := func(host, path string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		NewHandler(opt).ServeHTTP(w, r)
		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Errorf("%s: %q: %v", path, w.Body, err)
		}
		return w.Code, answer.Error
	}
	const path = "/v1/topics/a.b/records?key=k"
	for _, host := range []string{"localhost:1", "127.0.0.1:9644", "127.0.0.1", "[::1]:9644", "[::1]"} {
		if code, text := ask(host, path); code != 200 || asked.Topic != "a.b" || string(asked.Key) != "k" {
			t.Errorf("%s: %d %s, asked for %+v", host, code, text, asked)
		}
	}
	if code, _ := ask("evil.example:9644", path); code != 403 {
		t.Errorf("under a foreign name: %d", code)
	}
	if code, text := ask("localhost:1", "/v1/topics/t/records?limit=x"); code != 400 || text == "" {
		t.Errorf("bad parameter: %d %q", code, text)
	}
	fails = &StatusError{404, "there is no topic"}
	if code, text := ask("localhost:1", path); code != 404 || text != "there is no topic" {
		t.Errorf("status error: %d %q", code, text)
	}
	fails = errors.New("odd")
	if code, text := ask("localhost:1", path); code != 500 || text != "odd" {
		t.Errorf("other error: %d %q", code, text)
	}
	fails, opt.Profiling = nil, false
	if code, _ := ask("localhost:1", path); code != 403 {
		t.Errorf("not on loopback: %d", code)
	}
}

func TestParseTraceQuery(t *testing.T) {
	for raw, want := range map[string]TraceQuery{
		"offset=7":             {Topic: "t", Partition: -1, Offset: 7},
		"partition=3&offset=0": {Topic: "t", Partition: 3},
		"key=a%20b":            {Topic: "t", Partition: -1, Offset: -1, Key: []byte("a b")},
		"key=&partition=0":     {Topic: "t", Offset: -1, Key: []byte{}},
		"key_base64=AP8%3D":    {Topic: "t", Partition: -1, Offset: -1, Key: []byte{0, 255}},
		"key_base64=":          {Topic: "t", Partition: -1, Offset: -1, Key: []byte{}},
		"":                     {}, "partition=1": {}, "offset=-1": {}, "offset=x": {}, "partition=-1&offset=1": {}, "limit=1&offset=1": {},
		"key=a&offset=1": {}, "key=a&key_base64=YQ": {}, "key=a&key=b": {}, "key_base64=%%": {}, "key_base64=!": {},
	} {
		got, err := parseTraceQuery("t", raw)
		if want.Topic == "" {
			var status *StatusError
			if !errors.As(err, &status) || status.Status != http.StatusBadRequest {
				t.Errorf("%s: %+v, %v", raw, got, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", raw, got, err, want)
		}
	}
}
