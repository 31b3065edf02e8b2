//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sordini/test/bench/floor"
	"sordini/test/bench/report"
)

// TestMain lets the test binary be what the benchmark starts as a floor: itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && floor.Is(os.Args[1]) {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestRun measures a little against the real binary, so that the benchmark goes on
// to work as the server changes.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	server := filepath.Join(dir, "sordini")
	build := exec.Command("go", "build", "-o", server, ".")
	build.Dir = filepath.Join("..", "..") // the root of the module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var out, log bytes.Buffer
	code := run([]string{"--server", server, "--dir", dir, "--quick", "--size", "4194304", "--only", "produce,features,recovery", "-o", "json"}, &out, &log)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, log.String())
	}
	var got struct {
		Facts map[string]any
		Rows  []report.Row
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	want := []string{
		"produce 1 MiB batches: CPU/floor", "produce 1 MiB batches: CPU/floor+net", "produce 1 MiB batches: CPU/sordini",
		"produce 16 KiB batches: rate/sordini", "recovery after kill -9: CPU/floor", "recovery after kill -9: rate/sordini",
	}
	var have []string
	for _, r := range got.Rows {
		have = append(have, r.Name+"/"+r.Side)
		if len(r.Values) != 1 || r.Side == report.Floor && r.Median <= 0 {
			t.Errorf("row %+v", r)
		}
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("no row %q in %q", w, have)
		}
	}
	for _, g := range targets() { // those of the scenarios that ran must meet rows
		ran := strings.HasPrefix(g.Name, "produce 1 MiB") || strings.HasPrefix(g.Name, "produce 16 KiB") || strings.HasPrefix(g.Name, "recovery")
		if ran && !slices.Contains(have, g.Name+"/"+g.Side) {
			t.Errorf("no row for the target %q in %q", g.Name, have)
		}
	}
	if got.Facts["congestion_control"] == "" {
		t.Error("the facts tell no congestion control")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "sordini-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"":                             "--server is missing",
		"--server x -o xml":            "-o xml",
		"--server x --rounds 0":        "--rounds 0",
		"--server x --size 5":          "--size 5",
		"--server x --only fetch,none": "--only none: no such scenario",
		"--server x fetch":             `unexpected argument "fetch"`,
		"--server x --only fetch":      "",
	} {
		_, err := parse(strings.Fields(line), io.Discard)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", line, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	o, err := parse([]string{"--server", "x", "--quick", "--rounds", "2"}, io.Discard)
	if err != nil || o.rounds != 2 || o.size != quickSize {
		t.Errorf("quick: %+v, %v", o, err)
	}
}

// TestTargets: a target has one limit.
func TestTargets(t *testing.T) {
	for _, g := range targets() {
		if (g.Most == 0) == (g.Least == 0) {
			t.Errorf("%s has not one limit: %+v", g.Name, g)
		}
	}
}
