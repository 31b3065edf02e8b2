package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// FindCoordinator (key 10), versions 0 to 6.
//
//	v1  transactions besides groups; error message
//	v3  flexible
//	v4  many keys (KIP-699)
//	v5  TRANSACTION_ABORTABLE, never told (KIP-890)
//	v6  share groups' states (KIP-932)
//
// The coordinator of all groups is this broker. Its topic is created before the
// answer leaves, so that a client need not ask again; Kafka's answers
// COORDINATOR_NOT_AVAILABLE to the first client.
//
// Transactions are not served yet: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, as
// InitProducerId answers, ends a client's attempt at once, whereas it would ask
// again for a minute after COORDINATOR_NOT_AVAILABLE. That is the answer for the
// states of share groups, for which only brokers ask.
func (a *API) findCoordinatorRoute() wire.Route {
	return serve(0, 6, a.findCoordinator)
}

// Kinds of coordinators.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
	shareCoordinator       = 2
)

func (a *API) findCoordinator(r *wire.Request, req *kmsg.FindCoordinatorRequest, resp *kmsg.FindCoordinatorResponse) {
	kind := req.CoordinatorType
	if req.Version == 0 {
		kind = groupCoordinator
	}
	c := a.coordinator(r, kind)
	if req.Version < 4 {
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode, resp.ErrorMessage = c.NodeID, c.Host, c.Port, c.ErrorCode, c.ErrorMessage
		return
	}
	for _, key := range req.CoordinatorKeys {
		c.Key = key
		resp.Coordinators = append(resp.Coordinators, c)
	}
}

// coordinator is the answer for any key.
func (a *API) coordinator(r *wire.Request, kind int8) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	if err := a.checkCoordinator(r.Version, kind); err != nil {
		c.NodeID, c.Port = -1, -1
		c.ErrorCode, c.ErrorMessage = a.codeMessage(err)
		return c
	}
	c.NodeID, c.ErrorMessage = a.set.Image().NodeID(), new(string)
	if r.Version < 4 {
		c.ErrorMessage = kmsg.StringPtr("NONE") // as in Kafka
	}
	c.Host, c.Port = a.brokerAddress(r.Conn)
	return c
}

func (a *API) checkCoordinator(version int16, kind int8) error {
	switch {
	case kind == groupCoordinator:
		return a.ensureGroups()
	case kind == transactionCoordinator:
		return fail(kerr.TransactionalIDAuthorizationFailed, "Transactions are not served.")
	case kind == shareCoordinator && version >= 6:
		return fail(kerr.CoordinatorNotAvailable, "Share groups are not served.")
	case kind == shareCoordinator:
		return plain(kerr.InvalidRequest)
	}
	return fail(kerr.InvalidRequest, fmt.Sprintf("Unknown coordinator type received: %d", kind))
}

// ensureGroups makes sure that groups can be served.
func (a *API) ensureGroups() error {
	if err := a.groups.Ensure(); err != nil {
		a.logger.Error("group coordinator is not available", "err", err)
		return plain(kerr.CoordinatorNotAvailable)
	}
	return nil
}
