package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sordini/test/javacheck/output"
)

// tally prints what each check finds, and counts.
type tally struct {
	whole            bool // all groups are played
	good, all, lines int
	declared, faults int
}

func (t *tally) play(p *player, group string, c *check) {
	began := time.Now()
	r := c.play(p)
	t.all++
	t.lines += r.lines
	t.declared += r.declared
	verdict := "ok  "
	if len(r.faults) == 0 {
		t.good++
	} else {
		verdict = "DIFF"
	}
	note := ""
	if r.declared > 0 {
		note = fmt.Sprintf(", %d declared deviations", r.declared)
	}
	fmt.Printf("%s %s/%s (%d lines%s, %.1f s)\n", verdict, group, c.name, r.lines, note, time.Since(began).Seconds())
	if len(r.faults) > 0 {
		fmt.Println("      " + c.run)
	}
	for _, f := range r.faults {
		fmt.Println("      " + strings.ReplaceAll(f, "\n", "\n      "))
	}
}

// fault is something wrong beside the checks.
func (t *tally) fault(what, how string) {
	t.faults++
	fmt.Printf("DIFF %s: %s\n", what, how)
}

// end prints the sum. It is an error if anything differed.
func (t *tally) end(took time.Duration) error {
	if t.whole {
		for _, r := range output.Unused() {
			t.fault("rule "+r.What, "changes nothing any more")
		}
	}
	fmt.Printf("%d of %d, %d lines compared, %d declared deviations, %.0f s\n", t.good, t.all, t.lines, t.declared, took.Seconds())
	if t.good < t.all || t.all == 0 || t.faults > 0 {
		return errors.New("not all is equal")
	}
	return nil
}
