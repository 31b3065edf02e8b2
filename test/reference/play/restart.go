package play

import "github.com/twmb/franz-go/pkg/kmsg"

// Ending is how a broker ends before it is started again.
type Ending int

const (
	Stop Ending = iota // it is asked to
	Kill               // it is not asked
)

// RestartCold ends the broker and starts another with its data. It returns when the
// new one takes connections; it may still be loading.
func (p *Play) RestartCold(how Ending) {
	for _, c := range p.clients {
		c.hangUp()
	}
	if p.broker.Restart == nil {
		p.Fail("this broker cannot be started again")
	}
	if err := p.broker.Restart(how); err != nil {
		p.Fail("%w", err)
	}
	p.masks.Port = p.broker.port()
	if how == Kill {
		p.kills++
	}
}

// Restart is RestartCold, and waits until coordinators and all topics of the case are
// served again.
func (p *Play) Restart(how Ending) {
	p.RestartCold(how)
	warm(p)
	for name, partitions := range p.served {
		p.Served(name, partitions)
	}
	p.noteLeader()
}

// noteLeader tells the masks the leader epoch of the case's first topic.
func (p *Play) noteLeader() {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &p.first
	req.Topics = append(req.Topics, t)
	resp := p.Quiet(12, req).(*kmsg.MetadataResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) == 0 {
		p.Fail("metadata of %s: %+v", p.first, resp.Topics)
	}
	epoch := resp.Topics[0].Partitions[0].LeaderEpoch
	if _, ok := p.masks.Leaders[epoch]; !ok {
		p.masks.Leaders[epoch] = p.kills
	}
}
