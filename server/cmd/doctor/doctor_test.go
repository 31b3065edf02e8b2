package doctor

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sordini/log/checkpoint"
	"sordini/log/journal"
	"sordini/segment/vfs"
)

// server is metrics of one that is well, with lines that replace some.
func server(t *testing.T, lines ...string) Sample {
	t.Helper()
	all := append([]string{
		"# HELP sordini_offline_logs Logs.", "# TYPE sordini_offline_logs gauge",
		"sordini_offline_logs 0", "sordini_corrupt_reads_total 0", "sordini_flush_errors_total 0",
		`sordini_disk_used_ratio{dir="/d \"x\""} 0.5`, `sordini_disk_state{dir="/d \"x\""} 0`,
		"sordini_checkpoint_age_seconds{dir=\"/data\"} 12", "sordini_journal_broken{dir=\"/data\"} 0",
	}, lines...)
	s, err := Parse(strings.NewReader(strings.Join(all, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flushes are lines of the histogram.
func flushes(under50, under100, all int) []string {
	const b = `sordini_flush_duration_seconds_bucket{le="%s"} %d`
	return []string{
		fmt.Sprintf(b, "0.025", under50), fmt.Sprintf(b, "0.05", under50), fmt.Sprintf(b, "0.1", under100),
		fmt.Sprintf(b, "0.25", all), fmt.Sprintf(b, "+Inf", all), fmt.Sprintf("sordini_flush_duration_seconds_count %d", all),
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after []string
		want          Severity
		subject, says string
	}{
		{"well", nil, nil, OK, "", ""},
		{"fast flushes", flushes(10, 10, 10), flushes(1000, 1005, 1005), OK, "flush", "995 flushes"},
		{"slow flushes", flushes(1e6, 1e6, 1e6), flushes(1e6, 1e6+100, 1e6+100), Warning, "flush", "99.5 ms"},
		{"very slow flushes", flushes(1e6, 1e6, 1e6), flushes(1e6, 1e6, 1e6+100), Critical, "flush", "iostat"},
		{"one slow flush", flushes(0, 0, 0), flushes(49, 49, 50), OK, "flush", "98 % of 50 flushes"},
		{"slow long ago", flushes(0, 0, 500), flushes(100, 100, 600), OK, "flush", "100 flushes"},
		{"started anew", flushes(9, 9, 900), flushes(0, 0, 100), Critical, "flush", "100 flushes"},
		{"disk fills", nil, []string{`sordini_disk_used_ratio{dir="/d"} 0.82`, `sordini_disk_state{dir="/d"} 1`}, Warning, "disk", "82.0 %"},
		{"disk full", nil, []string{`sordini_disk_used_ratio{dir="/d"} 0.921`, `sordini_disk_state{dir="/d"} 2`}, Critical, "disk", "KAFKA_STORAGE_ERROR"},
		{"disk full, limit off", nil, []string{`sordini_disk_used_ratio{dir="/d"} 0.95`, `sordini_disk_state{dir="/d"} 0`}, Critical, "disk", "retention"},
		{"offline", nil, []string{"sordini_offline_logs 2"}, Critical, "logs", "2 partitions"},
		{"flush errors", nil, []string{"sordini_flush_errors_total 1"}, Warning, "logs", "dmesg"},
		{"corrupt", nil, []string{"sordini_corrupt_reads_total 1"}, Critical, "reads", "segment verify"},
		{"checkpoint", nil, []string{"sordini_checkpoint_age_seconds{dir=\"/data\"} 900"}, Warning, "checkpoint", "900 s"},
		{"directory offline", nil, []string{`sordini_dir_offline{dir="/gone"} 1`}, Critical, "directory", "mount"},
		{"slow directory", nil, []string{`sordini_dir_offline{dir="/d"} 0`, `sordini_dir_probe_sync_seconds{dir="/d"} 0.08`}, Warning, "directory", "80 ms"},
		{"one slow directory", []string{`sordini_dir_flushes_total{dir="/a"} 5`, `sordini_dir_flush_seconds_total{dir="/a"} 9`}, []string{
			`sordini_dir_flushes_total{dir="/a"} 105`, `sordini_dir_flush_seconds_total{dir="/a"} 9.1`,
			`sordini_dir_flushes_total{dir="/b"} 20`, `sordini_dir_flush_seconds_total{dir="/b"} 2`,
		}, Warning, "flush", "20 flushes in /b took 100 ms"},
		{"fast directories", nil, []string{
			`sordini_dir_flushes_total{dir="/a"} 5`, `sordini_dir_flush_seconds_total{dir="/a"} 2`,
			`sordini_dir_flushes_total{dir="/b"} 20`, `sordini_dir_flush_seconds_total{dir="/b"} 0.2`,
		}, OK, "flush", "20 flushes in /b took 10 ms"},
		{"journal", nil, []string{"sordini_journal_broken{dir=\"/data\"} 1"}, Warning, "journal", "restart"},
	} {
		findings := Judge(server(t, c.before...), server(t, c.after...), 5*time.Second)
		Sort(findings)
		if got := Worst(findings); got != c.want {
			t.Errorf("%s: %v, want %v: %+v", c.name, got, c.want, findings)
		}
		found := c.subject == ""
		for _, f := range findings {
			if (f.Severity > OK) != (f.Cause != "" && f.Cure != "") {
				t.Errorf("%s: %+v", c.name, f)
			}
			found = found || f.Subject == c.subject && strings.Contains(fmt.Sprint(f), c.says)
		}
		if !found {
			t.Errorf("%s: nothing of %q and %q in %+v", c.name, c.subject, c.says, findings)
		}
		if findings[0].Severity != c.want {
			t.Errorf("%s: the worst is not the first", c.name)
		}
	}
	if f := Judge(nil, Sample{"up": 1}, time.Second); Worst(f) != Critical {
		t.Errorf("another program: %+v", f)
	}
}

func TestQuantile(t *testing.T) {
	b := []bucket{{1, 10}, {2, 10}, {4, 90}, {math.Inf(1), 100}}
	for q, want := range map[float64]float64{0.05: 0.5, 0.1: 1, 0.5: 3, 0.99: 4} {
		if got := quantile(q, b); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if got := quantile(0.5, nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

// directory is a data directory with one round in its journal.
func directory(t *testing.T) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(mem.MkdirAll("data/t-0"))
	must(vfs.WriteSynced(mem, "data/"+lockFile, nil))
	must(checkpoint.Write(mem, "data", &checkpoint.Checkpoint{Partitions: map[checkpoint.Partition]checkpoint.Entry{}}))
	must(vfs.WriteSynced(mem, "data/"+checkpoint.MarksFile, nil))
	j, err := journal.Open(journal.Options{FS: mem, Dir: "data/journal", FileBytes: 1 << 20}, false)
	must(err)
	for range 3 {
		j.Add(&journal.Entry{Next: 1, Batches: make([]byte, 6000)})
		_, err = j.Commit()
		must(err)
	}
	must(j.Close())
	return mem
}

func TestLook(t *testing.T) {
	overwrite := func(mem *vfs.Mem, pattern string, pos int64) {
		entries, err := mem.ReadDir(filepath.Dir(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if ok, _ := filepath.Match(filepath.Base(pattern), e.Name()); ok {
				f, err := mem.OpenFile(filepath.Join(filepath.Dir(pattern), e.Name()), 2)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = f.WriteAt([]byte("xxxxxxxx"), pos)
				f.Close()
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*vfs.Mem)
		dir    string
		want   Severity
		says   string
	}{
		{"well", func(*vfs.Mem) {}, "data", OK, "3 rounds"},
		{"none", func(*vfs.Mem) {}, "elsewhere", Critical, "no data directory"},
		{"torn", func(m *vfs.Mem) { _ = vfs.WriteSynced(m, "data/t-0/00000000000000000000.log.torn-1", []byte("x")) }, "data", OK, "1 files"},
		{"checkpoint", func(m *vfs.Mem) { overwrite(m, "data/"+checkpoint.File, 3) }, "data", Warning, "checksum"},
		{"journal", func(m *vfs.Mem) { overwrite(m, "data/journal/*", 100) }, "data", Critical, "damaged in 1 place"},
		{"in use", func(m *vfs.Mem) {
			overwrite(m, "data/journal/*", 100)
			_, _ = m.Lock("data/" + lockFile)
		}, "data", OK, "in use"},
	} {
		mem := directory(t)
		c.change(mem)
		findings := Look(mem, c.dir)
		if got := Worst(findings); got != c.want || !strings.Contains(fmt.Sprint(findings), c.says) {
			t.Errorf("%s: %v, want %v: %+v", c.name, got, c.want, findings)
		}
	}
}

// A server that is starting is told of as that, and not as one without a disk.
func TestJudge_Starting(t *testing.T) {
	text := "sordini_offline_logs 0\nsordini_start_duration_seconds 0\nsordini_recovery_partitions{state=\"done\"} 3\n" +
		"sordini_recovery_partitions{state=\"planned\"} 10\nsordini_recovery_bytes{state=\"done\"} 1048576\nsordini_recovery_bytes{state=\"planned\"} 4194304\n"
	for seconds, starting := range map[string]bool{"0": true, "1.5": false} {
		s, err := Parse(strings.NewReader(strings.Replace(text, "start_duration_seconds 0", "start_duration_seconds "+seconds, 1)))
		if err != nil {
			t.Fatal(err)
		}
		found := Judge(s, s, time.Second)
		told := len(found) == 1 && found[0].Severity == Warning && strings.Contains(found[0].What, "3 of 10 partitions are open, 1 of 4 MiB")
		if told != starting {
			t.Errorf("start took %s s: %+v", seconds, found)
		}
	}
}
