package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sordini/test/javacheck/output"
	"sordini/test/reference"
)

// check is one call of a tool, compared.
type check struct {
	name string
	// run is the tool and its arguments, separated by spaces; single quotes keep some
	// together. {broker}, {data} and {tmp} stand for the address of the side's server,
	// its log directory, and a directory for files. "cat FILE" prints one.
	run   string
	stdin string
	files map[string]string // to be written to {tmp} before
	until *until            // ends a process of its own that would go on
	// settle: the call only reads, and what it tells may take moments to be so. It is
	// repeated while the sides differ.
	settle bool

	status int      // its process has to end with
	want   []string // what Kafka's output, after the rules, has to hold: the tool did what it was meant to
	rules  []*output.Rule
	reader *output.Reader
}

// until ends a process once a text is in its output, or in a file.
type until struct{ file, text string }

// result is what a check found.
type result struct {
	faults   []string // differences that are not declared, and whatever else is wrong
	declared int      // differences that are
	lines    int      // compared, of Kafka's
}

// play plays a check at both sides and compares.
func (c *check) play(p *player) result {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		kafka, err := c.text(p, p.kafka)
		if err != nil {
			return result{faults: []string{fmt.Sprintf("Kafka: %v", err)}}
		}
		ours, err := c.text(p, p.sordini)
		if err != nil {
			return result{faults: []string{fmt.Sprintf("here:  %v", err)}}
		}
		if r := c.compare(kafka, ours); len(r.faults) == 0 || !c.settle || time.Since(began) > 10*time.Second {
			return r
		}
	}
}

// text is what a side printed, after the rules.
func (c *check) text(p *player, s *side) ([]string, error) {
	for name, text := range c.files {
		if err := os.WriteFile(filepath.Join(s.tmp, name), []byte(s.fill(text)), 0o644); err != nil {
			return nil, err
		}
	}
	o, err := p.call(c, s)
	if err != nil {
		return nil, err
	}
	lines := output.Rename(o.Lines(), s.names())
	lines = output.Apply(lines, output.Always...)
	return output.Apply(lines, c.rules...), nil
}

// compare compares two texts after the rules.
func (c *check) compare(kafka, ours []string) result {
	r := result{lines: len(kafka)}
	whole := strings.Join(kafka, "\n")
	for _, want := range append(c.want, fmt.Sprintf("exit status %d", c.status)) {
		if !strings.Contains(whole+"\n", want) {
			r.faults = append(r.faults, fmt.Sprintf("Kafka's output has no %q: the check does not do what it is for:\n%s", want, whole))
		}
	}
	if c.reader != nil {
		differences, kafkaText, oursText := c.reader.Facts(kafka, ours)
		for _, d := range differences {
			if reference.Declared(d) != nil {
				r.declared++
			} else {
				r.faults = append(r.faults, d.String())
			}
		}
		kafka, ours = kafkaText, oursText
	}
	r.faults = append(r.faults, output.Lines(kafka, ours)...)
	return r
}

// split separates a command line at spaces; single quotes keep some together.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case r == ' ' && !quoted:
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}
