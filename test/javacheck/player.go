package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sordini/test/javacheck/output"
)

// player runs tools for both sides, one at a time.
type player struct {
	kafka, sordini *side
	script         string
	jvm            *jvm
	sources        string // directory of the Java sources
}

// call runs what a check says at a side.
func (p *player) call(c *check, s *side) (output.Output, error) {
	words := split(c.run)
	for i := range words {
		words[i] = s.fill(words[i])
	}
	switch words[0] {
	case "cat":
		text, err := os.ReadFile(words[1])
		return output.Output{Out: string(text)}, err
	case "start":
		started, err := p.start(c, s, words[2:])
		s.started[words[1]] = started
		return output.Output{}, err
	case "stop":
		return p.stop(s, words[1])
	}
	t, ok := byName[words[0]]
	if !ok {
		return output.Output{}, fmt.Errorf("no tool %q", words[0])
	}
	if !t.alone {
		return p.jvm.run(t.main, t.arguments(words[1:], s), c.stdin)
	}
	started, err := p.start(c, s, words)
	if err != nil {
		return output.Output{}, err
	}
	return started.end(c.until != nil)
}

// start starts a tool as a process of its own, and waits until it has done what the
// check says.
func (p *player) start(c *check, s *side, words []string) (*process, error) {
	t, ok := byName[words[0]]
	if !ok || !t.alone {
		return nil, fmt.Errorf("%q is not a program of its own", words[0])
	}
	main := t.main
	if strings.HasSuffix(main, ".java") {
		main = filepath.Join(p.sources, main)
	}
	cmd := java(p.script, main, t.arguments(words[1:], s)...)
	cmd.Stdin = strings.NewReader(c.stdin)
	started, err := startProcess(cmd)
	if err != nil || c.until == nil {
		return started, err
	}
	return started, started.await(func() bool { return c.until.reached(started.out.text(), s.tmp) })
}

func (p *player) stop(s *side, name string) (output.Output, error) {
	started := s.started[name]
	if started == nil {
		return output.Output{}, fmt.Errorf("%s has not started", name)
	}
	delete(s.started, name)
	return started.end(true)
}

// served are the names of the APIs that sordini advertises.
func (p *player) served() (map[string]bool, error) {
	o, err := p.call(&check{run: "broker-api-versions"}, p.sordini)
	served := output.Served(o.Lines())
	if err == nil && len(served) == 0 {
		err = fmt.Errorf("sordini advertises nothing: %v", o)
	}
	return served, err
}
