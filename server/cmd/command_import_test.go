package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeKafka makes a log directory of Kafka's in a new working directory, with a topic
// that has the setting given. Its path is kafka.
func writeKafka(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	const id = "AAAAAAAAQACAAAAAAAAAAQ"
	for name, text := range map[string]string{
		"meta.properties":                   "cluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=7\nversion=1\n",
		"orders-0/partition.metadata":       "version: 0\ntopic_id: " + id,
		"orders-0/00000000000000000000.log": "",
		"lines-1/partition.metadata":        "version: 0\ntopic_id: " + id[:21] + "g",
	} {
		name = filepath.Join("kafka", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "kafka"
}

func TestImport(t *testing.T) {
	dir := writeKafka(t)
	p := newTestProcess("import", dir, "--data-dir", "data")
	if code := p.run(); code != exitFailure {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
	for _, want := range []string{
		"orders  1           0        0 B    imported\n", "lines   0           0        0 B    refused\n",
		"lines: refused: these of its 2 partitions are in none of the directories: 0\n", "kafka: Kafka was not stopped in order\n",
	} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("no %q in:\n%s", want, p.out.String())
		}
	}
	p = newTestProcess("import", dir, "--data-dir", "data", "--topic", "ord*", "-o", "json")
	if code := p.run(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
	var r struct {
		Version int `json:"_version"`
		Topics  []struct{ Name, Result string }
	}
	if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil || r.Version != jsonVersion || len(r.Topics) != 1 || r.Topics[0].Result != "exists" {
		t.Errorf("%v: %s", err, p.out.String())
	}
}

func TestImport_Faults(t *testing.T) {
	dir := writeKafka(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "requires at least 1 arg"},
		{[]string{"nowhere"}, exitFailure, "no log directory of Kafka's"},
		{[]string{dir, "--topic", "none"}, exitFailure, `no topic matches "none"`},
		{[]string{dir, "--set", "no.such=1"}, exitUsage, "no.such"},
	} {
		p := newTestProcess(append([]string{"import"}, c.args...)...)
		if code := p.run(); code != c.code || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: exit code %d: %s", c.args, code, p.err.String())
		}
	}
}

func TestImport_Progress(t *testing.T) {
	dir := writeKafka(t)
	p := newTestProcess("import", dir, "--topic", "orders")
	p.Terminal = true
	if code := p.run(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
	if text := p.err.String(); !strings.Contains(text, "1/1 topics  0 B of 0 B") || !strings.HasSuffix(text, eraseLine) {
		t.Errorf("progress %q", text)
	}
}
