package test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// limitDisk sets from which share of the disk on nothing is written.
func limitDisk(t *testing.T, b *broker, ratio string) {
	t.Helper()
	c := client(t, b)
	defer c.Close()
	r, err := kadm.NewClient(c).AlterBrokerConfigs(within(t, patience), []kadm.AlterConfig{{Name: "log.disk.full.ratio", Value: &ratio}})
	if err == nil {
		err = r[0].Err
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk: a server whose disk is full by its settings refuses what takes
// space, also after a restart, serves everything else, and goes on by itself.
func TestFullDisk(t *testing.T) {
	const everything, nothing = "1.0E-9", "1.0"
	b := startBroker(t)
	createTopic(t, b, "t", 1)
	dial(t, b.addr).mustProduce("t", 0, plain("a", "b"))
	refused := func(when string) {
		t.Helper()
		p := dial(t, b.addr).produce("t", 0, plain("x").encode(t))
		if p.ErrorCode != kerr.KafkaStorageError.Code || p.ErrorMessage == nil ||
			!strings.Contains(*p.ErrorMessage, b.dir) || !strings.Contains(*p.ErrorMessage, "log.disk.full.ratio") {
			t.Errorf("%s: produce: %d %v", when, p.ErrorCode, p.ErrorMessage)
		}
		n := 0
		consume(t, b, "t", func(*kgo.Record) { n++ })
		if n == 0 {
			t.Errorf("%s: nothing read", when)
		}
	}
	limitDisk(t, b, everything)
	refused("full")
	c := client(t, b)
	var offsets kadm.Offsets
	offsets.AddOffset("t", 0, 1, -1)
	if r, err := kadm.NewClient(c).DeleteRecords(within(t, patience), offsets); err != nil || r.Error() != nil {
		t.Errorf("delete records: %v, %v", err, r.Error())
	}
	b.restart()
	refused("restarted")
	limitDisk(t, b, nothing)
	if at := dial(t, b.addr).mustProduce("t", 0, plain("c")); at != 2 {
		t.Errorf("appended at %d, want 2: a refused batch was stored", at)
	}
	createTopic(t, b, "u", 1)
	deleteTopic(t, b, "t")
}
