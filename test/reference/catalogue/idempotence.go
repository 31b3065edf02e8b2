package catalogue

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// producer gets an id. A broker may have to fetch more of them first.
func producer(p *play.Play) int64 {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = 60_000
	var resp *kmsg.InitProducerIDResponse
	p.Until("there is a producer id", func() bool {
		resp = p.Quiet(4, req).(*kmsg.InitProducerIDResponse)
		return resp.ErrorCode == 0
	})
	return resp.ProducerID
}

func sequences(p *play.Play) {
	for _, v := range []Version{3, 7, 8, 9, 12, 13} {
		t, id := p.Topic(1), producer(p)
		ask := func(note string, n int, epoch int16, sequence int32) {
			p.Ask(note, v, produceTo(v, t, 0, values(n).from(id, epoch, sequence).encode()))
		}
		ask("first", 3, 0, 0)
		ask("next", 2, 0, 3)
		ask("again", 2, 0, 3)
		ask("first again", 3, 0, 0)
		ask("gap", 1, 0, 6)
		ask("overlapping", 3, 0, 4)
		ask("within", 1, 0, 4)
		ask("longer", 4, 0, 3)
		ask("next after failures", 1, 0, 5)
		ask("negative", 1, 0, -2)
		p.Ask("fetched", 12, fetchFrom(t, 0, 0))
	}
}

func sequenceWindow(p *play.Play) {
	t, id := p.Topic(1), producer(p)
	for i := range int32(8) {
		p.Ask("append", 9, produceTo(9, t, 0, values(1).from(id, 0, i).encode()))
	}
	for i := range int32(8) {
		p.Ask("again", 9, produceTo(9, t, 0, values(1).from(id, 0, i).encode()))
	}
	p.Ask("next", 9, produceTo(9, t, 0, values(1).from(id, 0, 8).encode()))
}

func producerEpochs(p *play.Play) {
	t, id := p.Topic(1), producer(p)
	ask := func(note string, epoch int16, sequence int32) {
		p.Ask(note, 9, produceTo(9, t, 0, values(1).from(id, epoch, sequence).encode()))
	}
	ask("epoch 3", 3, 0)
	ask("epoch 2", 2, 1)
	ask("epoch 4, not from zero", 4, 1)
	ask("epoch 4", 4, 0)
	ask("epoch 4 again", 4, 0)
	ask("epoch 3 again", 3, 0)
	ask("epoch 3 next", 3, 1)
	ask("epoch 4 next", 4, 1)
	ask("highest epoch", math.MaxInt16, 0)
	ask("negative epoch", -1, 0)
	p.Ask("fetched", 12, fetchFrom(t, 0, 0))
}

// firstSequences are those of producers that a partition does not know.
func firstSequences(p *play.Play) {
	t := p.Topic(1)
	for _, sequence := range []int32{0, 1, 1000, math.MaxInt32} {
		p.Ask("unknown producer", 9, produceTo(9, t, 0, values(1).from(producer(p), 0, sequence).encode()))
	}
	p.Ask("id that was never given", 9, produceTo(9, t, 0, values(1).from(1<<40, 5, 17).encode()))
	id := producer(p)
	p.Ask("records deleted, before", 9, produceTo(9, t, 0, values(1).from(id, 0, 0).encode()))
	p.Ask("records deleted", 2, deleteBefore(t, 0, -1))
	p.Ask("records deleted, next", 9, produceTo(9, t, 0, values(1).from(id, 0, 1).encode()))
	p.Ask("records deleted, gap", 9, produceTo(9, t, 0, values(1).from(id, 0, 5).encode()))
}

func sequenceWrap(p *play.Play) {
	t, id := p.Topic(1), producer(p)
	ask := func(note string, n int, sequence int32) {
		p.Ask(note, 9, produceTo(9, t, 0, values(n).from(id, 0, sequence).encode()))
	}
	ask("near the end", 1, math.MaxInt32-2)
	ask("over the end", 4, math.MaxInt32-1)
	ask("over the end again", 4, math.MaxInt32-1)
	ask("after the end", 1, 2)
	ask("gap", 1, 9)
}

func producerIDs(p *play.Play) {
	for v := Version(0); v <= 5; v++ {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionTimeoutMillis = 0
		p.Ask("no timeout", v, req)
		req.TransactionTimeoutMillis = math.MaxInt32
		p.Ask("long timeout", v, req)
		empty := ""
		req.TransactionalID = &empty
		p.Ask("empty id", v, req)
	}
	for v := Version(3); v <= 5; v++ {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = 1000, 4000, 3
		p.Ask("with an id and an epoch", v, req)
	}
}
