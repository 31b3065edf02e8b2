package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// queried is an answer of /v1/topics/TOPIC/records.
type queried struct {
	Records []struct {
		Partition   int32
		Offset      int64
		Key, Value  *string
		ValueBase64 bool `json:"value_base64"`
	}
	More       bool
	NextOffset *int64 `json:"next_offset"`
	KeyIndex   string `json:"key_index"`
	Segments   int
	Skipped    int `json:"segments_skipped"`
	Scanned    int `json:"segments_scanned"`
}

// records asks for records by HTTP.
func (b *broker) records(topic string, params ...string) queried {
	b.t.Helper()
	v := url.Values{}
	for i := 0; i < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	code, body := b.get("/v1/topics/" + topic + "/records?" + v.Encode())
	var q queried
	if err := json.Unmarshal([]byte(body), &q); err != nil || code != 200 {
		b.t.Fatalf("records of %s %v: %d %s", topic, params, code, body)
	}
	return q
}

// produceKeyed appends records with the keys key-0 and so on to partition 0.
func produceKeyed(t *testing.T, b *broker, topic string, from, to, size int) {
	t.Helper()
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer c.Close()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		value := fmt.Sprintf("%d %s", i, strings.Repeat("v", size))
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%d", i), Value: []byte(value)})
	}
	if err := c.ProduceSync(within(t, patience), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// allIndexed waits until looking for a key needs no scan any more.
func allIndexed(t *testing.T, b *broker, topic string, segments int) {
	t.Helper()
	eventually(t, "key indexes on disk", func() error {
		found, err := filepath.Glob(filepath.Join(b.dir, topic+"-0", "*.keyindex"))
		if err != nil || len(found) < segments {
			return fmt.Errorf("%d key indexes, %v", len(found), err)
		}
		if q := b.records(topic, "key", "nobody"); q.KeyIndex != "used" {
			return fmt.Errorf("%+v", q)
		}
		return nil
	})
}

func TestQuery_ByKey(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 1, "index.key", "true", "segment.bytes", "1048576")
	const n = 600
	produceKeyed(t, b, "t", 0, n, 6000) // more than three segments
	allIndexed(t, b, "t", 3)
	check := func(what string) {
		t.Helper()
		for _, i := range []int{0, 1, n / 2, n - 1} {
			q := b.records("t", "key", fmt.Sprintf("key-%d", i))
			if len(q.Records) != 1 || q.Records[0].Offset != int64(i) || !strings.HasPrefix(*q.Records[0].Value, fmt.Sprintf("%d ", i)) || q.More {
				t.Fatalf("%s: key-%d: %d records, %v", what, i, len(q.Records), q.More)
			}
		}
		if q := b.records("t", "key", "absent"); len(q.Records) != 0 {
			t.Fatalf("%s: absent key: %d records", what, len(q.Records))
		}
	}
	check("at first")
	if skips := b.metric(`sordini_bloom_checks_total{result="skip"}`); skips < 3 {
		t.Errorf("%v segments skipped", skips)
	}
	if b.metric(`sordini_key_lookups_total{result="hit"}`) != 4 || b.metric(`sordini_key_index_written_bytes_total`) == 0 {
		t.Error("the metrics miss lookups, or bytes of the index")
	}
	b.kill()
	files, err := filepath.Glob(filepath.Join(b.dir, "t-0", "*.keyindex"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d key indexes, %v", len(files), err)
	}
	if err := os.Truncate(files[0], 100); err != nil { // one is cut, one is gone
		t.Fatal(err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	b.start()
	check("after a kill, with damage")
	allIndexed(t, b, "t", 3)
	check("made again")
	b.restart()
	allIndexed(t, b, "t", 3)
	check("after a restart")
}

func TestQuery_WithoutIndexAndLater(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 1, "segment.bytes", "1048576")
	produceKeyed(t, b, "t", 0, 300, 6000)
	if q := b.records("t", "key", "key-7"); len(q.Records) != 1 || q.Records[0].Offset != 7 || q.KeyIndex != "none" || q.Scanned != q.Segments {
		t.Errorf("without an index: %+v", q)
	}
	if found, _ := filepath.Glob(filepath.Join(b.dir, "t-0", "*.keyindex")); len(found) > 0 {
		t.Errorf("there are %v", found)
	}
	c := client(t, b)
	if _, err := kadm.NewClient(c).AlterTopicConfigs(within(t, patience), []kadm.AlterConfig{{Name: "index.key", Value: kadm.StringPtr("true")}}, "t"); err != nil {
		t.Fatal(err)
	}
	allIndexed(t, b, "t", 1)
	if q := b.records("t", "key", "key-7"); len(q.Records) != 1 || q.Scanned != 0 {
		t.Errorf("with an index: %+v", q)
	}
}

func TestQuery_Errors(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 2)
	for path, want := range map[string]int{
		"/v1/topics/none/records":                      404,
		"/v1/topics/t/records?partition=2":             404,
		"/v1/topics/t/records?offset=0":                400,
		"/v1/topics/t/records?limit=many":              400,
		"/v1/topics/t/records?partition=0&offset=1":    416,
		"/v1/topics/t/records?partition=0&offset=0":    200,
		"/v1/topics/t/records?from=-1h&to=-2h":         400,
		"/v1/topics/t/records?key=a&key_base64=YQ%3D2": 400,
	} {
		if code, body := b.get(path); code != want {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
	}
}

func TestQuery_Command(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 1, "index.key", "true")
	produceKeyed(t, b, "t", 0, 5, 3)
	produceKeyed(t, b, "t", 3, 5, 1)
	run := func(args ...string) (string, string, int) {
		cmd := exec.Command(server, append([]string{"query", "t", "--admin", b.admin}, args...)...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, environment()
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	lines := func(out string) []string {
		var values []string
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			values = append(values, strings.Join([]string{fields[1], fields[3], strings.Join(fields[4:], " ")}, "|"))
		}
		return values[1:]
	}
	for args, want := range map[string]string{
		"--key key-3":                   "[3|key-3|3 vvv 5|key-3|3 v]",
		"--key key-3 --last":            "[5|key-3|3 v]",
		"--key key-9":                   "[]",
		"--offset 5 --partition 0":      "[5|key-3|3 v 6|key-4|4 v]",
		"--offset 1 --limit 1":          "[1|key-1|1 vvv]",
		"--last":                        "[6|key-4|4 v]",
		"--from -1h --limit 2":          "[0|key-0|0 vvv 1|key-1|1 vvv]",
		"--to 2001-01-01T00:00:00Z":     "[]",
		"--from -1h --key key-4 --last": "[6|key-4|4 v]",
	} {
		out, errs, code := run(strings.Fields(args)...)
		if got := fmt.Sprint(lines(out)); code != 0 || got != want {
			t.Errorf("%s: %d %s %s, want %s", args, code, got, errs, want)
		}
	}
	out, _, code := run("--key", "key-0", "-o", "json")
	var q queried
	if err := json.Unmarshal([]byte(out), &q); err != nil || code != 0 || len(q.Records) != 1 || *q.Records[0].Value != "0 vvv" || q.KeyIndex != "used" {
		t.Errorf("json: %d %s", code, out)
	}
	if out, errs, code := run("--limit", "0"); code != 2 || out != "" || !strings.Contains(errs, "limit") {
		t.Errorf("bad limit: %d %s%s", code, out, errs)
	}
}
