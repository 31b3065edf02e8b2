package api

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/meta"
	"sordini/server/wire"
)

// CreatePartitions (key 37), versions 0 to 3 (KIP-195).
//
//	v2  flexible
//
// Order of checks: name twice, number of partitions of the whole request,
// existence, count, assignment. The partitions exist, durably, when the answer
// leaves.
//
// Deviation: more than 10,000 new partitions are a POLICY_VIOLATION, as they are
// for CreateTopics; Kafka answers UNKNOWN_SERVER_ERROR here.
func (a *API) createPartitionsRoute() wire.Route {
	return serve(0, 3, a.createPartitions)
}

func (a *API) createPartitions(r *wire.Request, req *kmsg.CreatePartitionsRequest, resp *kmsg.CreatePartitionsResponse) {
	tooMany := a.addedPartitions(req) > maxNewPartitions
	seen := occurrences(req.Topics, func(t kmsg.CreatePartitionsRequestTopic) string { return t.Topic })
	for i := range req.Topics {
		q := &req.Topics[i]
		var err error
		switch n := seen[q.Topic]; {
		case n == 0:
			continue // answered already
		case n > 1:
			err = errDuplicateName
			seen[q.Topic] = 0
		case tooMany:
			err = errTooManyPartitions
		default:
			err = a.growTopic(r, q, req.ValidateOnly)
		}
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic = q.Topic
		t.ErrorCode, t.ErrorMessage = a.codeMessage(err)
		resp.Topics = append(resp.Topics, t)
	}
}

// addedPartitions is how many partitions the whole request asks for.
func (a *API) addedPartitions(req *kmsg.CreatePartitionsRequest) int64 {
	image := a.set.Image()
	var n int64
	for _, q := range req.Topics {
		if t := image.Topic(q.Topic); t != nil {
			n += max(0, int64(q.Count)-int64(t.Partitions))
		}
	}
	return n
}

func (a *API) growTopic(r *wire.Request, q *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	if err := checkGrowth(a.set.Image(), q); err != nil || validateOnly {
		return err
	}
	if q.Topic == audit.Topic {
		return errAuditTopic
	}
	err := a.set.AddPartitions(q.Topic, q.Count)
	if err == nil {
		a.audit.Change(r.Client(), audit.Change{
			Action: audit.ActionPartitionsAdded, Topic: q.Topic, TopicID: a.topicID(q.Topic), Partitions: q.Count,
		})
	}
	if errors.Is(err, meta.ErrInvalid) {
		if late := checkGrowth(a.set.Image(), q); late != nil {
			return late // somebody else was faster
		}
	}
	return err
}

func checkGrowth(image *meta.Image, q *kmsg.CreatePartitionsRequestTopic) error {
	t := image.Topic(q.Topic)
	switch {
	case t == nil:
		return plain(kerr.UnknownTopicOrPartition)
	case q.Count == t.Partitions:
		return fail(kerr.InvalidPartitions, fmt.Sprintf("Topic already has %d partition(s).", t.Partitions))
	case q.Count < t.Partitions:
		return fail(kerr.InvalidPartitions,
			fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, t.Partitions, q.Count))
	case q.Assignment == nil:
		return nil
	}
	if added := int(q.Count - t.Partitions); len(q.Assignment) != added {
		return fail(kerr.InvalidReplicaAssignment,
			fmt.Sprintf("Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", added, len(q.Assignment)))
	}
	for _, r := range q.Assignment {
		if err := checkReplicas(image, r.Replicas); err != nil {
			return err
		}
	}
	return nil
}
