package shard

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/config"
	"sordini/server/group/classic"
	"sordini/server/group/consumer"
	"sordini/server/group/step"
)

// consumerSettings are those of one consumer group.
func (e *Env) consumerSettings(group string) *consumer.Settings {
	g := e.Broker.Group(e.GroupConfigs(group))
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return &consumer.Settings{
		SessionTimeout:     ms(g.ConsumerSessionTimeoutMs),
		HeartbeatInterval:  ms(g.ConsumerHeartbeatIntervalMs),
		AssignmentInterval: ms(g.ConsumerAssignmentIntervalMs),
		MaxSize:            e.Broker.Groups.ConsumerMaxSize,
		Assignors:          e.Broker.Groups.ConsumerAssignors,
		Downgrade:          migrates(&e.Broker.Groups, "downgrade"),
		ClassicMaxSize:     e.Broker.Groups.MaxSize,
	}
}

// migrates says whether groups may change their protocol that way while they have
// members.
func migrates(g *config.Groups, way string) bool {
	return strings.EqualFold(g.ConsumerMigration, way) || strings.EqualFold(g.ConsumerMigration, "bidirectional")
}

// consumerHeartbeat finds, makes or converts the group. A group that is new, or was
// converted, stays only if the member has joined it.
func (s *Shard) consumerHeartbeat(c step.Call, env *Env, req *kmsg.ConsumerGroupHeartbeatRequest, out *step.Output) {
	settings := env.consumerSettings(req.Group)
	if r := settings.RefuseHeartbeat(req); r != nil {
		out.Answer(c.Token, r)
		return
	}
	e := s.groups[req.Group]
	if e != nil && e.consumer != nil {
		e.consumer.Heartbeat(c, req, settings, env.Topics, out)
		s.afterConsumers(e, c.Now, out)
		return
	}
	before := step.Output{}
	g, err := s.consumersFor(e, c, env, req, &before)
	if err != nil {
		r := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		text := err.Error()
		r.ErrorCode, r.ErrorMessage = kerr.GroupIDNotFound.Code, &text
		out.Answer(c.Token, r)
		return
	}
	after := step.Output{}
	g.Heartbeat(c, req, settings, env.Topics, &after)
	if answer := after.Answers[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse); answer.ErrorCode == 0 {
		if e != nil {
			e.classic.Abandon(out)
			s.remove(e)
		}
		e = &entry{id: g.ID(), consumer: g, place: -1}
		s.groups[e.id] = e
		out.Write(append(before.Records, after.Records...)...)
		s.settle(e)
	}
	out.Answers = append(out.Answers, after.Answers...)
}

// consumersFor makes the consumer group that a member of it may join: a new one, also
// in place of a classic group without members, or one with the members of the classic
// group. The output gets the records that lead there.
func (s *Shard) consumersFor(e *entry, c step.Call, env *Env, req *kmsg.ConsumerGroupHeartbeatRequest, out *step.Output) (*consumer.Group, error) {
	id := strings.Clone(req.Group)
	switch {
	case req.MemberEpoch != 0 && e == nil:
		return nil, fmt.Errorf("Consumer group %s not found.", id)
	case e == nil:
		return consumer.New(id), nil
	case req.MemberEpoch != 0 || !e.classic.Empty() && !s.upgrades(e.classic, env):
		return nil, fmt.Errorf("Group %s is not a consumer group.", id)
	case e.classic.Empty():
		out.Write(e.tombstones()...)
		return consumer.New(id), nil
	}
	g, records, err := consumer.FromClassic(id, e.classic.Generation(), e.classic.Members(), c.Now, env.Topics)
	if err != nil {
		return nil, err
	}
	out.Write(e.tombstones()...)
	out.Write(records...)
	return g, nil
}

// upgrades says whether a classic group with members may become one of consumers.
func (s *Shard) upgrades(g *classic.Group, env *Env) bool {
	return migrates(&env.Broker.Groups, "upgrade") && g.ProtocolType() == classic.ConsumerType &&
		g.Size() <= env.Broker.Groups.ConsumerMaxSize
}

// afterConsumers ends the step of a consumer group: if only members of the classic
// protocol are left in it, a classic group takes its place.
func (s *Shard) afterConsumers(e *entry, now time.Time, out *step.Output) {
	d := e.consumer.Downgraded()
	if d == nil {
		s.settle(e)
		return
	}
	out.Write(e.tombstones()...)
	s.remove(e)
	e = s.newClassic(e.id, now)
	e.classic.Adopt(d.Generation, d.Protocol, d.Members, d.Rebalance, now, out)
	s.settle(e)
}
