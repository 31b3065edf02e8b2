package scenario

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"sordini/test/clients/check"
	"sordini/test/clients/event"
	"sordini/test/clients/foreign"
	"sordini/test/clients/member"
)

// Tools are what members are made with.
type Tools struct {
	Self      string // this program, which can be a member
	Reference string // runs Kafka's tools as "SCRIPT tool CLASS args", "" without Java
	Modules   string // directory of node packages with kafkajs
}

// Variant is a client library and the way it is used.
type Variant struct {
	Library  string
	Protocol string
	Strategy string
	Static   bool // members have an instance id each
	// Stays is a static member that cannot come back before its session ends.
	Stays bool
	check.Rules
}

// Variants are all that the scenario can play. Members that other programs are made
// of stamp in milliseconds, or when their output is read.
func Variants() []Variant {
	stamped := check.Rules{Slack: 5 * time.Millisecond}
	printed := check.Rules{Slack: 300 * time.Millisecond, Drops: true} // kcat stores an offset before it prints
	queued := check.Rules{Repeats: true}
	all := []Variant{
		{"kcat", member.Classic, member.Range, false, false, printed},
		{"sarama", member.Classic, member.Range, false, false, check.Rules{}},
		{"sarama", member.Classic, member.Cooperative, false, false, check.Rules{}},
		{"kafka-go", member.Classic, member.Range, false, false, queued},
		{"kafkajs", member.Classic, "roundrobin", false, false, check.Rules{Slack: stamped.Slack, Repeats: true}},
	}
	for _, library := range []string{"franz-go", "confluent", "java"} {
		var rules check.Rules
		if library == "java" {
			rules = stamped
		}
		// With KIP-848, franz-go 1.22.2 leaves the instance id out when it says that it
		// will be back, which is refused.
		stays := library == "franz-go"
		all = append(all,
			Variant{library, member.Classic, member.Range, false, false, rules},
			Variant{library, member.Classic, member.Cooperative, false, false, rules},
			Variant{library, member.Classic, member.Range, true, false, rules},
			Variant{library, member.Consumer, member.Uniform, false, false, rules},
			Variant{library, member.Consumer, member.Range, true, stays, rules})
	}
	return all
}

// Name tells variants apart.
func (v Variant) Name() string {
	name := v.Library + " " + v.Protocol + " " + v.Strategy
	if v.Static {
		name += " static"
	}
	return name
}

// command is a member's process and how its lines of output are read.
type command struct {
	cmd            *exec.Cmd
	stdout, stderr func(string) []event.Event
}

func (v Variant) command(t Tools, dir string, cfg member.Config) (command, error) {
	none := func(string) []event.Event { return nil }
	switch v.Library {
	case "kcat":
		records := func(line string) []event.Event { return foreign.KcatRecord(cfg.Partitions, line) }
		return command{foreign.Kcat(cfg), records, foreign.KcatRebalance}, nil
	case "kafkajs":
		cmd, err := foreign.KafkaJS(t.Modules, dir, cfg)
		return command{cmd, parse, none}, err
	case "java":
		if t.Reference == "" {
			return command{}, errors.New("no script that runs Kafka's tools")
		}
		cmd, err := foreign.Java(t.Reference, dir, cfg)
		return command{cmd, foreign.JavaLine, none}, err
	}
	return command{exec.Command(t.Self, append([]string{"member", v.Library}, memberArgs(cfg)...)...), parse, none}, nil
}

// Version is that of the library.
func (v Variant) Version(t Tools) string {
	switch v.Library {
	case "kcat":
		return output(`Version (\S+).*librdkafka (\S+)`, "kcat", "-V")
	case "kafkajs":
		return output(`"version": "([^"]*)"`, "cat", filepath.Join(t.Modules, "kafkajs", "package.json"))
	case "java":
		return output(`^(\d\S*)`, t.Reference, "tool", "org.apache.kafka.tools.TopicCommand", "--version")
	}
	paths := map[string]string{
		"franz-go": "github.com/twmb/franz-go", "sarama": "github.com/IBM/sarama",
		"kafka-go": "github.com/segmentio/kafka-go", "confluent": "github.com/confluentinc/confluent-kafka-go/v2",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == paths[v.Library] {
				return strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	return "?"
}
