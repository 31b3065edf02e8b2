package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// importScript is the variable that names the script which runs Apache Kafka and its
// tools.
const importScript = "KAFKA_REFERENCE"

// apacheKafka is a broker of Apache Kafka in a process of its own.
type apacheKafka struct {
	t      testing.TB
	script string
	dir    string // its log directory
	addr   string
	cmd    *exec.Cmd
	exited chan struct{}
	log    bytes.Buffer
}

func startKafka(t testing.TB, settings ...string) *apacheKafka {
	t.Helper()
	script := os.Getenv(importScript)
	if script == "" {
		t.Skip("no " + importScript)
	}
	home := t.TempDir()
	port := freePort(t)
	k := &apacheKafka{t: t, script: script, dir: filepath.Join(home, "data"), addr: fmt.Sprint("127.0.0.1:", port), exited: make(chan struct{})}
	args := append([]string{"serve", home, fmt.Sprint(port)}, settings...)
	k.cmd = exec.Command(script, args...)
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		k.cmd.Wait()
		close(k.exited)
	}()
	t.Cleanup(func() { k.end(syscall.SIGKILL) })
	eventually(t, "Kafka answers", func() error {
		c, err := kgo.NewClient(kgo.SeedBrokers(k.addr))
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Ping(within(t, patience))
	})
	return k
}

// freePort is a port that is free, and so is the one 10,000 above.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port+10_000 > 65_535 {
			port -= 20_000
		}
		other, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port+10_000))
		if err == nil {
			other.Close()
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// end ends the process by a signal.
func (k *apacheKafka) end(s syscall.Signal) {
	k.cmd.Process.Signal(s)
	select {
	case <-k.exited:
	case <-time.After(2 * patience):
		k.cmd.Process.Kill()
		<-k.exited
		k.t.Errorf("Kafka still ran long after signal %d", s)
	}
}

// tool runs one of Kafka's tools and returns what it prints.
func (k *apacheKafka) tool(in io.Reader, main string, args ...string) string {
	k.t.Helper()
	cmd := exec.Command(k.script, append([]string{"tool", main}, args...)...)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err != nil {
		k.t.Fatalf("%s: %v\n%s", main, err, out[max(0, len(out)-8<<10):])
	}
	return string(out)
}

// fill writes records of 1 KiB, with keys and headers, by Kafka's producer.
func (k *apacheKafka) fill(addr, topic, codec string, mebibytes int, seed uint64) {
	k.t.Helper()
	in, lines := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(lines, 1<<20)
		r := rand.NewChaCha8([32]byte{byte(seed), byte(len(topic))})
		var raw [768]byte
		for i := range mebibytes << 10 {
			r.Read(raw[:])
			fmt.Fprintf(w, "seq:%d,empty:\tkey-%d\t%s\n", i, i%1000, base64.StdEncoding.EncodeToString(raw[:]))
		}
		w.Flush()
		lines.Close()
	}()
	k.tool(in, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", addr, "--topic", topic, "--compression-codec", codec,
		"--reader-property", "parse.key=true", "--reader-property", "parse.headers=true", "--command-property", "enable.idempotence=true")
}

// digest is what a topic holds: the hash of all records of each partition, and how
// many there are.
type digest struct {
	sums    map[int32]string
	records int
	bytes   int64
}

// digestOf reads a topic with franz-go. All that a record has is part of the hash.
func digestOf(t testing.TB, addr, topic string) digest {
	t.Helper()
	d := digest{sums: make(map[int32]string)}
	sums := make(map[int32]hash.Hash)
	consume(t, &broker{t: t, addr: addr}, topic, func(r *kgo.Record) {
		h := sums[r.Partition]
		if h == nil {
			h = sha256.New()
			sums[r.Partition] = h
		}
		fmt.Fprintf(h, "%d %d %d %d %t %t %d %d %d %q %d ", r.Offset, r.Timestamp.UnixMilli(), r.Attrs.TimestampType(), r.Attrs.CompressionType(),
			r.Attrs.IsTransactional(), r.Attrs.IsControl(), r.ProducerID, r.ProducerEpoch, r.LeaderEpoch, r.Key, len(r.Value))
		h.Write(r.Value)
		for _, header := range r.Headers {
			fmt.Fprintf(h, " %q=%q", header.Key, header.Value)
		}
		d.records++
		d.bytes += int64(len(r.Key) + len(r.Value))
	})
	for p, h := range sums {
		d.sums[p] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return d
}

// importTopics runs the command and returns what it prints.
func importTopics(t testing.TB, code int, args ...string) string {
	t.Helper()
	cmd := exec.Command(server, append([]string{"import"}, args...)...)
	cmd.Env = environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("import %v: %v, want exit code %d\n%s%s", args, err, code, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// checkLogs has Kafka's tool read all files of a data directory.
func (k *apacheKafka) checkLogs(dir string) (files int) {
	k.t.Helper()
	for _, check := range []struct {
		suffix string
		args   []string
	}{
		{".log", []string{"--deep-iteration"}},
		{".index", []string{"--index-sanity-check"}},
		{".timeindex", []string{"--index-sanity-check"}},
		{".snapshot", nil},
	} {
		names, err := filepath.Glob(filepath.Join(dir, "*-[0-9]*", "[0-9]*"+check.suffix))
		if err != nil || len(names) == 0 {
			k.t.Fatalf("no %s files: %v", check.suffix, err)
		}
		files += len(names)
		for names := range slices.Chunk(names, 10) {
			out := k.tool(nil, "org.apache.kafka.tools.DumpLogSegments", append([]string{"--files", strings.Join(names, ",")}, check.args...)...)
			for line := range strings.Lines(out) {
				for _, sign := range []string{"Mismatches", "isvalid: false", "Exception", "failed", "corrupt", "bytes after the last", "out of order"} {
					if strings.Contains(line, sign) {
						k.t.Errorf("DumpLogSegments of %s files: %s", check.suffix, line)
					}
				}
			}
			if got := strings.Count(out, "passed sanity check") + strings.Count(out, " is empty."); strings.HasSuffix(check.suffix, "index") && got != len(names) {
				k.t.Errorf("%d of %d %s files passed the sanity check, or are empty", got, len(names), check.suffix)
			}
		}
	}
	return files
}

// TestImport_Kafka has Kafka's producer fill topics, takes them over, and holds every
// record against what Kafka served. A group goes on where it was, an idempotent producer
// goes on with its id, and Kafka's tool reads what was written. SORDINI_TEST_IMPORT is
// how many MiB of values each of five topics gets.
func TestImport_Kafka(t *testing.T) {
	for _, end := range []struct {
		name   string
		signal syscall.Signal
	}{{"Stopped", syscall.SIGTERM}, {"Killed", syscall.SIGKILL}} {
		t.Run(end.name, func(t *testing.T) { takeOver(t, end.signal) })
	}
}

func takeOver(t *testing.T, end syscall.Signal) {
	k := startKafka(t)
	real := &broker{t: t, addr: k.addr}
	mebibytes := number(t, "SORDINI_TEST_IMPORT", 4)
	want := make(map[string]digest)
	for i, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		createTopic(t, real, codec, 2, "segment.bytes", fmt.Sprint(max(1<<20, mebibytes<<20/10)), "retention.ms", "-1", "unclean.leader.election.enable", "true")
		k.fill(k.addr, codec, codec, mebibytes, uint64(i))
	}
	createTopic(t, real, "going", 1, "segment.bytes", "1048576")
	producer := client(t, real, kgo.DefaultProduceTopic("going"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	going := func(n int) int64 {
		t.Helper()
		var id int64
		for i := range n {
			r := producer.ProduceSync(within(t, patience), &kgo.Record{Value: fmt.Appendf(nil, "%d %1000d", i, 0)})
			if r.FirstErr() != nil {
				t.Fatal(r.FirstErr())
			}
			id = r[0].Record.ProducerID
		}
		return id
	}
	id := going(100)
	offsets := kadm.Offsets{}
	offsets.AddOffset("zstd", 0, 17, -1)
	offsets.AddOffset("going", 0, 42, -1)
	if err := kadm.NewClient(producer).CommitAllOffsets(within(t, patience), "readers", offsets); err != nil {
		t.Fatal(err)
	}
	k.tool(nil, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", k.addr, "--topic", "zstd", "--group", "modern",
		"--from-beginning", "--max-messages", "1000", "--command-property", "group.protocol=consumer")
	groups := committed(t, producer, "readers", "modern")
	if len(groups) < 3 {
		t.Fatalf("committed offsets: %v", groups)
	}
	topics := []string{"none", "gzip", "snappy", "lz4", "zstd", "going"}
	total := digest{}
	for _, topic := range topics {
		want[topic] = digestOf(t, k.addr, topic)
		total.records += want[topic].records
		total.bytes += want[topic].bytes
	}
	ids := topicIDs(t, k.addr)
	if text := importTopics(t, 1, k.dir, "--data-dir", filepath.Join(t.TempDir(), "data")); !strings.Contains(text, "Kafka is running") {
		t.Errorf("import from a running broker: %s", text)
	}
	k.end(end)

	b := newBroker(t)
	b.addr = k.addr
	before := fingerprint(t, k.dir)
	began := time.Now()
	text := importTopics(t, 0, k.dir, "--data-dir", b.dir)
	t.Logf("%d records, %d bytes of keys and values, imported in %v:\n%s", total.records, total.bytes, time.Since(began), text)
	if after := fingerprint(t, k.dir); !maps.Equal(before, after) {
		t.Error("the import has changed Kafka's files")
	}
	b.start()
	if got := topicIDs(t, b.addr); !maps.Equal(got, ids) {
		t.Errorf("topic ids %v, want %v", got, ids)
	}
	same := func(when string, topics []string) {
		t.Helper()
		for _, topic := range topics {
			if got := digestOf(t, b.addr, topic); got.records != want[topic].records || !maps.Equal(got.sums, want[topic].sums) {
				t.Errorf("%s: topic %s has %d records, want %d; hashes %v, want %v", when, topic, got.records, want[topic].records, got.sums, want[topic].sums)
			}
		}
	}
	same("imported", topics)
	if got := committed(t, producer, "readers", "modern"); !maps.Equal(got, groups) {
		t.Errorf("committed offsets %v, want %v", got, groups)
	}
	if after := going(3000); after != id {
		t.Errorf("the producer went on as %d, it was %d", after, id)
	}
	if ends := endOffsets(t, b, "going"); ends[0] != 3100 {
		t.Errorf("the producer's log ends at %d, want 3100", ends[0])
	}
	k.fill(b.addr, "going", "zstd", 4, 99)
	b.restart()
	same("restarted", topics[:5])
	b.stop()
	t.Logf("DumpLogSegments passed %d files", k.checkLogs(b.dir))
}

// committed are the offsets of groups, as text by group, topic and partition.
func committed(t testing.TB, c *kgo.Client, groups ...string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, g := range kadm.NewClient(c).FetchManyOffsets(within(t, patience), groups...) {
		if g.Err != nil {
			t.Fatalf("offsets of group %s: %v", name, g.Err)
		}
		g.Fetched.Each(func(o kadm.OffsetResponse) {
			all[fmt.Sprintf("%s %s-%d", name, o.Topic, o.Partition)] = fmt.Sprintf("%d %q %v", o.At, o.Metadata, o.Err)
		})
	}
	return all
}

// topicIDs are the ids of all topics, as text.
func topicIDs(t testing.TB, addr string) map[string]string {
	t.Helper()
	c := client(t, &broker{t: t, addr: addr})
	defer c.Close()
	topics, err := kadm.NewClient(c).ListTopicsWithInternal(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]string)
	for _, d := range topics {
		ids[d.Topic] = d.ID.String()
	}
	return ids
}

// fingerprint says of every file below a directory how large it is, when it was changed,
// and what it holds.
func fingerprint(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		described, err := json.Marshal([]any{info.Size(), info.ModTime(), h.Sum(nil)})
		files[path] = string(described)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
