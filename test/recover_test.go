package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sordini runs a command of the binary and returns what it printed.
func sordini(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, patience), server, args...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%q: exit code %d, want %d: %s%s", args, got, code, faults.String(), out.String())
	}
	return out.String() + faults.String()
}

// treeOf describes all files below a directory: names, sizes, times, contents.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			tree[path] = ""
			return err
		}
		b, err := os.ReadFile(path)
		tree[path] = fmt.Sprintf("%d %v %x", len(b), info.ModTime(), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// recovered is what recover prints.
type recovered struct {
	DryRun bool
	Report map[string]any
	Parts  []map[string]any `json:"partitions"`
	Aside  []string         `json:"directoriesSetAside"`
}

func recoverOf(t *testing.T, b *broker, code int, args ...string) recovered {
	t.Helper()
	out := sordini(t, code, append([]string{"recover", "--data-dir", b.dir, "--log-level", "error", "-o", "json"}, args...)...)
	var r recovered
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	delete(r.Report, "seconds")
	return r
}

// TestRecover tells after a kill what the next start would do, changes nothing by
// that, then does just that, and the start has nothing left to do.
func TestRecover(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "orders", 2)
	w := dial(t, b.addr)
	for i := range 30 {
		w.mustProduce("orders", int32(i%2), plain(fmt.Sprint(i), string(noise(3000))))
	}
	if out := sordini(t, 1, "recover", "--data-dir", b.dir, "--dry-run"); !strings.Contains(out, "in use") {
		t.Errorf("beside a server: %s", out)
	}
	b.kill()
	log := filepath.Join(b.dir, "orders-1", "00000000000000000000.log")
	appendTo(t, log, "half a batch")
	before := treeOf(t, b.dir)
	predicted := recoverOf(t, b, 0, "--dry-run")
	if text := sordini(t, 0, "recover", "--data-dir", b.dir, "--dry-run"); !strings.Contains(text, "dry run, nothing was changed: after an unclean end") {
		t.Errorf("%s", text)
	}
	if !reflect.DeepEqual(treeOf(t, b.dir), before) {
		t.Error("the dry run has changed the data directory")
	}
	done := recoverOf(t, b, 0)
	if !predicted.DryRun || done.DryRun || !reflect.DeepEqual(predicted.Report, done.Report) || !reflect.DeepEqual(predicted.Parts, done.Parts) {
		t.Errorf("predicted %+v, done %+v", predicted, done)
	}
	if done.Report["cut"] != float64(12) || done.Report["journalEntries"] == float64(0) || done.Report["batches"] == float64(0) {
		t.Errorf("%+v", done.Report)
	}
	from := b.log.mark()
	b.start()
	b.log.says(t, from, `"clean":true`)
	if ends := endOffsets(t, b, "orders"); ends[0] != 30 || ends[1] != 30 {
		t.Errorf("the logs end at %v", ends)
	}
	if code, body := b.get("/readyz"); code != 200 || !strings.Contains(body, `"state":"ready"`) || !strings.Contains(body, `"report":{"clean":true,"checkpoint":true`) {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

// TestRecover_TwoDirectories is TestRecover for directories with classes: what is told of
// each of them comes true, and nothing in either changes before.
func TestRecover_TwoDirectories(t *testing.T) {
	d := newTwoDirs(t)
	d.produce("fast", 20)
	d.produce("slow", 30)
	if out := sordini(t, 1, "recover", "--data-dir", d.dir, "--dry-run"); !strings.Contains(out, "in use") {
		t.Errorf("beside a server: %s", out)
	}
	d.kill()
	var strays []string
	before := make(map[string]map[string]string)
	for topic, dir := range map[string]string{"fast": d.fast, "slow": d.slow} {
		appendTo(t, filepath.Join(dir, topic+"-0", "00000000000000000000.log"), "half of "+topic)
		stray := filepath.Join(dir, "no-"+topic+"-0")
		if err := os.Mkdir(stray, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(stray, "00000000000000000000.log"), []byte("somebody's"), 0o644); err != nil {
			t.Fatal(err)
		}
		strays, before[dir] = append(strays, stray), treeOf(t, dir)
	}
	predicted := recoverOf(t, d.broker, 0, "--dry-run")
	for dir, tree := range before {
		if !reflect.DeepEqual(treeOf(t, dir), tree) {
			t.Errorf("the dry run has changed %s", dir)
		}
	}
	done := recoverOf(t, d.broker, 0)
	if !predicted.DryRun || done.DryRun || !reflect.DeepEqual(predicted.Report, done.Report) || !reflect.DeepEqual(predicted.Parts, done.Parts) || !slices.Equal(predicted.Aside, done.Aside) {
		t.Errorf("predicted %+v, done %+v", predicted, done)
	}
	slices.Sort(strays)
	if slices.Sort(done.Aside); !slices.Equal(done.Aside, strays) {
		t.Errorf("set aside %v, want %v", done.Aside, strays)
	}
	for _, p := range done.Parts {
		if (p["topic"] == "fast" || p["topic"] == "slow") && p["partition"] == 0.0 && (p["cut"] != 12.0 || p["journalEntries"] == 0.0) {
			t.Errorf("%v", p)
		}
	}
	from := d.log.mark()
	d.start()
	d.log.says(t, from, `"clean":true`)
	d.wantLogDirs("fast-0", "slow-0 slow-1")
	d.compare("fast", "slow")
}

// TestRecover_NoDirectory: what is no data directory is refused, and not made.
func TestRecover_NoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	if out := sordini(t, 1, "recover", "--data-dir", dir); !strings.Contains(out, "is no data directory") {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
}
