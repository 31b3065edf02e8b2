package api

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/partition"
	"sordini/server/wire"
)

// InitProducerId (key 22), versions 0 to 5, for idempotent producers.
//
//	v2  flexible
//	v3  current producer id and epoch (KIP-360), of use to transactions only
//
// A request with a transactional id is refused with
// TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactions are not served yet.
func (a *API) initProducerIDRoute() wire.Route {
	return serve(0, 5, a.initProducerID)
}

func (a *API) initProducerID(_ *wire.Request, req *kmsg.InitProducerIDRequest, resp *kmsg.InitProducerIDResponse) {
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		if *req.TransactionalID == "" {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return
		}
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return
	}
	if (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		resp.ErrorCode = kerr.InvalidRequest.Code // half of what goes together
		return
	}
	id, err := a.producers.next(a.set)
	if err != nil {
		resp.ErrorCode, _ = a.codeMessage(err)
		return
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
}

// producerIDBlock is how many producer ids are reserved at a time; those of a
// block that were not handed out when the process ends are lost.
const producerIDBlock = 1000

// producerIDs hands out producer ids.
type producerIDs struct {
	mu         sync.Mutex
	free, last int64 // the block at hand is [free, last)
}

func (p *producerIDs) next(set *partition.Set) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == p.last {
		first, err := set.ReserveProducerIDs(producerIDBlock)
		if err != nil {
			return 0, err
		}
		p.free, p.last = first, first+producerIDBlock
	}
	id := p.free
	p.free++
	return id, nil
}
