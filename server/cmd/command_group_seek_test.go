package cmd

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Time{
		"2026-11-23T08:00:00Z":          now.Add(-4 * time.Hour),
		"2026-11-23T08:00:00.001+02:00": now.Add(-6*time.Hour + time.Millisecond),
		"90m":                           now.Add(-90 * time.Minute),
		"7d":                            now.Add(-7 * 24 * time.Hour),
		"0":                             time.UnixMilli(0),
		"0s":                            now,
		"1795000000000":                 time.UnixMilli(1795000000000),
		"65535d":                        time.UnixMilli(0), // before the epoch
	}
	for s, want := range tests {
		if got, err := parseTime(s, now); err != nil || got != want.UnixMilli() {
			t.Errorf("%s: %d, %v; want %d", s, got, err, want.UnixMilli())
		}
	}
	for _, bad := range []string{"", "-1", "-5m", "-1d", "d", "1.5d", "65536d", "yesterday", "2026-11-23", "1969-12-31T23:59:59Z", "99999999999999999999"} {
		if got, err := parseTime(bad, now); err == nil {
			t.Errorf("%q is taken for %d", bad, got)
		}
	}
}

// testSeek is a topic with three partitions, of which nothing is committed for the last, and one that is gone.
func testSeek() seekFacts {
	return seekFacts{
		committed: offsetsOf(map[string][]int64{"orders": {118200, 50, -1}, "gone": {9}}),
		start:     listedOf(map[string][]int64{"orders": {10, 0, 4}, "gone": nil}),
		end:       listedOf(map[string][]int64{"orders": {118203, 50, 4}, "gone": nil}),
		times:     listedOf(map[string][]int64{"orders": {4711, 50, 4}, "gone": nil}),
	}
}

func TestMove(t *testing.T) {
	const failed = -1
	tests := []struct {
		target seekTarget
		want   [3]int64 // of the partitions
		beyond int      // how many are not what was asked for
	}{
		{seekTarget{flag: "to-start"}, [3]int64{10, 0, 4}, 0},
		{seekTarget{flag: "to-end"}, [3]int64{118203, 50, 4}, 0},
		{seekTarget{flag: "to-offset", number: 50}, [3]int64{50, 50, 4}, 1},
		{seekTarget{flag: "to-offset", number: 0}, [3]int64{10, 0, 4}, 2},
		{seekTarget{flag: "by", number: -20}, [3]int64{118180, 30, failed}, 0},
		{seekTarget{flag: "by", number: 3}, [3]int64{118203, 50, failed}, 1},
		{seekTarget{flag: "by", number: math.MaxInt64}, [3]int64{118203, 50, failed}, 2},
		{seekTarget{flag: "by", number: math.MinInt64}, [3]int64{10, 0, failed}, 2},
		{seekTarget{flag: "to-time", number: 1}, [3]int64{4711, 50, 4}, 0},
	}
	facts := testSeek()
	for _, tt := range tests {
		beyond := 0
		for index, want := range tt.want {
			m := facts.move(partitionKey{"orders", int32(index)}, tt.target)
			got := int64(failed)
			if m.New != nil {
				got = *m.New
			}
			if got != want || (m.Error != "") != (want == failed) {
				t.Errorf("%s %d: partition %d: %d, want %d; error %q", tt.target.flag, tt.target.number, index, got, want, m.Error)
			}
			if m.Beyond != nil {
				beyond++
			}
		}
		if beyond != tt.beyond {
			t.Errorf("%s %d: %d are beyond the log, want %d", tt.target.flag, tt.target.number, beyond, tt.beyond)
		}
		for _, k := range []partitionKey{{"gone", 0}, {"orders", 3}} {
			if m := facts.move(k, tt.target); m.New != nil || !strings.HasPrefix(m.Error, "UNKNOWN_TOPIC_OR_PARTITION: ") {
				t.Errorf("%s: %s: %+v", tt.target.flag, k, m)
			}
		}
	}
}

func TestMove_SavedMetadata(t *testing.T) {
	facts := testSeek()
	target := seekTarget{flag: "from-file", saved: map[partitionKey]savedOffset{
		{"orders", 0}: {20, "of 20"}, {"orders", 1}: {51, "of 51"},
	}}
	if m := facts.move(partitionKey{"orders", 0}, target); *m.New != 20 || m.metadata != "of 20" {
		t.Errorf("%+v", m)
	}
	// Metadata tells of an offset that is not there any more.
	if m := facts.move(partitionKey{"orders", 1}, target); *m.New != 50 || m.metadata != "" || *m.Beyond != 51 {
		t.Errorf("%+v", m)
	}
}

func TestSeekPartitions(t *testing.T) {
	facts := testSeek()
	var set kadm.TopicsSet
	set.Add("orders")
	if all, err := facts.partitions(set); err != nil || len(all) != 3 || all[2] != (partitionKey{"orders", 2}) {
		t.Errorf("%v, %v", all, err)
	}
	set.Add("orders", 7)
	set.Add("gone", 0)
	if all, err := facts.partitions(set); err != nil || len(all) != 2 || all[0] != (partitionKey{"gone", 0}) {
		t.Errorf("%v, %v", all, err)
	}
	for _, topic := range []string{"gone", "unlisted"} {
		set = nil
		set.Add(topic)
		if _, err := facts.partitions(set); err == nil || !strings.Contains(err.Error(), "topic "+topic+": UNKNOWN_TOPIC") {
			t.Errorf("%s: error %v", topic, err)
		}
	}
}

// TestReadOffsets reads what "group describe" prints.
func TestReadOffsets(t *testing.T) {
	described, err := os.ReadFile(filepath.Join("testdata", "group_describe.json"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "saved.json")
	read := func(content, group string) (map[partitionKey]savedOffset, error) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return readOffsets(path, group)
	}
	saved, err := read(string(described), "modern")
	if err != nil || len(saved) != 5 || saved[partitionKey{"orders", 2}] != (savedOffset{5, "a\tb"}) || saved[partitionKey{"gone", 0}].offset != 9 {
		t.Errorf("%v, %v", saved, err)
	}
	one := `{"_version":1,"groups":[{"name":"a","partitions":[{"topic":"t","partition":1,"offset":5}]}]}`
	if saved, err = read(one, "b"); err != nil || saved[partitionKey{"t", 1}].offset != 5 {
		t.Errorf("another group's: %v, %v", saved, err)
	}
	for _, bad := range []string{
		"", "{}", strings.Replace(one, ":1,", ":2,", 1), strings.Replace(one, "5", `"5"`, 1), strings.Replace(one, "5", "null", 1),
		strings.Replace(one, "5", "-5", 1), strings.Replace(one, `"partition":1`, `"partition":2147483648`, 1), `{"_version":1}`,
		`{"_version":1,"groups":[]}`,
	} {
		if saved, err := read(bad, "a"); err == nil || !strings.Contains(err.Error(), "--from-file") {
			t.Errorf("%s: %v, %v", bad, saved, err)
		}
	}
	if _, err := read(string(described), "fourth"); err == nil || !strings.Contains(err.Error(), "fourth is not one of its 3 groups") {
		t.Errorf("error %v", err)
	}
	if _, err := readOffsets(filepath.Join(t.TempDir(), "nowhere"), "g"); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestPrintMoves(t *testing.T) {
	facts := testSeek()
	var moves []seekMove
	for _, number := range []int64{-20, 3} {
		for index := range int32(3) {
			moves = append(moves, facts.move(partitionKey{"orders", index}, seekTarget{flag: "by", number: number}))
		}
	}
	moves = append(moves, facts.move(partitionKey{"orders", 0}, seekTarget{flag: "to-offset"}))
	var exit *exitError
	p := newTestProcess()
	if err := printMoves(&p.Process, formatTable, "billing", moves, true); !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	golden(t, "group_seek.txt", p.out.String())
	golden(t, "group_seek.err.txt", p.err.String())
	p = newTestProcess()
	if err := printMoves(&p.Process, formatJSON, "billing", moves[1:5], false); !errors.As(err, &exit) {
		t.Errorf("error %v", err)
	}
	golden(t, "group_seek.json", p.out.String())
	p = newTestProcess()
	if err := printMoves(&p.Process, formatTable, "billing", moves[:2], false); err != nil || strings.Contains(p.out.String(), "nothing was changed") {
		t.Errorf("error %v: %s", err, p.out.String())
	}
}

func TestCommitError(t *testing.T) {
	if got := commitError(kerr.UnknownMemberID).Error(); got != "UNKNOWN_MEMBER_ID: members have joined the group meanwhile" {
		t.Error(strconv.Quote(got))
	}
	if got := commitError(kerr.OffsetMetadataTooLarge).Error(); !strings.HasPrefix(got, "OFFSET_METADATA_TOO_LARGE: ") {
		t.Error(strconv.Quote(got))
	}
}
