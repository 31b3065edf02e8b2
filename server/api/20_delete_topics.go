package api

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/meta"
	"sordini/server/wire"
)

// DeleteTopics (key 20), versions 0 to 6.
//
//	v4  flexible
//	v5  error messages
//	v6  topics by id (KIP-516)
//
// The name is free and the topic cannot come back when the answer leaves; its
// files go later. Where delete.topic.enable is false, versions below 3 hear
// INVALID_REQUEST, because they do not know TOPIC_DELETION_DISABLED.
func (a *API) deleteTopicsRoute() wire.Route {
	return serve(0, 6, a.deleteTopics)
}

// doomedTopic is a topic to delete, or why it stays.
type doomedTopic struct {
	name *string // nil if only the id is known
	id   meta.TopicID
	err  error
}

func (a *API) deleteTopics(r *wire.Request, req *kmsg.DeleteTopicsRequest, resp *kmsg.DeleteTopicsResponse) {
	asked := req.Topics
	if req.Version < 6 {
		asked = nil
		for i := range req.TopicNames {
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.Topic = &req.TopicNames[i]
			asked = append(asked, t)
		}
	}
	if !a.set.Broker().DeleteTopics {
		refuseDeletion(asked, req.Version, resp)
		return
	}
	doomed := findDoomed(a.set.Image(), asked)
	for i := range doomed {
		d := &doomed[i]
		if d.err == nil {
			d.err = a.deleteTopic(r, d)
		}
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID = d.name, d.id
		t.ErrorCode, t.ErrorMessage = a.codeMessage(d.err)
		resp.Topics = append(resp.Topics, t)
	}
}

func (a *API) deleteTopic(r *wire.Request, d *doomedTopic) error {
	if *d.name == audit.Topic {
		return errAuditTopic
	}
	name := strings.Clone(*d.name)
	err := a.set.DeleteTopic(d.id)
	if err == nil {
		a.audit.Change(r.Client(), audit.Change{Action: audit.ActionTopicDeleted, Topic: name, TopicID: d.id.String()})
	}
	return err
}

func refuseDeletion(asked []kmsg.DeleteTopicsRequestTopic, version int16, resp *kmsg.DeleteTopicsResponse) {
	kind := kerr.TopicDeletionDisabled
	if version < 3 {
		kind = kerr.InvalidRequest
	}
	for _, q := range asked {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = q.Topic, q.TopicID, kind.Code
		resp.Topics = append(resp.Topics, t)
	}
}

// findDoomed resolves names and ids. What occurs twice is answered once, with an
// error.
func findDoomed(image *meta.Image, asked []kmsg.DeleteTopicsRequestTopic) []doomedTopic {
	byName := func(q kmsg.DeleteTopicsRequestTopic) bool { return q.Topic != nil && meta.TopicID(q.TopicID).IsZero() }
	names, ids := make(map[string]int), make(map[meta.TopicID]int)
	for _, q := range asked {
		switch {
		case byName(q):
			names[*q.Topic]++
		case q.Topic == nil:
			ids[q.TopicID]++
		}
	}
	var doomed []doomedTopic
	for _, q := range asked {
		d := doomedTopic{name: q.Topic, id: q.TopicID}
		switch {
		case q.Topic != nil && !d.id.IsZero():
			d.err = fail(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
		case q.Topic == nil && d.id.IsZero():
			d.err = fail(kerr.InvalidRequest, "Neither topic name nor id were specified.")
		case q.Topic == nil:
			if ids[d.id] == 0 {
				continue // answered already
			}
			d.findByID(image, names, ids)
		default:
			if names[*q.Topic] == 0 {
				continue
			}
			d.findByName(image, names, ids)
		}
		doomed = append(doomed, d)
	}
	return doomed
}

// errNameAndID: the request names one topic in both ways.
var errNameAndID = fail(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied.")

// findByID resolves an id. The counts of what was answered go to 0.
func (d *doomedTopic) findByID(image *meta.Image, names map[string]int, ids map[meta.TopicID]int) {
	if ids[d.id] > 1 {
		d.err = fail(kerr.InvalidRequest, "Duplicate topic id.")
		ids[d.id] = 0
		return
	}
	t := image.TopicByID(d.id)
	if t == nil {
		d.err = plain(kerr.UnknownTopicID)
		return
	}
	d.name = &t.Name
	if names[t.Name] > 0 {
		d.err = errNameAndID
		ids[d.id], names[t.Name] = 0, 0
	}
}

// findByName resolves a name. The counts of what was answered go to 0.
func (d *doomedTopic) findByName(image *meta.Image, names map[string]int, ids map[meta.TopicID]int) {
	if names[*d.name] > 1 {
		d.err = errDuplicateName
		names[*d.name] = 0
		return
	}
	t := image.Topic(*d.name)
	if t == nil {
		d.err = plain(kerr.UnknownTopicOrPartition)
		return
	}
	d.id = t.ID
	if ids[t.ID] > 0 {
		d.err = errNameAndID
		ids[t.ID], names[t.Name] = 0, 0
	}
}
