package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// dataSubjects are the APIs of records and offsets.
func dataSubjects() []subject {
	return []subject{
		{api: "Produce", min: 3, max: 13, prepare: produceSubject, skip: []string{
			"Acks zero", "Topics.Partitions.Records null", "Topics doubled", "Topics.Partitions doubled",
			"TimeoutMillis zero", "TimeoutMillis one", "TimeoutMillis minus-one", "TimeoutMillis minus-two", "TimeoutMillis lowest",
		}},
		{api: "Fetch", min: 4, max: 18, prepare: fetchSubject, skip: []string{"MinBytes", "SessionID highest", "SessionID lowest"}},
		{api: "ListOffsets", min: 1, max: 10, prepare: listOffsetsSubject},
		{api: "DeleteRecords", min: 0, max: 2, prepare: deleteRecordsSubject, skip: []string{"TimeoutMillis"}},
		{api: "InitProducerID", min: 0, max: 5, prepare: initProducerSubject, skip: []string{"TransactionalID unknown", "TransactionalID long"}},
		{api: "OffsetForLeaderEpoch", min: 2, max: 4, prepare: leaderEpochSubject},
	}
}

// filled is a topic with two batches, of three records and of two.
func filled(p *play.Play) play.Topic {
	t := p.Topic(1)
	put(p, t, 0, values(3))
	put(p, t, 0, values(2))
	return t
}

// put appends a batch and does not keep the answer.
func put(p *play.Play, t play.Topic, partition int32, b batch) {
	resp := p.Quiet(9, produceTo(9, t, partition, b.encode())).(*kmsg.ProduceResponse)
	if len(resp.Topics) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		p.Fail("produce to %s: %+v", t.Name, resp.Topics)
	}
}

// produceTo is a request for one partition.
func produceTo(v Version, t play.Topic, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, records
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	req.SetVersion(v)
	return req
}

func produceSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request { return produceTo(v, t, 0, values(3).encode()) }
}

// fetchFrom is a request for one partition, without a session, that does not wait.
func fetchFrom(t play.Topic, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 0, 0, 1<<20, -1
	req.Topics = []kmsg.FetchRequestTopic{fetchTopic(t, partition, offset)}
	return req
}

func fetchTopic(t play.Topic, partition int32, offset int64) kmsg.FetchRequestTopic {
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, offset, 1<<20
	topic.Partitions = append(topic.Partitions, part)
	return topic
}

func fetchSubject(p *play.Play) func(v Version) kmsg.Request {
	t := filled(p)
	return func(v Version) kmsg.Request {
		req := fetchFrom(t, 0, 0)
		req.MaxWaitMillis, req.MinBytes, req.Topics[0].Partitions[0].LogStartOffset = 10, 1, 0
		return req
	}
}

// offsetAt asks for the offset of a time, or of one of the names below zero.
func offsetAt(t play.Topic, partition int32, time int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = t.Name
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = partition, time
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 30_000
	return req
}

func listOffsetsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := filled(p)
	return func(v Version) kmsg.Request { return offsetAt(t, 0, longAgo+1) }
}

// deleteBefore deletes the records of a partition below an offset.
func deleteBefore(t play.Topic, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = t.Name
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 60_000
	return req
}

func deleteRecordsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := filled(p)
	return func(v Version) kmsg.Request { return deleteBefore(t, 0, 2) }
}

func initProducerSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionTimeoutMillis = 60_000
		return req
	}
}

// epochEnd asks where a leader epoch ends.
func epochEnd(t play.Topic, partition, current, epoch int32) *kmsg.OffsetForLeaderEpochRequest {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
	topic.Topic = t.Name
	part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	part.Partition, part.CurrentLeaderEpoch, part.LeaderEpoch = partition, current, epoch
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

func leaderEpochSubject(p *play.Play) func(v Version) kmsg.Request {
	t := filled(p)
	return func(v Version) kmsg.Request { return epochEnd(t, 0, -1, 0) }
}
