package cmd

import (
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/partition"
)

// exampleBanner is what the help of "serve" shows.
const exampleBanner = `  sordini 0.1.0 (rev 1a2b3c4, go1.26.8, linux/amd64)
    data      ./data  ext4, 52 GiB free of 252 GiB
    flush     sync: a write with acks=all is answered once it is forced to disk
    at risk   process kill: nothing
              OS crash, power cut: nothing that was answered with acks=all, if the
              disk keeps what it has confirmed; with acks=1 or 0 the last writes
    recovery  clean shutdown; 3 topics, 12 partitions, 48 segments in 38 ms
    kafka     127.0.0.1:9092  advertised: the address that a client connected to
    admin     http://127.0.0.1:9644  /metrics /healthz /readyz /debug/pprof/
  ready in 61 ms. Try:
    echo hello | kcat -b 127.0.0.1:9092 -P -t greetings
    kcat -b 127.0.0.1:9092 -C -t greetings -o beginning -e`

// banner is what a server tells when it is ready.
type banner struct {
	build      buildInfo
	dirs       []bannerDir
	profile    string // "" for none
	flush      config.Topic
	recovery   partition.Report
	kafka      string // bound address of the first listener
	listeners  []config.Listener
	advertised []config.Listener
	autoCreate bool
	admin      string // bound address, "" for none
	profiling  bool
	took       time.Duration
}

// bannerDir is a data directory.
type bannerDir struct {
	partition.Dir
	usage vfs.Usage // zero if unknown
}

// describe tells of a directory, and of its class if that distinguishes it from others.
func (d bannerDir) describe(several bool) string {
	class := ""
	if several && d.Class != "" {
		class = "  " + d.Class
	}
	if d.Err != nil {
		return fmt.Sprintf("%s%s  OFFLINE: %v", d.Path, class, d.Err)
	}
	if d.Cordoned {
		class += ", cordoned"
	}
	return d.Path + class + describeUsage(d.usage)
}

// String returns the lines, each with a newline.
func (b banner) String() string {
	var out strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&out, "  %-9s %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(&out, b.build)
	for i, d := range b.dirs {
		line([]string{"data", ""}[min(i, 1)], "%s", d.describe(len(b.dirs) > 1))
	}
	if b.profile != "" {
		line("profile", "%s", b.profile)
	}
	flush, risk := describeFlush(b.flush)
	line("flush", "%s", flush)
	for i, text := range risk {
		line([]string{"at risk", ""}[min(i, 1)], "%s", text)
	}
	line("recovery", "%s", describeRecovery(b.recovery))
	for i, l := range b.listeners {
		address := b.kafka
		if i > 0 {
			address = l.String()
		}
		line([]string{"kafka", ""}[min(i, 1)], "%s  advertised: %s", address, advertisedFor(l.Name, b.advertised))
	}
	if b.admin == "" {
		line("admin", "none")
	} else {
		paths := "/metrics /healthz /readyz"
		if b.profiling {
			paths += " /debug/pprof/"
		}
		line("admin", "http://%s  %s", reachable(b.admin), paths)
	}
	fmt.Fprintf(&out, "ready in %s. Try:\n", formatDuration(b.took))
	for _, command := range b.commands() {
		fmt.Fprintf(&out, "  %s\n", command)
	}
	return out.String()
}

// commands are lines for a shell that write and read a record.
func (b banner) commands() []string {
	address := reachable(b.kafka)
	if strings.Contains(address, "[") {
		address = "'" + address + "'" // brackets are patterns to a shell
	}
	var lines []string
	if !b.autoCreate {
		lines = append(lines, "sordini topic create greetings --bootstrap "+address)
	}
	return append(lines,
		"echo hello | kcat -b "+address+" -P -t greetings",
		"kcat -b "+address+" -C -t greetings -o beginning -e")
}

// reachable replaces an address that stands for every interface by one to connect to from this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		return net.JoinHostPort("127.0.0.1", port)
	case ip != nil && ip.IsUnspecified():
		return net.JoinHostPort("::1", port)
	default:
		return address
	}
}

// advertisedFor tells which address clients of a listener are told.
func advertisedFor(name string, advertised []config.Listener) string {
	for _, l := range advertised {
		if l.Name == name {
			return l.Address()
		}
	}
	return "the address that a client connected to"
}

func describeUsage(u vfs.Usage) string {
	if u.Total == 0 {
		return ""
	}
	fileSystem := u.Type
	if fileSystem == "" {
		fileSystem = "unknown file system"
	}
	return fmt.Sprintf("  %s, %s free of %s", fileSystem, formatSpace(u.Free), formatSpace(u.Total))
}

func formatSpace(n uint64) string { return formatBytes(int64(min(n, math.MaxInt64))) }

// describeFlush says when writes reach the disk by default, and what can be lost for it. Topics may differ.
func describeFlush(t config.Topic) (flush string, risk []string) {
	if t.FlushPolicy == config.FlushSync {
		return "sync: a write with acks=all is answered once it is forced to disk", []string{
			"process kill: nothing",
			"OS crash, power cut: nothing that was answered with acks=all, if the",
			"disk keeps what it has confirmed; with acks=1 or 0 the last writes",
		}
	}
	var within []string
	if t.FlushMs != math.MaxInt64 {
		within = append(within, formatDuration(time.Duration(min(t.FlushMs, math.MaxInt64/int64(time.Millisecond)))*time.Millisecond))
	}
	if t.FlushMessages != math.MaxInt64 {
		within = append(within, fmt.Sprintf("%d records of a partition", t.FlushMessages))
	}
	bound := strings.Join(within, " or ")
	if t.FlushPolicy == config.FlushHybrid {
		return "hybrid: an important write with acks=all is answered once it is forced to disk, others at once", []string{
			"process kill: nothing",
			"OS crash, power cut: nothing important that was answered with acks=all;",
			"of the rest the last " + bound + ", and the flush in progress",
		}
	}
	return "async: a write is answered at once and forced to disk after " + bound, []string{
		"process kill: nothing",
		"OS crash, power cut: answered writes of the last " + bound + ", and of",
		"the flush in progress; flush.policy=sync loses none with acks=all",
	}
}

// describeRecovery sums up what opening the data found.
func describeRecovery(r partition.Report) string {
	if r.Partitions == 0 {
		return "no partitions yet"
	}
	there := fmt.Sprintf("%s, %s, %s in %s", count(r.Topics, "topic"), count(r.Partitions, "partition"),
		count(r.Segments, "segment"), formatDuration(r.Took))
	text := "clean shutdown; " + there
	if !r.Clean {
		from := "from the beginning"
		if r.Checkpoint {
			from = "from the checkpoint"
		}
		text = "after an unclean end, " + from + "; " + there
	}
	if r.JournalEntries > 0 {
		text += fmt.Sprintf("; wrote back %s of the journal, %s", count(int(r.JournalEntries), "entry", "entries"), formatBytes(r.JournalBytes))
	}
	if r.Scanned > 0 {
		text += fmt.Sprintf("; checked %s with %s of %s, %s", count(r.Scanned, "segment"), count(int(r.Batches), "batch", "batches"),
			count(int(r.Records), "record"), formatBytes(r.Bytes))
	}
	if r.Cut > 0 {
		text += fmt.Sprintf("; cut %s of torn writes and kept them aside", formatBytes(r.Cut))
	}
	if r.Damaged > 0 {
		text += fmt.Sprintf("; DAMAGED: %s lost", count(r.Damaged, "range"))
	}
	if r.Offline > 0 {
		text += fmt.Sprintf("; OFFLINE: %s", count(r.Offline, "partition"))
	}
	return text
}
