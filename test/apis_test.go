package test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiRanges asks what is served.
func apiRanges(w *wire) []kmsg.ApiVersionsResponseApiKey {
	w.t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	resp := ask[*kmsg.ApiVersionsResponse](w, 3, req)
	if resp.ErrorCode != 0 || len(resp.ApiKeys) == 0 {
		w.t.Fatalf("ApiVersions: error %d, %d keys", resp.ErrorCode, len(resp.ApiKeys))
	}
	return resp.ApiKeys
}

// firstProduceVersion is the first that carries record batches. Lower ones are
// advertised because librdkafka wants to see them, and never served.
const firstProduceVersion = 3

// TestApis_EveryVersion sends every version of every API that is advertised,
// once with no content and once with some. Each is answered, the answer decodes
// to its last byte, and the connection stays open.
func TestApis_EveryVersion(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	w.mustProduce("plain", 0, plain("a"))
	id := describeTopic(w, "plain", false).TopicID
	n := 0
	for _, k := range apiRanges(w) {
		for v := k.MinVersion; v <= k.MaxVersion; v++ {
			if k.ApiKey == 0 && v < firstProduceVersion {
				dial(t, b.addr).wantClosed(produceRequest("plain", 0, -1, nil), v)
				continue
			}
			for _, req := range []kmsg.Request{empty(k.ApiKey), sample(t, k.ApiKey, v, id)} {
				if v > req.MaxVersion() {
					t.Errorf("%s version %d is advertised and unknown to kmsg", kmsg.NameForKey(k.ApiKey), v)
					continue
				}
				req.SetVersion(v)
				if err := w.try(req, req.ResponseKind()); err != nil {
					t.Errorf("%s version %d: %v", kmsg.NameForKey(k.ApiKey), v, err)
					w = dial(t, b.addr)
				}
				n++
			}
		}
	}
	t.Logf("%d requests", n)
}

// empty is a request that asks for nothing, and for an answer.
func empty(key int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	if produce, ok := req.(*kmsg.ProduceRequest); ok {
		produce.Acks = -1
	}
	return req
}

// sample is a request with content that the server is able to do; those it has
// no sample for are as kmsg makes them.
func sample(t testing.TB, key, version int16, id [16]byte) kmsg.Request {
	t.Helper()
	name := "plain"
	switch key {
	case 0:
		req := produceRequest(name, 0, -1, plain("a").encode(t))
		req.Topics[0].TopicID = id
		return req
	case 1:
		req := fetchRequest(name, 0, 0)
		req.Topics[0].TopicID = id
		return req
	case 2:
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID = -1
		p := kmsg.ListOffsetsRequestTopicPartition{Timestamp: latest, CurrentLeaderEpoch: -1, MaxNumOffsets: 1}
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: name, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		return req
	case 3:
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
		return req
	case 18:
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
		return req
	case 19:
		req := kmsg.NewPtrCreateTopicsRequest()
		req.ValidateOnly = true // versions before know no such thing, and create the topic once
		req.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "created", NumPartitions: 1, ReplicationFactor: 1}}
		return req
	case 20:
		req := kmsg.NewPtrDeleteTopicsRequest()
		other := "created"
		req.TopicNames = []string{other}
		req.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &other}}
		return req
	case 21:
		req := kmsg.NewPtrDeleteRecordsRequest()
		p := kmsg.DeleteRecordsRequestTopicPartition{Offset: 0}
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: name, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{p}}}
		return req
	case 23:
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		p := kmsg.OffsetForLeaderEpochRequestTopicPartition{CurrentLeaderEpoch: -1}
		req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: name, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{p}}}
		return req
	}
	return adminSample(key, name)
}

// adminSample is sample for the APIs that describe and configure.
func adminSample(key int16, name string) kmsg.Request {
	switch key {
	case 32:
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		req.Resources = []kmsg.DescribeConfigsRequestResource{
			{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name},
			{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"},
		}
		return req
	case 33:
		req := kmsg.NewPtrAlterConfigsRequest()
		req.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name}}
		return req
	case 37:
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.ValidateOnly = true
		req.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: name, Count: 2}}
		return req
	case 44:
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		value := "60000"
		c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpSet, Value: &value}
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c},
		}}
		return req
	case 75:
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = 10
		req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: name}}
		return req
	}
	return kmsg.RequestForKey(key)
}

// TestApis_Unsupported: an ApiVersions request of the future is answered in
// version 0, so that the client can choose; anything else unknown ends the
// connection.
func TestApis_Unsupported(t *testing.T) {
	b := startBroker(t)
	w := dial(t, b.addr)
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	req.SetVersion(99)
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := w.try(req, resp); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != kerr.UnsupportedVersion.Code || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != apiVersionsKey {
		t.Errorf("ApiVersions version 99: error %d, keys %+v", resp.ErrorCode, resp.ApiKeys)
	}
	apiRanges(w) // on the same connection

	w.wantClosed(kmsg.NewPtrFetchRequest(), 3) // below what is served
	dial(t, b.addr).wantClosed(kmsg.NewPtrLeaderAndISRRequest(), 0)
}
