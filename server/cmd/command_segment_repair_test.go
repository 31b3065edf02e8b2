package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sordini/segment"
)

func TestSegmentRepair(t *testing.T) {
	compare := goldenFrom(t)
	dir := writeLog(t)
	if got := outputOf(t, exitOK, "segment", "repair", dir); strings.Contains(got, "fence") {
		t.Errorf("nothing is wrong: %s", got)
	}
	damage(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, segment.FileName(0, segment.LogSuffix)))
	if err != nil {
		t.Fatal(err)
	}
	planned := outputOf(t, exitDamage, "segment", "repair", ".")
	if torn, _ := filepath.Glob(filepath.Join(dir, "*.torn")); len(torn) != 0 {
		t.Errorf("written without --yes: %v", torn)
	}
	done := outputOf(t, exitOK, "segment", "repair", "--yes", dir)
	if torn, _ := filepath.Glob(filepath.Join(dir, "*.torn")); len(torn) != 1 {
		t.Errorf("kept: %v", torn)
	}
	var again struct {
		Segments []struct {
			Wrong  bool
			Fenced []any
		}
	}
	if err := json.Unmarshal([]byte(outputOf(t, exitOK, "segment", "repair", "-o", "json", dir)), &again); err != nil {
		t.Fatal(err)
	}
	if s := again.Segments[0]; s.Wrong || len(s.Fenced) != 1 {
		t.Errorf("after the repair: %+v", s)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, segment.FileName(0, segment.LogSuffix))); string(after) != string(before) {
		t.Error("the .log file was changed")
	}
	compare("repair_planned.txt", planned)
	compare("repair_done.txt", done)
}

// Every file that is made of the log comes back as it was.
func TestSegmentReindex(t *testing.T) {
	dir := writeLog(t)
	want := make(map[string]string)
	for _, suffix := range []string{segment.IndexSuffix, segment.TimeIndexSuffix, segment.CheckSuffix} {
		names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want[name] = string(b)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	outputOf(t, exitOK, "segment", "reindex", "--index-interval", "100", dir)
	for name, text := range want {
		if b, err := os.ReadFile(name); err != nil || string(b) != text {
			t.Errorf("%s is not as it was: %v", name, err)
		}
	}
	damage(t, dir)
	if got := outputOf(t, exitDamage, "segment", "reindex", filepath.Join(dir, segment.FileName(0, segment.LogSuffix))); !strings.Contains(got, "fence") {
		t.Errorf("%s", got)
	}
}

func TestSegmentRepair_Refusals(t *testing.T) {
	dir := writeLog(t)
	for path, want := range map[string]string{
		filepath.Join(dir, "leader-epoch-checkpoint"): "not that of a segment",
		"missing": "no such file",
		".git":    "no such file",
	} {
		p := newTestProcess("segment", "repair", path)
		if code := p.run(); code != exitFailure || !strings.Contains(p.err.String(), want) {
			t.Errorf("%s: exit code %d: %s", path, code, p.err.String())
		}
	}
	if err := os.WriteFile(filepath.Join(dir, segment.FileName(0, segment.LogSuffix)+segment.SwapSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newTestProcess("segment", "repair", dir)
	if code := p.run(); code != exitFailure || !strings.Contains(p.err.String(), "compaction was interrupted") {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
}
