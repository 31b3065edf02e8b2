package api

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol/guard"
	"sordini/server/wire"
)

// administration is a request of each API whose answers are complete at once and
// that FuzzHandlers feeds.
func administration() []kmsg.Request {
	logDirs := kmsg.NewPtrDescribeLogDirsRequest()
	logDirs.Topics = []kmsg.DescribeLogDirsRequestTopic{logDirsTopic("a", 0)}
	return append(groupRequests(), []kmsg.Request{
		createTopicsRequest(false, newTopic("b", 2, 1, "retention.ms", "1"), placed("c", -1, -1, []int32{0, 1})),
		deleteTopicsRequest(byName("a"), byName("nosuch")),
		deleteRecordsRequest("a", 0, -1, 1, 0),
		describeConfigsRequest(topicResource, "a", "retention.ms"),
		alterRequest(topicResource, "a", "retention.ms", "5"),
		logDirs,
		createPartitionsRequest("a", 3, []int32{1}),
		incrementalRequest(brokerResource, "", "log.cleaner.threads", 0, "2"),
		kmsg.NewPtrDescribeClusterRequest(),
		describeTopicPartitionsRequest(1, "a", 0, "a"),
	}...)
}

// FuzzHandlers feeds handlers with whatever passes the guard: no panic, and an
// answer that can be decoded.
func FuzzHandlers(f *testing.F) {
	kinds := administration()
	h := newHarness(f)
	for i, req := range kinds {
		for _, v := range h.versions(req) {
			req.SetVersion(v)
			f.Add(uint8(i), uint8(v), req.AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, kind, version uint8, body []byte) {
		h := newHarness(t)
		h.createTopic("a", 2)
		h.write("a", 0, 1)
		req := administration()[int(kind)%len(kinds)]
		versions := h.versions(req)
		v := versions[int(version)%len(versions)]
		if guard.Check(req.Key(), v, body) != nil {
			return
		}
		reply := h.route(req.Key()).Handle(&wire.Request{Conn: &wire.Conn{}, Key: req.Key(), Version: v, Body: body, Received: time.Now()})
		encoded, ok := reply.(wire.Appender)
		if !ok {
			return // the connection is closed
		}
		req.SetVersion(v)
		if err := req.ResponseKind().ReadFrom(encoded.AppendTo(nil)); err != nil {
			t.Errorf("%s version %d: answer cannot be decoded: %v", Name(req.Key()), v, err)
		}
	})
}
