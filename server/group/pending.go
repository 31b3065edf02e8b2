package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Pending is a request whose answer may still have to come. One goroutine at a
// time uses it.
type Pending struct {
	runner *runner
	token  step.Token
	waiter *partition.AckWaiter

	// answered is closed by the runner when the fields below are set.
	answered chan struct{}
	response kmsg.Response
	offset   int64 // that the high watermark has to reach
	failure  *kerr.Error

	settled bool // nothing is waited for any more
}

// refused is a request that no shard has seen.
func refused(cause *kerr.Error) *Pending { return &Pending{failure: cause, settled: true} }

// Ready says without blocking whether Response may be called.
func (p *Pending) Ready() bool {
	if p.settled {
		return true
	}
	select {
	case <-p.answered:
		return p.settle(nil)
	default:
		return false
	}
}

// settle ends the wait if what the answer tells is durable, or never will be.
func (p *Pending) settle(w *partition.AckWaiter) bool {
	if p.failure == nil {
		ok, err := p.runner.partition.Acked(p.offset, w)
		if !ok && err == nil {
			return false
		}
		if err != nil {
			p.runner.fail(err)
			p.failure = kerr.NotCoordinator
		}
	}
	p.settled = true
	return true
}

// Wait blocks until Response may be called. It ends early if w tells that the
// connection or the server goes; the request is cancelled then.
func (p *Pending) Wait(w *wire.Waiter) {
	if p.settled {
		return
	}
	select {
	case <-p.answered:
	case <-w.Gone:
		p.Cancel()
		return
	case <-w.Stopping:
		p.Cancel()
		return
	}
	if p.waiter == nil {
		p.waiter = partition.NewAckWaiter()
	}
	if p.settle(p.waiter) {
		return
	}
	p.waitDurable(w)
}

// waitDurable waits for the high watermark, after settle has begun to.
func (p *Pending) waitDurable(w *wire.Waiter) {
	timeout := w.After(p.runner.coordinator.commitTimeout())
	for {
		select {
		case <-p.waiter.C:
			if p.settle(p.waiter) {
				return
			}
		case <-timeout:
			p.runner.partition.Forget(p.waiter)
			p.failure, p.settled = kerr.CoordinatorNotAvailable, true
			return
		case <-w.Gone:
			p.runner.partition.Forget(p.waiter)
			p.failure, p.settled = kerr.NotCoordinator, true
			return
		}
	}
}

// Response is the answer, or why there is none: COORDINATOR_LOAD_IN_PROGRESS,
// COORDINATOR_NOT_AVAILABLE or NOT_COORDINATOR. It may be called once Ready says so
// or Wait has returned.
func (p *Pending) Response() (kmsg.Response, *kerr.Error) {
	if p.failure != nil {
		return nil, p.failure
	}
	return p.response, nil
}

// Cancel ends the wait; the answer is not wanted any more.
func (p *Pending) Cancel() {
	if p.settled {
		return
	}
	p.runner.forget(p)
	p.failure, p.settled = kerr.NotCoordinator, true
}
