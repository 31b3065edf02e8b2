package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sordini/test/javacheck/output"
)

// TestCompare: a planted difference of each kind is a fault, and so is a check that
// does not do at Kafka what it is for.
func TestCompare(t *testing.T) {
	kafka := []string{"Created topic t.", "stderr: note", "exit status 0"}
	configs := []string{"All configs for topic t are:", "  segment.ms=5 sensitive=false synonyms={}", "exit status 0"}
	swap := func(lines []string, old, new string) []string {
		return strings.Split(strings.Replace(strings.Join(lines, "\n"), old, new, 1), "\n")
	}
	for _, c := range []struct {
		name        string
		check       check
		kafka, ours []string
		faults      []string
	}{
		{"equal", check{want: []string{"Created"}}, kafka, kafka, nil},
		{"text", check{}, kafka, swap(kafka, "topic t", "topic u"), []string{"Kafka: Created topic t.", "here:  Created topic u."}},
		{"stderr", check{}, kafka, swap(kafka, "note", "other"), []string{"Kafka: stderr: note", "here:  stderr: other"}},
		{"status", check{}, kafka, swap(kafka, "status 0", "status 1"), []string{"Kafka: exit status 0", "here:  exit status 1"}},
		{"a line more", check{}, kafka, append(slices.Clone(kafka), "more"), []string{"here:  more"}},
		{"a line less", check{}, kafka, kafka[1:], []string{"Kafka: Created topic t."}},
		{"both fail", check{}, swap(kafka, "status 0", "status 1"), swap(kafka, "status 0", "status 1"), []string{`Kafka's output has no "exit status 0"`}},
		{"not what it is for", check{want: []string{"deleted"}}, kafka, kafka, []string{`Kafka's output has no "deleted"`}},
		{"config", check{reader: topicConfigs}, configs, swap(configs, "segment.ms=5", "segment.ms=6"),
			[]string{"topics/configs: DescribeConfigs 4 topic: Resources[topic t].Configs[segment.ms].Value: Kafka 5, here 6"}},
		{"status beside configs", check{reader: topicConfigs}, configs, swap(configs, "status 0", "status 1"), []string{"Kafka: exit status 0", "here:  exit status 1"}},
	} {
		got := c.check.compare(c.kafka, c.ours).faults
		same := slices.EqualFunc(got, c.faults, func(got, want string) bool { return strings.HasPrefix(got, want) })
		if !same {
			t.Errorf("%s: %q, want %q", c.name, got, c.faults)
		}
	}
}

// TestCompareDeclared: what test/reference declares is counted, not reported.
func TestCompareDeclared(t *testing.T) {
	kafka := []string{"exit status 0"}
	r := (&check{reader: topicConfigs}).compare(kafka, []string{"  flush.policy=sync sensitive=false synonyms={}", "exit status 0"})
	if len(r.faults) > 0 || r.declared != 1 {
		t.Errorf("a setting of this server alone: %+v, want one declared deviation", r)
	}
}

// TestLists: every check calls a tool that there is, by a name of its own, and what a
// check starts is stopped.
func TestLists(t *testing.T) {
	for _, g := range groups() {
		names := make(map[string]bool)
		started := make(map[string]bool)
		for _, c := range g.checks {
			words := split(c.run)
			if words[0] == "start" || words[0] == "stop" {
				started[words[1]] = words[0] == "start"
				words = words[2:]
			}
			if len(words) > 0 && words[0] != "cat" && byName[words[0]].main == "" {
				t.Errorf("%s/%s: no tool %q", g.name, c.name, words[0])
			}
			if names[c.name] {
				t.Errorf("%s/%s is there twice", g.name, c.name)
			}
			names[c.name] = true
			for _, r := range c.rules {
				if !slices.Contains(output.Rules, r) {
					t.Errorf("%s/%s: rule %q is not declared", g.name, c.name, r.What)
				}
			}
		}
		for name, runs := range started {
			if runs {
				t.Errorf("%s: %s is not stopped", g.name, name)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                       nil,
		"topics --list":          {"topics", "--list"},
		"a  'b c' d":             {"a", "b c", "d"},
		"--topic 'x.*' ''":       {"--topic", "x.*", ""},
		"k='a b',c":              {"k=a b,c"},
		"{tmp}/in.txt {broker} ": {"{tmp}/in.txt", "{broker}"},
	} {
		if got := split(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestFill(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{"b.log", "a.log", "a.index"} {
		if err := os.WriteFile(filepath.Join(data, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &side{broker: &broker{address: "h:1", data: data}, tmp: "/tmp/x", acls: "True"}
	for text, want := range map[string]string{
		"{broker}":      "h:1",
		"{tmp}/f":       "/tmp/x/f",
		"{data}/*.log":  filepath.Join(data, "a.log") + "," + filepath.Join(data, "b.log"),
		"{data}/*.none": filepath.Join(data, "*.none"),
		"words-.*":      "words-.*",
	} {
		if got := s.fill(text); got != filepath.FromSlash(want) && got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestAbsent: a tool is left out as long as one of its APIs is missing.
func TestAbsent(t *testing.T) {
	a := absent{tool: "x", apis: "A B"}
	for served, want := range map[string]string{"": "A B", "A": "B", "A B": ""} {
		apis := make(map[string]bool)
		for _, api := range strings.Fields(served) {
			apis[api] = true
		}
		if got := strings.Join(a.missing(apis), " "); got != want {
			t.Errorf("served %q: missing %q, want %q", served, got, want)
		}
	}
	for _, a := range notRun {
		if (a.apis == "") == (a.why == "") {
			t.Errorf("%s is not run for no reason, or for two", a.tool)
		}
	}
}

// TestProcess: a process that goes on is awaited by what it prints, and ended.
func TestProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script runs where there is a shell")
	}
	p, err := startProcess(exec.Command("sh", "-c", "echo ready; echo oh >&2; exec sleep 600"))
	if err != nil {
		t.Fatal(err)
	}
	u := &until{text: "ready"}
	if err := p.await(func() bool { return u.reached(p.out.text(), "") }); err != nil {
		t.Fatal(err)
	}
	got, err := p.end(true)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 143 || got.Out != "ready\n" {
		t.Errorf("%+v, want status 143 and what it printed", got)
	}
}
