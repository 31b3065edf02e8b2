package api

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol/guard"
)

// Messages quote what clients send, and lengths of strings have 16 bits in old
// versions.
func TestMessages_AreShort(t *testing.T) {
	h := newHarness(t)
	name := strings.Repeat("ü", guard.MaxString/2)
	for _, version := range []int16{0, 1, 4} {
		for _, kind := range []int8{topicResource, brokerResource} {
			r := call[*kmsg.DescribeConfigsResponse](h, version, describeConfigsRequest(kind, name)).Resources[0]
			if r.ErrorCode == 0 || len(text(r.ErrorMessage)) > longestMessage || !utf8.ValidString(text(r.ErrorMessage)) {
				t.Errorf("version %d: error %d with a message of %d bytes", version, r.ErrorCode, len(text(r.ErrorMessage)))
			}
			if r.ResourceName != name {
				t.Errorf("version %d: the answer is about another resource", version)
			}
		}
	}
	if got := clip(strings.Repeat("a", longestMessage)); len(got) != longestMessage || strings.HasSuffix(got, ".") {
		t.Errorf("a message that is just short enough was cut")
	}
}

// A list that is appended to again and again ends before it is too long to be told.
func TestIncrementalAlterConfigs_ListsAreBounded(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	refused := false
	for i := range 20 {
		var items []string
		for j := range 300 {
			items = append(items, fmt.Sprintf("%d:%d", 1000*i+j, 1))
		}
		resp := call[*kmsg.IncrementalAlterConfigsResponse](h, 1,
			incrementalRequest(topicResource, "a", "leader.replication.throttled.replicas", 2, strings.Join(items, ",")))
		switch r := resp.Resources[0]; r.ErrorCode {
		case 0:
		case kerr.InvalidConfig.Code:
			refused = true
		default:
			t.Fatalf("error %d: %s", r.ErrorCode, text(r.ErrorMessage))
		}
	}
	if !refused {
		t.Error("there is no end to it")
	}
	call[*kmsg.DescribeConfigsResponse](h, 1, describeConfigsRequest(topicResource, "a"))
}

// An answer is bounded by what there is, whatever is asked for.
func TestDescribeConfigs_IsBounded(t *testing.T) {
	h := newHarness(t)
	req := describeConfigsRequest(topicResource, "a")
	h.createTopic("a", 1)
	for range 1000 { // once more and once more
		req.Resources = append(req.Resources, req.Resources[0])
	}
	if n := len(call[*kmsg.DescribeConfigsResponse](h, 4, req).Resources); n != 1 {
		t.Errorf("one topic was described %d times", n)
	}
	req.Resources, req.IncludeDocumentation = nil, true
	for i := range 20_000 {
		req.Resources = append(req.Resources, describeConfigsRequest(groupResource, fmt.Sprint("group-", i)).Resources...)
	}
	for _, version := range []int16{3, 4} {
		resp := call[*kmsg.DescribeConfigsResponse](h, version, req)
		if len(resp.Resources) != 20_000 {
			t.Fatalf("%d of 20000 resources", len(resp.Resources))
		}
		size, last := len(resp.AppendTo(nil)), resp.Resources[len(resp.Resources)-1]
		if size > 4*describedAlways || last.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("version %d: an answer of %d bytes, error %d at its end", version, size, last.ErrorCode)
		}
	}
}

// A request creates many topics at once, but not as many as it can name.
func TestMetadata_CreatesABoundedNumber(t *testing.T) {
	h := newHarness(t, "num.partitions=4")
	h.createTopic("a_b", 1)
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	name := func(s string) {
		q := kmsg.NewMetadataRequestTopic()
		q.Topic = kmsg.StringPtr(s)
		req.Topics = append(req.Topics, q)
	}
	for i := range maxAutoCreated {
		name("a/b") // not a name
		name(fmt.Sprint("new-", i))
	}
	name("a.b")
	codes := make(map[int16]int)
	for _, topic := range call[*kmsg.MetadataResponse](h, 4, req).Topics {
		codes[topic.ErrorCode]++
	}
	const created = maxAutoCreated / 4
	if codes[0] != created || codes[kerr.UnknownTopicOrPartition.Code] != maxAutoCreated-created || codes[kerr.InvalidTopicException.Code] != 2 {
		t.Errorf("answers by error code: %v", codes)
	}
	if n := h.set.Image().TopicCount(); n != 1+created {
		t.Errorf("%d topics", n)
	}
}

// Topics that one request makes the broker create don't collide with each other.
func TestMetadata_CreatedTopicsDoNotCollide(t *testing.T) {
	h := newHarness(t)
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	for _, name := range []string{"x.y", "x_y", "z"} {
		q := kmsg.NewMetadataRequestTopic()
		q.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, q)
	}
	var codes []int16
	for _, topic := range call[*kmsg.MetadataResponse](h, 12, req).Topics {
		codes = append(codes, topic.ErrorCode)
	}
	if fmt.Sprint(codes) != "[0 17 0]" {
		t.Errorf("error codes %v", codes)
	}
}
