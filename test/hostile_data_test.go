package test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestHostile_Swollen: batches that swell by decompression are refused wherever
// the server has to look inside, in time and without taking memory.
func TestHostile_Swollen(t *testing.T) {
	b := startBroker(t)
	createVictims(t, b)
	bombs := swollen()
	w := dial(t, b.addr)
	w.mustProduce("victim", 0, plain("a"))
	before := measure(t, b)
	allowed := []int16{kerr.InvalidRecord.Code, kerr.MessageTooLarge.Code}
	peak, worst := int64(0), time.Duration(0)
	for i, bomb := range bombs {
		for _, topic := range victimNames {
			least := time.Hour
			var code int16
			for try := 0; try < 3 && least > bound(slowestAnswer); try++ {
				began := time.Now()
				code = w.produce(topic, 0, bomb).ErrorCode
				least = min(least, time.Since(began))
			}
			worst = max(worst, least)
			peak = max(peak, resident(t, b)-before.resident)
			if least > bound(slowestAnswer) {
				t.Errorf("bomb %d to %s took %v", i, topic, least)
			}
			unseen := topic == "victim" || topic == "victim-appendtime" || topic == "victim-zstd" && bomb[crcAt+5]&7 == codecZstd ||
				topic == "victim-gzip" && bomb[crcAt+5]&7 == codecGzip
			if refused := slices.Contains(allowed, code); code != 0 && !refused || code == 0 && !unseen && !small(bomb) {
				t.Errorf("bomb %d to %s: error %d", i, topic, code)
			}
		}
	}
	t.Logf("slowest answer %v, at most %d MiB more", worst, peak>>20)
	if !raceEnabled && peak > 2*grownBytes {
		t.Errorf("%d bytes more", peak)
	}
	requireBack(t, b, before)
}

// small says that a bomb is one for those only who believe what it says of itself.
func small(bomb []byte) bool { return len(bomb) < 200 || bomb[crcAt+5]&7 == codecSnappy }

// TestHostile_SwollenTogether: what may be decompressed for one request is in
// proportion to its length, however many bombs it holds.
func TestHostile_SwollenTogether(t *testing.T) {
	b := startBroker(t)
	createVictims(t, b)
	bomb := swollen()[1] // 1 GiB of zeros in 32 KiB
	req := produceRequest("victim-compacted", 0, -1, bomb)
	for range 99 {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
	}
	req.SetVersion(produceVersion)
	w := dial(t, b.addr)
	least := time.Hour
	for try := 0; try < 3 && least > bound(slowestAnswer); try++ {
		began := time.Now()
		resp := ask[*kmsg.ProduceResponse](w, produceVersion, req)
		least = min(least, time.Since(began))
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode != kerr.InvalidRecord.Code {
				t.Fatalf("error %d", p.ErrorCode)
			}
		}
	}
	t.Logf("100 GiB refused in %v", least)
	if least > bound(slowestAnswer) {
		t.Errorf("took %v", least)
	}
}

// TestHostile_Timestamps: a header that says another time than its records does not
// deceive lookups and retention.
func TestHostile_Timestamps(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	now := time.Now().UnixMilli()
	for i, lie := range []int64{math.MaxInt64, now + 48*3600*1000, 0, -1, math.MinInt64} {
		honest := plain("a")
		honest.records[0].timestamp = now + int64(i)
		p := w.produce("plain", 0, seal(altered(honest.encode(t), func(b []byte) {
			binary.BigEndian.PutUint64(b[crcAt+4+2+4+8:], uint64(lie))
		})))
		if p.ErrorCode != 0 {
			t.Fatalf("max timestamp %d: error %d", lie, p.ErrorCode)
		}
		req := kmsg.NewPtrListOffsetsRequest()
		at := kmsg.ListOffsetsRequestTopicPartition{Timestamp: -3, CurrentLeaderEpoch: -1} // the largest
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "plain", Partitions: []kmsg.ListOffsetsRequestTopicPartition{at}}}
		got := ask[*kmsg.ListOffsetsResponse](w, 7, req).Topics[0].Partitions[0]
		if got.Timestamp != now+int64(i) || got.Offset != int64(i) {
			t.Errorf("max timestamp %d: the latest record is at %d, of %d; want %d, of %d", lie, got.Offset, got.Timestamp, i, now+int64(i))
		}
		records := w.fetch(fetchRequest("plain", 0, int64(i))).RecordBatches
		if h := heads(t, records)[0]; h.MaxTimestamp != now+int64(i) {
			t.Errorf("max timestamp %d is stored as %d, want %d", lie, h.MaxTimestamp, now+int64(i))
		}
	}
}

// TestHostile_Sessions: fetch sessions remember nothing that does not exist, and a
// partition that is named twice counts once.
func TestHostile_Sessions(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 2)
	w := dial(t, b.addr)
	w.mustProduce("plain", 0, plain("a"))
	named := func(id, epoch int32, partitions ...int32) *kmsg.FetchResponse {
		req := fetchRequest("plain", 0, 0)
		req.SessionID, req.SessionEpoch, req.Topics[0].Partitions = id, epoch, nil
		for _, p := range partitions {
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchTopic("plain", p, 0).Partitions...)
		}
		return ask[*kmsg.FetchResponse](w, fetchVersion, req)
	}
	if resp := named(0, 0, 0, 7); resp.SessionID != 0 {
		t.Error("a session with an unknown partition")
	}
	resp := named(0, 0, slices.Repeat([]int32{0, 1}, 1000)...)
	if resp.SessionID == 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 {
		t.Fatalf("2 partitions named 1000 times: session %d, answer %+.200v", resp.SessionID, resp.Topics)
	}
	if resp := named(resp.SessionID, 1, 1000, 1001); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("unknown partitions added to a session: error %d", resp.ErrorCode)
	}
	req := fetchRequest("plain", 1, 0) // there is nothing in it to be had at once
	req.Topics[0].Partitions = slices.Repeat(req.Topics[0].Partitions, 40_000)
	req.MaxWaitMillis, req.MinBytes = 500, 1
	req.SetVersion(fetchVersion)
	waiting := dial(t, b.addr)
	apiRanges(waiting)
	if _, err := waiting.send(req); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.mustProduce("plain", 1, plain("b"))
	if took := time.Since(began); took > bound(slowestAnswer) {
		t.Errorf("produce took %v beside a fetch that names its partition 40000 times", took)
	}
	if _, _, err := waiting.receive(); err != nil {
		t.Error(fmt.Errorf("the fetch: %w", err))
	}
}
