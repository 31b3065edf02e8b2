package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kcat runs kcat with what it writes to its standard output going to out.
func kcat(t testing.TB, b *broker, out io.Writer, args ...string) {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatal("kcat is not installed; scripts/test installs it, and so does apt-get install kcat")
	}
	cmd := exec.CommandContext(within(t, 5*patience), path, append([]string{"-b", b.addr}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
}

const (
	usualCorpus = 4 << 20 // bytes
	longLine    = 1_400_000
	// longestMessage is above the longest line of the corpus.
	longestMessage = "4000000"
)

// writeCorpus writes the non-empty lines of the tool chain's source to a file and
// returns its path and size. Short of the full corpus it ends early, with a line
// as long as the longest in the full one.
func writeCorpus(t *testing.T) (path string, size int64) {
	t.Helper()
	full := os.Getenv("SORDINI_TEST_FULL") == "1"
	path = filepath.Join(t.TempDir(), "corpus")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(strings.TrimSpace(string(out)), "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		if !full && size >= usualCorpus {
			return fs.SkipAll
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if len(line) > 0 {
				w.Write(line)
				w.WriteByte('\n')
				size += int64(len(line)) + 1
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !full {
		w.WriteString(strings.Repeat("0123456789", longLine/10))
		w.WriteByte('\n')
		size += longLine + 1
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path, size
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestKcat_Corpus sends each line of a large text with kcat, in every codec, and
// reads the same text back: at once, after a restart and after kill -9.
func TestKcat_Corpus(t *testing.T) {
	b := startBroker(t, "--set", "message.max.bytes="+longestMessage)
	corpus, size := writeCorpus(t)
	want := sumOf(t, corpus)
	for _, c := range codecs {
		began := time.Now()
		kcat(t, b, io.Discard, "-P", "-t", c.name, "-p", "0", "-z", c.name, "-l", corpus, "-X", "message.max.bytes="+longestMessage,
			"-X", "enable.idempotence=true")
		report(t, "written in "+c.name, size, began)
	}
	for _, when := range []struct {
		name string
		do   func()
	}{{"at once", func() {}}, {"after a restart", b.restart}, {"after kill -9", b.crash}} {
		when.do()
		for _, c := range codecs {
			began := time.Now()
			h := sha256.New()
			kcat(t, b, h, "-C", "-t", c.name, "-p", "0", "-o", "beginning", "-e", "-q", "-X", "fetch.message.max.bytes="+longestMessage,
				"-X", "receive.message.max.bytes=100000000", "-X", "fetch.wait.max.ms=20", "-X", "queued.min.messages=10000000")
			if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
				t.Errorf("%s, read %s: sha256 %s, want %s", c.name, when.name, got, want)
			}
			report(t, "read "+when.name+" in "+c.name, size, began)
		}
	}
}

func report(t *testing.T, what string, size int64, began time.Time) {
	t.Helper()
	took := time.Since(began)
	t.Logf("%s: %.1f MB in %v, %.1f MB/s", what, float64(size)/1e6, took.Round(time.Millisecond), float64(size)/1e6/took.Seconds())
}

// TestKcat_List: kcat -L shows the broker and the topics.
func TestKcat_List(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 2)
	var out bytes.Buffer
	kcat(t, b, &out, "-L")
	for _, want := range []string{
		"1 brokers:\n  broker 1 at " + b.addr, "1 topics:", `topic "plain" with 2 partitions:`,
		"partition 0, leader 1, replicas: 1, isrs: 1", "partition 1, leader 1, replicas: 1, isrs: 1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("kcat -L shows no %q:\n%s", want, out.String())
		}
	}
}

// TestKcat_Timestamps: kcat finds offsets by time.
func TestKcat_Timestamps(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	base := time.Now().Add(-time.Hour).UnixMilli()
	for i := range int64(10) {
		batch := plain(fmt.Sprint("a", i), fmt.Sprint("b", i))
		batch.records[0].timestamp, batch.records[1].timestamp = base+i*1000, base+i*1000+500
		w.mustProduce("plain", 0, batch)
	}
	var out bytes.Buffer
	kcat(t, b, &out, "-Q", "-t", fmt.Sprintf("plain:0:%d", base+3001))
	if got := strings.TrimSpace(out.String()); got != "plain [0] offset 7" {
		t.Errorf("kcat -Q: %q, want offset 7", got)
	}
	out.Reset()
	kcat(t, b, &out, "-C", "-t", "plain", "-p", "0", "-o", fmt.Sprintf("s@%d", base+7500), "-o", fmt.Sprintf("e@%d", base+9000), "-e", "-q")
	if got := out.String(); got != "b7\na8\nb8\n" {
		t.Errorf("kcat -o s@ -o e@: %q, want b7, a8 and b8", got)
	}
}

// TestKcat_AutoCreate: kcat writes to a topic that is not there yet, with keys
// and headers, and reads them back.
func TestKcat_AutoCreate(t *testing.T) {
	b := startBroker(t)
	lines := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(lines, []byte("k1=v1\nk2=v2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	kcat(t, b, io.Discard, "-P", "-t", "new", "-K", "=", "-H", "h=1", "-l", lines)
	var out bytes.Buffer
	kcat(t, b, &out, "-C", "-t", "new", "-e", "-q", "-f", "%p %o %k %s %h\n")
	if got, want := out.String(), "0 0 k1 v1 h=1\n0 1 k2 v2 h=1\n"; got != want {
		t.Errorf("kcat read %q, want %q", got, want)
	}
}

// TestKcat_Group: kcat reads a topic as a group, in two parts; the second begins where
// the first has committed, also after the server was killed.
func TestKcat_Group(t *testing.T) {
	const lines = 1000
	b := startBroker(t, "--set", "group.initial.rebalance.delay.ms=0")
	createTopic(t, b, "lines", 1)
	produceLines(t, b, "lines", lines)
	for i, want := range []string{"0", "600"} {
		var out bytes.Buffer
		kcat(t, b, &out, "-q", "-G", "readers", "-c", fmt.Sprint(600-200*i), "-X", "auto.offset.reset=earliest", "lines")
		first, _, _ := strings.Cut(out.String(), "\n")
		if got := strings.Count(out.String(), "\n"); first != want || got != 600-200*i {
			t.Errorf("part %d: %d lines from %q, want %d from %q", i, got, first, 600-200*i, want)
		}
		b.crash()
	}
}

// produceLines produces the numbers below n by kcat.
func produceLines(t *testing.T, b *broker, topic string, n int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lines")
	var text []byte
	for i := range n {
		text = fmt.Appendln(text, i)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	kcat(t, b, io.Discard, "-P", "-t", topic, "-l", path)
}
