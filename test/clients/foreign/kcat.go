package foreign

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"sordini/test/clients/event"
	"sordini/test/clients/member"
)

// Kcat is the command of a member made of kcat.
func Kcat(cfg member.Config) *exec.Cmd {
	set := func(key string, value any) string { return fmt.Sprintf("-X%s=%v", key, value) }
	return exec.Command("kcat", "-b", cfg.Address, "-u", "-G", cfg.Group, "-f", "%p %o %s\n",
		set("auto.offset.reset", "earliest"), set("auto.commit.interval.ms", member.CommitInterval.Milliseconds()),
		set("session.timeout.ms", member.SessionTimeout.Milliseconds()), set("heartbeat.interval.ms", member.HeartbeatInterval.Milliseconds()),
		set("fetch.wait.max.ms", 200), set("partition.assignment.strategy", cfg.Strategy), cfg.Topic)
}

var (
	kcatRebalance = regexp.MustCompile(`^% Group \S+ rebalanced \(memberid \S*\): (?:incrementally )?(assigned|revoked): (.*)$`)
	kcatPartition = regexp.MustCompile(`\[(\d+)\]`)
)

// KcatRebalance makes an event of a line of kcat's error output.
func KcatRebalance(line string) []event.Event {
	match := kcatRebalance.FindStringSubmatch(line)
	switch {
	case match != nil:
	case strings.HasPrefix(line, "% ERROR"):
		return []event.Event{{Kind: event.Note, Text: line}}
	default:
		return nil
	}
	e := event.Event{Kind: event.Kind(match[1])}
	for _, p := range kcatPartition.FindAllStringSubmatch(match[2], -1) {
		n, _ := strconv.ParseInt(p[1], 10, 32) // the expression took digits only
		e.Partitions = append(e.Partitions, int32(n))
	}
	return []event.Event{e}
}

// KcatRecord makes an event of a line of kcat's output, for a topic with this many
// partitions.
func KcatRecord(partitions int, line string) []event.Event {
	var p int32
	var offset int64
	var value string
	if _, err := fmt.Sscan(line, &p, &offset, &value); err != nil {
		return []event.Event{{Kind: event.Fault, Text: fmt.Sprintf("output %q: %v", line, err)}}
	}
	if want := event.Value(partitions, p, offset); value != want {
		return []event.Event{{Kind: event.Fault, Text: fmt.Sprintf("partition %d has %q at offset %d, want %s", p, value, offset, want)}}
	}
	return []event.Event{{Kind: event.Records, Partition: p, First: offset, Last: offset}}
}
