package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sordini/server/admin"
	"sordini/server/audit"
)

func TestTrace_Steps(t *testing.T) {
	at := func(ms int) *time.Time {
		t := time.Date(2026, 1, 31, 12, 0, 0, ms*1e6, time.UTC)
		return &t
	}
	moment := func(ms int) admin.Moment { return admin.Moment{Recorded: true, At: at(ms)} }
	n := func(v int64) *int64 { return &v }
	key, old := "4711", "1"
	a := &admin.TraceAnswer{
		Record:   &admin.TracedRecord{Timestamp: at(0).UnixMilli(), Key: &key},
		Batch:    admin.TracedBatch{TimestampType: "CreateTime"},
		Appended: admin.TracedAppend{Moment: admin.Moment{Recorded: true, At: at(1), Until: at(2)}, TracedClient: admin.TracedClient{ClientID: "a\x1b", Address: "10.0.0.1:5", Principal: "User:ANONYMOUS"}},
		Flushed:  admin.TracedFlush{Durable: true, Moment: moment(3), By: "recovery", Latest: true},
		Groups: []admin.TracedGroup{
			{Group: "late", Committed: n(3), CommittedAt: at(1)},
			{Group: "unseen", Passed: true, Moment: admin.Moment{Why: "when was not recorded"}, Committed: n(9), CommittedAt: at(50)},
			{Group: "seen", Passed: true, Moment: moment(9), Offset: n(5), Committed: n(9), CommittedAt: at(50)},
			{Group: "gone", Passed: true, Moment: moment(8), Offset: n(6)},
		},
		Changes: []audit.Change{
			{At: *at(6), Action: audit.ActionServerStarted, Recovered: true},
			{At: *at(7), Action: audit.ActionConfigsAltered, Configs: []audit.ConfigChange{{Name: "retention.ms", Old: &old}, {Name: "password", Secret: true}}},
			{At: *at(5), Action: audit.ActionServerStopped},
		},
	}
	var got []string
	for _, row := range steps(a)[1:] {
		got = append(got, strings.ReplaceAll(strings.Join(row, " | "), "2026-01-31T12:00:00.", ""))
	}
	want := []string{
		"produced | 000Z | by the record's timestamp (CreateTime), key 4711",
		`appended | 001000Z | by client "a\x1b" at 10.0.0.1:5, User:ANONYMOUS, between then and 002000Z`,
		"durable | 003000Z | by recovery at a start, at the latest",
		"stopped | 005000Z | the server, in order",
		"started | 006000Z | the server, after a kill or a crash, with recovery",
		`changed | 007000Z | configs altered, retention.ms from 1 to null, password, by client ""`,
		`consumed | 008000Z | group gone committed 6, client ""; it has no offset any more`,
		`consumed | 009000Z | group seen committed 5, client ""; now at 9 since 050000Z`,
		"consumed | not recorded | group unseen: when was not recorded; now at 9 since 050000Z",
		"waiting | - | group late: now at 3 since 001000Z",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
