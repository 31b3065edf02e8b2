package foreign

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sordini/test/clients/event"
	"sordini/test/clients/member"
)

// Java is the command of a member made of Kafka's VerifiableConsumer. reference is a
// script that runs Kafka's tools as "SCRIPT tool CLASS args"; dir takes a file of
// settings.
func Java(reference, dir string, cfg member.Config) (*exec.Cmd, error) {
	settings := "fetch.max.wait.ms=200\nmax.poll.records=1000\n"
	args := []string{"tool", "org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", cfg.Address,
		"--topic", cfg.Topic, "--group-id", cfg.Group, "--group-protocol", cfg.Protocol}
	if cfg.Protocol == member.Classic {
		settings += fmt.Sprintf("heartbeat.interval.ms=%d\n", member.HeartbeatInterval.Milliseconds())
		class := map[string]string{member.Range: "RangeAssignor", member.Cooperative: "CooperativeStickyAssignor"}[cfg.Strategy]
		args = append(args, "--session-timeout", fmt.Sprint(member.SessionTimeout.Milliseconds()),
			"--assignment-strategy", "org.apache.kafka.clients.consumer."+class)
	} else {
		args = append(args, "--group-remote-assignor", cfg.Strategy)
	}
	if cfg.Instance != "" {
		args = append(args, "--group-instance-id", cfg.Instance)
	}
	file := filepath.Join(dir, "consumer.properties")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(reference, append(args, "--command-config", file)...)
	cmd.Env = append(os.Environ(), "KAFKA_HEAP=-Xms64m -Xmx128m -XX:TieredStopAtLevel=1")
	return cmd, nil
}

// verifiable is a line of VerifiableConsumer.
type verifiable struct {
	Timestamp  int64
	Name       string
	Partitions []struct {
		Partition            int32
		Count                int64
		MinOffset, MaxOffset int64
	}
	Offsets []struct {
		Partition int32
		Offset    int64
	}
	Success bool
	Error   string
}

// JavaLine makes events of a line that VerifiableConsumer prints.
func JavaLine(line string) []event.Event {
	var v verifiable
	if json.Unmarshal([]byte(line), &v) != nil {
		return nil // a warning of the virtual machine
	}
	var all []event.Event
	switch v.Name {
	case "partitions_assigned", "partitions_revoked":
		e := event.Event{Kind: event.Assigned}
		if v.Name == "partitions_revoked" {
			e.Kind = event.Revoked
		}
		for _, p := range v.Partitions {
			e.Partitions = append(e.Partitions, p.Partition)
		}
		all = append(all, e)
	case "records_consumed":
		for _, p := range v.Partitions {
			if p.Count != p.MaxOffset-p.MinOffset+1 {
				all = append(all, event.Event{Kind: event.Fault, Text: "a gap: " + line})
			}
			all = append(all, event.Event{Kind: event.Records, Partition: p.Partition, First: p.MinOffset, Last: p.MaxOffset})
		}
	case "offsets_committed":
		for _, o := range v.Offsets {
			if v.Success {
				all = append(all, event.Event{Kind: event.Committed, Partition: o.Partition, Offset: o.Offset})
			}
		}
		if !v.Success {
			all = append(all, event.Event{Kind: event.Note, Text: "commit: " + v.Error})
		}
	}
	for i := range all {
		all[i].At = v.Timestamp * int64(time.Millisecond)
	}
	return all
}
