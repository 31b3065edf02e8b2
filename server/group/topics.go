package group

import (
	"sordini/server/audit"
	"sordini/server/group/record"
	"sordini/server/group/step"
	"sordini/server/meta"
)

// topics shows an image to the shards.
type topics struct{ image *meta.Image }

func (t topics) Version() int64 { return t.image.Version() }

func (t topics) ByName(name string) (step.Topic, bool) { return view(t.image.Topic(name)) }

func (t topics) ByID(id record.TopicID) (step.Topic, bool) { return view(t.image.TopicByID(id)) }

func (t topics) Names(yield func(string) bool) {
	for topic := range t.image.Topics() {
		if topic.Name != audit.Topic && !yield(topic.Name) { // nobody subscribes to it by a pattern
			return
		}
	}
}

func view(t *meta.Topic) (step.Topic, bool) {
	if t == nil {
		return step.Topic{}, false
	}
	return step.Topic{ID: t.ID, Name: t.Name, Partitions: t.Partitions}, true
}
