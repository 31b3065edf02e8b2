package api

import (
	"errors"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/wire"
)

// DescribeLogDirs (key 35), versions 0 to 4 (KIP-113).
//
//	v2  flexible
//	v3  error of the whole request, never set
//	v4  size and free space of the file system (KIP-827)
//
// There is one directory. A partition that could not be opened is left out: what
// it holds is not known. When the file system does not answer, the directory has
// KAFKA_STORAGE_ERROR and no partitions, like one that is offline in Kafka.
func (a *API) describeLogDirsRoute() wire.Route {
	return serve(0, 4, a.describeLogDirs)
}

func (a *API) describeLogDirs(_ *wire.Request, req *kmsg.DescribeLogDirsRequest, resp *kmsg.DescribeLogDirsResponse) {
	d := kmsg.NewDescribeLogDirsResponseDir()
	d.Dir = a.set.Dir()
	usage, err := a.set.FS().Usage(d.Dir)
	switch {
	case err == nil:
		d.TotalBytes, d.UsableBytes = int64(min(usage.Total, math.MaxInt64)), int64(min(usage.Free, math.MaxInt64))
	case !errors.Is(err, errors.ErrUnsupported):
		a.logger.Error("data directory does not tell its space", "dir", d.Dir, "err", err)
		d.ErrorCode = kerr.KafkaStorageError.Code
	}
	if d.ErrorCode == 0 {
		d.Topics = a.logDirTopics(req)
	}
	resp.Dirs = append(resp.Dirs, d)
}

// logDirTopics lists the partitions asked for, all if the request names no list
// of topics.
func (a *API) logDirTopics(req *kmsg.DescribeLogDirsRequest) []kmsg.DescribeLogDirsResponseDirTopic {
	asked := make(map[string][]int32, len(req.Topics))
	for _, q := range req.Topics {
		asked[q.Topic] = append(asked[q.Topic], q.Partitions...)
	}
	var topics []kmsg.DescribeLogDirsResponseDirTopic
	for topic := range a.set.Image().Topics() {
		wanted, named := asked[topic.Name]
		if !named && (req.Topics != nil || topic.Name == audit.Topic) {
			continue
		}
		t := kmsg.NewDescribeLogDirsResponseDirTopic()
		t.Topic = topic.Name
		slices.Sort(wanted)
		for _, p := range a.set.Topic(topic.Name) {
			if _, found := slices.BinarySearch(wanted, p.Index); req.Topics != nil && !found || p.Log().Segments() == 0 {
				continue
			}
			tp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			tp.Partition, tp.Size = p.Index, p.Log().Size()
			t.Partitions = append(t.Partitions, tp)
		}
		if len(t.Partitions) > 0 {
			topics = append(topics, t)
		}
	}
	return topics
}
