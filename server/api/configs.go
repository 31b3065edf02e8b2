package api

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol"
	"sordini/protocol/guard"
	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/wire"
)

// change is what AlterConfigs or IncrementalAlterConfigs asks of one resource.
type change struct {
	kind kmsg.ConfigResourceType
	name string
	ops  []config.Op
	// whole says that ops, which all set, are the whole set of settings that the
	// resource gets: what they do not name goes.
	whole bool
}

// alterConfigs carries out changes, or only checks them. The errors are in the
// order of the changes; one does not concern the others.
func (a *API) alterConfigs(r *wire.Request, changes []change, validateOnly bool) []error {
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	seen := occurrences(changes, func(c change) resource { return resource{c.kind, c.name} })
	errs := make([]error, len(changes))
	for i := range changes {
		c := &changes[i]
		if seen[resource{c.kind, c.name}] > 1 {
			errs[i] = fail(kerr.InvalidRequest, "Each resource must appear at most once.")
			continue
		}
		errs[i] = a.alterResource(r, c, validateOnly)
	}
	return errs
}

func (a *API) alterResource(r *wire.Request, c *change, validateOnly bool) error {
	if err := c.check(); err != nil {
		return err
	}
	switch c.kind {
	case kmsg.ConfigResourceTypeTopic:
		return a.alterTopic(r, c, validateOnly)
	case kmsg.ConfigResourceTypeBroker:
		return a.alterBroker(r, c, validateOnly)
	case kmsg.ConfigResourceTypeBrokerLogger:
		if !c.whole {
			return a.alterLogger(c)
		}
	case kmsg.ConfigResourceTypeClientMetrics:
		return fail(kerr.InvalidRequest, "Subscriptions to client metrics are not supported.")
	case kmsg.ConfigResourceTypeGroupConfig:
		return a.alterGroup(r, c, validateOnly)
	}
	return fail(kerr.InvalidRequest, fmt.Sprintf("Unknown resource type %d", int8(c.kind)))
}

// check finds what is wrong whatever the resource is.
func (c *change) check() error {
	var nulls []string
	seen := make(map[string]bool, len(c.ops))
	for _, op := range c.ops {
		if seen[op.Name] {
			return fail(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[op.Name] = true
		if op.Value == nil && op.Type != config.OpDelete {
			nulls = append(nulls, op.Name)
		}
	}
	if len(nulls) > 0 {
		return fail(kerr.InvalidRequest, "Null value not supported for : "+strings.Join(nulls, ", "))
	}
	return nil
}

// apply returns the resource's own settings after the change.
func (c *change) apply(scope config.Scope, current map[string]string) (map[string]string, error) {
	if c.whole {
		current = nil
	}
	next, err := config.ApplyIncremental(scope, current, c.ops)
	if err != nil {
		return nil, err
	}
	for name, value := range next {
		if len(value) > guard.MaxString { // appended to again and again
			return nil, fail(kerr.InvalidConfig, fmt.Sprintf("The value of %s would have %d bytes, at most %d are allowed.", name, len(value), guard.MaxString))
		}
	}
	return next, nil
}

func (a *API) alterTopic(r *wire.Request, c *change, validateOnly bool) error {
	if c.name == "" {
		return fail(kerr.InvalidRequest, "Default topic resources are not allowed.")
	}
	if err := protocol.ValidTopicName(c.name); err != nil {
		return fail(kerr.InvalidTopicException, err.Error())
	}
	t := a.set.Image().Topic(c.name)
	if t == nil {
		return noTopic(c.name)
	}
	if c.name == audit.Topic {
		return errAuditTopic
	}
	var altered []audit.ConfigChange
	update := func(current map[string]string) (map[string]string, error) {
		next, err := c.apply(config.TopicScope, current)
		altered = differences(config.TopicScope, current, next)
		if err == nil {
			err = a.set.CheckTopic(current, next)
		}
		return next, err
	}
	if validateOnly {
		_, err := update(t.Configs)
		return err
	}
	err := a.set.UpdateTopicConfigs(c.name, update)
	if err == nil {
		a.noteAltered(r, audit.Change{Topic: c.name, TopicID: a.topicID(c.name), Configs: altered})
	}
	return err
}

func (a *API) alterBroker(r *wire.Request, c *change, validateOnly bool) error {
	cluster := c.name == ""
	if !cluster {
		if err := checkNode(a.set.Image(), c.name, "Unexpected broker id, expected %d, but received %s"); err != nil {
			return err
		}
	}
	var altered []audit.ConfigChange
	update := func(current map[string]string) (map[string]string, error) {
		next, err := c.apply(config.BrokerScope, current)
		altered = differences(config.BrokerScope, current, next)
		if err == nil {
			err = a.set.Broker().ValidateDynamic(cluster, next)
		}
		return next, err
	}
	if validateOnly {
		name := ""
		if !cluster {
			name = strconv.Itoa(int(a.set.Image().NodeID()))
		}
		_, err := update(a.set.Image().BrokerConfigs(name))
		return err
	}
	err := a.set.UpdateBrokerConfigs(cluster, update)
	if err == nil {
		a.noteAltered(r, audit.Change{Broker: &c.name, Configs: altered})
	}
	return err
}

func (a *API) alterGroup(r *wire.Request, c *change, validateOnly bool) error {
	switch {
	case c.name == "":
		return fail(kerr.InvalidRequest, "Default group resources are not allowed.")
	case !utf8.ValidString(c.name):
		return fail(kerr.InvalidRequest, "The name of a group must be valid UTF-8.")
	}
	var altered []audit.ConfigChange
	update := func(current map[string]string) (map[string]string, error) {
		next, err := c.apply(config.GroupScope, current)
		altered = differences(config.GroupScope, current, next)
		if err == nil {
			err = a.set.Broker().ValidateGroup(next)
		}
		return next, err
	}
	if validateOnly {
		_, err := update(a.set.Image().GroupConfigs(c.name))
		return err
	}
	err := a.set.UpdateGroupConfigs(c.name, update)
	if err == nil {
		a.noteAltered(r, audit.Change{Group: c.name, Configs: altered})
	}
	return err
}

// alterLogger refuses whatever it is asked: there are no loggers by name.
func (a *API) alterLogger(c *change) error {
	if err := checkNode(a.set.Image(), c.name, "Unexpected node id. Expected %d, but received %s"); err != nil {
		return err
	}
	for _, op := range c.ops {
		return fail(kerr.InvalidConfig, fmt.Sprintf("Logger %s does not exist!", op.Name))
	}
	return nil
}

// checkNode checks that text is the id of this broker. The format of the message
// for another one takes the id and the text.
func checkNode(image *meta.Image, text, other string) error {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return fail(kerr.InvalidRequest, "Node id must be an integer, but it is: "+text)
	}
	if int32(id) != image.NodeID() {
		return fail(kerr.InvalidRequest, fmt.Sprintf(other, image.NodeID(), text))
	}
	return nil
}
