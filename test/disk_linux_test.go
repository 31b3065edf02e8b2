package test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// These tests run the server under strace, which makes system calls fail or late
// and writes down their order. They show what the server does with a disk; whether
// the bytes are on it is for the simulations of package log and partition.

// traced is a server under strace.
type traced struct {
	*broker
	file string // what strace has written
}

// underStrace makes the next start of b one under strace, with options that say
// which calls to trace and what to do to them.
func underStrace(b *broker, options ...string) *traced {
	b.t.Helper()
	tr := &traced{b, filepath.Join(b.t.TempDir(), "trace")}
	// With -D the server is the child and strace watches it from the side, so
	// signals reach the server.
	b.under = append([]string{"strace", "-D", "-f", "-qq", "-yy", "-o", tr.file}, options...)
	return tr
}

// killTraced kills the server and waits until strace has written all of it down.
func (tr *traced) killTraced() {
	tr.t.Helper()
	last := fmt.Sprintf("%-5d +++", tr.cmd.Process.Pid) // strace pads the number
	tr.kill()
	tr.under = nil
	eventually(tr.t, "end of the trace", func() error {
		text, err := os.ReadFile(tr.file)
		if err == nil && !bytes.Contains(text, []byte(last)) {
			err = fmt.Errorf("no %q", last)
		}
		return err
	})
}

// calls returns the traced calls in the order of their ends, one a line. A call
// that others interrupted is put together again.
func (tr *traced) calls() []string {
	tr.t.Helper()
	text, err := os.ReadFile(tr.file)
	if err != nil {
		tr.t.Fatal(err)
	}
	var all []string
	begun := map[string]string{}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		thread, call, _ := strings.Cut(sc.Text(), " ")
		call = strings.TrimSpace(call)
		if head, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[thread] = head
			continue
		}
		if strings.HasPrefix(call, "<... ") {
			_, tail, _ := strings.Cut(call, "resumed>")
			call = begun[thread] + tail
		}
		all = append(all, call)
	}
	return all
}

// count is how many of the traced calls contain all texts.
func (tr *traced) count(texts ...string) int {
	n := 0
next:
	for _, call := range tr.calls() {
		for _, text := range texts {
			if !strings.Contains(call, text) {
				continue next
			}
		}
		n++
	}
	return n
}

const diskTopic = "disk"

// journalFile is what paths of the journal's files contain.
const journalFile = ".journal>"

// firstLog is the path of the first segment of a partition.
func firstLog(b *broker, partition int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%s-%d", diskTopic, partition), strings.Repeat("0", 20)+".log")
}

// prepared is a stopped server with a topic of two partitions that hold two
// records each. It syncs each log by itself.
func prepared(t *testing.T) (b *broker, sent [2][]string) {
	t.Helper()
	b = startBroker(t, bySegment...)
	createTopic(t, b, diskTopic, 2)
	w := dial(t, b.addr)
	for p := range sent {
		for i := range 2 {
			sent[p] = append(sent[p], fmt.Sprintf("before %d", i))
			w.mustProduce(diskTopic, int32(p), plain(sent[p][i]))
		}
	}
	b.stop()
	return b, sent
}

// failing starts the server under strace with a fault on the log of partition 0,
// and demands that this partition alone fails, for good, and without loss.
func failing(t *testing.T, calls, fault string) *traced {
	b, sent := prepared(t)
	tr := underStrace(b, "-P", firstLog(b, 0), "-e", "trace=fdatasync,fsync,pwrite64,pwritev", "-e", "inject="+calls+":"+fault)
	b.start()
	w := dial(t, b.addr)
	storage := kerr.KafkaStorageError.Code
	for range 5 {
		if p := w.produce(diskTopic, 0, plain("fails").encode(t)); p.ErrorCode != storage {
			t.Errorf("produce to the failed disk: error %d, want %d", p.ErrorCode, storage)
		}
	}
	if p := w.fetch(fetchRequest(diskTopic, 0, 0)); p.ErrorCode != storage {
		t.Errorf("fetch from the failed disk: error %d, want %d", p.ErrorCode, storage)
	}
	for i := range 20 {
		sent[1] = append(sent[1], fmt.Sprintf("other partition %d", i))
		w.mustProduce(diskTopic, 1, plain(sent[1][len(sent[1])-1]))
	}
	if n := b.metric("sordini_offline_logs"); n != 1 {
		t.Errorf("sordini_offline_logs is %v, want 1", n)
	}
	if code, body := b.get("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	tr.killTraced()
	b.start()
	if n := b.metric("sordini_offline_logs"); n != 0 {
		t.Errorf("sordini_offline_logs is %v after a restart, want 0", n)
	}
	w = dial(t, b.addr)
	for p := range sent {
		compareValues(t, w, int32(p), sent[p])
		w.mustProduce(diskTopic, int32(p), plain("after"))
	}
	return tr
}

// compareValues demands that the records which were acknowledged are there, in
// their places. Others may follow: what failed may have been stored all the same.
func compareValues(t *testing.T, w *wire, partition int32, want []string) {
	t.Helper()
	var got []string
	for len(got) < len(want) {
		p := w.fetch(fetchRequest(diskTopic, partition, int64(len(got))))
		if p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Fatalf("fetch partition %d at %d: error %d, %d bytes", partition, len(got), p.ErrorCode, len(p.RecordBatches))
		}
		for _, b := range heads(t, p.RecordBatches) {
			var r kmsg.Record
			if err := r.ReadFrom(b.Records); err != nil || b.FirstOffset != int64(len(got)) {
				t.Fatalf("partition %d: batch at %d, want %d: %v", partition, b.FirstOffset, len(got), err)
			}
			got = append(got, string(r.Value))
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("partition %d at %d: %q, want %q", partition, i, got[i], want[i])
		}
	}
}

// TestDisk_FailedSync: after the first fsync that fails nothing is acknowledged,
// and the file is not synced again: that would succeed and prove nothing.
func TestDisk_FailedSync(t *testing.T) {
	tr := failing(t, "fdatasync,fsync", "error=EIO")
	if n := tr.count("sync("); n != 1 {
		t.Errorf("%d syncs of the file, want the failed one alone:\n%s", n, strings.Join(tr.calls(), "\n"))
	}
	if !tr.log.contains("input/output error") {
		t.Error("the server's log does not name the error")
	}
}

// TestDisk_FullOnWrite: a write that finds no space acknowledges nothing.
func TestDisk_FullOnWrite(t *testing.T) {
	tr := failing(t, "pwrite64,pwritev", "error=ENOSPC")
	if n := tr.count("pwrite"); n != 1 {
		t.Errorf("%d writes to the file, want the failed one alone", n)
	}
	if n := tr.count("sync("); n != 0 {
		t.Errorf("%d syncs behind the failed write", n)
	}
}

// TestDisk_FullOnSync: thin storage tells of a full disk at the fsync.
func TestDisk_FullOnSync(t *testing.T) {
	if n := failing(t, "fdatasync,fsync", "error=ENOSPC").count("sync("); n != 1 {
		t.Errorf("%d syncs of the file, want the failed one alone", n)
	}
}

// TestDisk_SlowSync: acknowledgements wait for a slow disk, and consumers see
// nothing before.
func TestDisk_SlowSync(t *testing.T) {
	const delay = 200 * time.Millisecond
	b, sent := prepared(t)
	underStrace(b, "-P", firstLog(b, 0), "-e", "trace=fdatasync",
		"-e", "inject=fdatasync:delay_enter="+strconv.Itoa(int(delay.Microseconds())))
	b.start()
	w, reader := dial(t, b.addr), dial(t, b.addr)
	for i := range 5 {
		value := fmt.Sprintf("slow %d", i)
		end := int64(len(sent[0]))
		began := time.Now()
		req := produceRequest(diskTopic, 0, -1, plain(value).encode(t))
		req.SetVersion(produceVersion)
		if _, err := w.send(req); err != nil {
			t.Fatal(err)
		}
		eventually(t, "visible record", func() error {
			if high := highWatermark(reader, 0); high <= end {
				return fmt.Errorf("high watermark %d", high)
			}
			return nil
		})
		if took := time.Since(began); took < delay {
			t.Errorf("visible after %v, the sync takes %v", took, delay)
		}
		if _, _, err := w.receive(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < delay {
			t.Errorf("acknowledged after %v, the sync takes %v", took, delay)
		}
		sent[0] = append(sent[0], value)
	}
	compareValues(t, w, 0, sent[0])
}

// highWatermark is that of a partition, as a fetch at its start tells.
func highWatermark(w *wire, partition int32) int64 {
	w.t.Helper()
	p := w.fetch(fetchRequest(diskTopic, partition, 0))
	if p.ErrorCode != 0 {
		w.t.Fatalf("fetch: error %d", p.ErrorCode)
	}
	return p.HighWatermark
}

// acksBehindSyncs produces one record after the other and returns how many
// answers were sent, and before how many of them a sync of the log, or of the journal,
// had ended since the answer before.
func acksBehindSyncs(t *testing.T, policy string, args []string) (answers, synced int) {
	t.Helper()
	b := startBroker(t, args...)
	createTopic(t, b, diskTopic, 1, "flush.policy", policy, "flush.ms", "600000")
	b.stop()
	tr := underStrace(b, "-e", "trace=fdatasync,write,writev,sendto,sendmsg")
	b.start()
	w := dial(t, b.addr)
	port := w.conn.LocalAddr().(*net.TCPAddr).Port
	const records = 100
	for range records {
		w.mustProduce(diskTopic, 0, plain("a"))
	}
	tr.killTraced()
	pending := false
	for _, call := range tr.calls() {
		switch {
		case strings.HasPrefix(call, "fdatasync(") && (strings.Contains(call, firstLog(b, 0)) || strings.Contains(call, journalFile)) && strings.HasSuffix(call, "= 0"):
			pending = true
		case strings.Contains(call, fmt.Sprintf("->127.0.0.1:%d]", port)):
			answers++
			if pending {
				synced++
			}
			pending = false
		}
	}
	if answers != records {
		t.Errorf("%s: %d answers in the trace, want %d", policy, answers, records)
	}
	return answers, synced
}

// TestDisk_AckFollowsSync: with flush.policy=sync each answer is written behind
// the end of an fdatasync of its own. With async, the control, none is.
func TestDisk_AckFollowsSync(t *testing.T) {
	for _, method := range [][]string{bySegment, byJournal} {
		if answers, synced := acksBehindSyncs(t, "sync", method); synced != answers {
			t.Errorf("sync, %v: %d of %d answers behind an fdatasync", method, synced, answers)
		}
	}
	if answers, synced := acksBehindSyncs(t, "hybrid", nil); synced != answers {
		t.Errorf("hybrid: %d of %d answers behind an fdatasync, the producer waits for all", synced, answers)
	}
	if answers, synced := acksBehindSyncs(t, "async", nil); synced != 0 {
		t.Errorf("async: %d of %d answers behind an fdatasync, want none", synced, answers)
	}
}

// TestDisk_FailedSyncOfTheJournal: without the journal each log is synced by itself.
// All is acknowledged, and there after a kill.
func TestDisk_FailedSyncOfTheJournal(t *testing.T) {
	b := startBroker(t, byJournal...)
	createTopic(t, b, diskTopic, 1)
	w := dial(t, b.addr)
	var sent []string
	produce := func(n int) {
		for range n {
			sent = append(sent, fmt.Sprintf("record %d", len(sent)))
			w.mustProduce(diskTopic, 0, plain(sent[len(sent)-1]))
		}
	}
	produce(5)
	if n := b.metric("sordini_journal_rounds_total"); n < 4 {
		t.Fatalf("sordini_journal_rounds_total is %v after 5 records", n)
	}
	journals, err := filepath.Glob(filepath.Join(b.dir, "journal", "*.journal"))
	if err != nil || len(journals) != 1 {
		t.Fatalf("files of the journal: %v %v", journals, err)
	}
	b.stop()
	// An orderly end gives the file a new name, a start another one, and its first use
	// one more.
	generation, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(journals[0]), ".journal"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "journal", fmt.Sprintf("%020d.journal", generation+3))
	tr := underStrace(b, "-P", path, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=3+")
	b.start()
	w = dial(t, b.addr)
	produce(20)
	if n := b.metric("sordini_flush_errors_total"); n != 1 {
		t.Errorf("sordini_flush_errors_total is %v, want 1", n)
	}
	if n := b.metric("sordini_offline_logs"); n != 0 {
		t.Errorf("sordini_offline_logs is %v, want 0", n)
	}
	tr.killTraced()
	if n := tr.count("EIO"); n != 1 {
		t.Errorf("%d failed syncs of the journal, want one and no more:\n%s", n, strings.Join(tr.calls(), "\n"))
	}
	b.start()
	compareValues(t, dial(t, b.addr), 0, sent)
}

// TestDisk_DirFails: when the journal of the second data directory cannot be synced, all
// of this directory is offline, and what was acknowledged there is back after a restart.
func TestDisk_DirFails(t *testing.T) {
	d := newTwoDirs(t)
	d.produce("slow", 5)
	d.produce("fast", 5)
	journals, err := filepath.Glob(filepath.Join(d.slow, "journal", "*.journal"))
	if err != nil || len(journals) != 1 {
		t.Fatalf("files of the journal: %v %v", journals, err)
	}
	d.stop()
	generation, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(journals[0]), ".journal"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.slow, "journal", fmt.Sprintf("%020d.journal", generation+3))
	tr := underStrace(d.broker, "-P", path, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=3+")
	d.start()
	w := dial(t, d.addr)
	eventually(t, "failure", func() error {
		p := w.produce("slow", 0, plain("more").encode(t))
		if p.ErrorCode == 0 {
			d.sent["slow"] = append(d.sent["slow"], "more")
			return fmt.Errorf("produced %d", p.BaseOffset)
		}
		if p.ErrorCode != kerr.KafkaStorageError.Code {
			t.Errorf("produce to the failed directory: error %d", p.ErrorCode)
		}
		return nil
	})
	d.wantHalf()
	tr.killTraced()
	d.start()
	d.wantLogDirs("fast-0", "slow-0 slow-1")
	d.compare("fast")
	w = dial(t, d.addr)
	if p := w.fetch(fetchRequest("slow", 0, 0)); p.ErrorCode != 0 || p.HighWatermark < int64(len(d.sent["slow"])) {
		t.Errorf("slow after the restart: error %d, %d records, want %d", p.ErrorCode, p.HighWatermark, len(d.sent["slow"]))
	}
}
