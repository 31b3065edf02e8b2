package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timing of members.
type timing struct {
	session, rebalance, heartbeat time.Duration
}

// member is one member of a group. Its name is that of the ledger, not the one that
// the server gives.
type member struct {
	name     string
	group    string
	topic    string
	topicID  [16]byte
	address  string
	consumer bool // the protocol of KIP-848
	timing
	ledger *ledger
	faults *faults
	doors  chan struct{} // bounds connections that have no answer yet

	conn  *conn
	id    string // that the server knows
	epoch int32  // or generation
	owned []int32
}

// faults counts what servers answered that they must not.
type faults struct {
	count atomic.Int64
	first atomic.Pointer[string]
}

func (f *faults) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.count.Add(1)
	f.first.CompareAndSwap(nil, &text)
}

// errAgain is an answer that makes a member begin anew, in the same connection.
var errAgain = errors.New("begin again")

// run is a member's life. It ends with ctx, by leaving the group; or at once, without
// a word, when die is closed.
func (m *member) run(ctx context.Context, die <-chan struct{}) {
	m.ledger.enter(m.name)
	defer m.ledger.exit(m.name)
	dead, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-die:
			cancel()
		case <-dead.Done():
		}
	}()
	for dead.Err() == nil && ctx.Err() == nil {
		if err := m.connected(ctx, dead); err != nil && dead.Err() == nil {
			m.faults.add("%s: %v", m.name, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// connected lives as long as its connection.
func (m *member) connected(ctx, dead context.Context) error {
	c, err := m.enter(dead)
	if err != nil {
		return err
	}
	m.conn = c
	defer c.Close()
	defer context.AfterFunc(dead, func() { c.Close() })()
	for ctx.Err() == nil && dead.Err() == nil {
		live := m.classic
		if m.consumer {
			live = m.reconcile
		}
		if err := live(ctx); err != nil && !errors.Is(err, errAgain) {
			return err
		}
	}
	if dead.Err() != nil {
		return nil
	}
	return m.leave()
}

// enter connects, not more members at a time than there are doors: a server refuses
// whom it has not accepted in time.
func (m *member) enter(dead context.Context) (*conn, error) {
	m.doors <- struct{}{}
	defer func() { <-m.doors }()
	c, err := dial(dead, m.address)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(dead, func() { c.Close() })()
	if _, err := c.call(kmsg.NewPtrApiVersionsRequest()); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (m *member) leave() error {
	m.ledger.drop(m.name, nil)
	m.owned = nil
	switch {
	case m.id == "":
		return nil
	case m.consumer:
		_, err := m.beat(-1, nil, false)
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, m.group
	leaving := kmsg.NewLeaveGroupRequestMember()
	leaving.MemberID = m.id
	req.Members = append(req.Members, leaving)
	_, err := m.conn.call(req)
	return err
}

// code judges an error code: nil for none, errAgain for those that a sound server
// gives now and then, with all that the member owns dropped. A member whom the server
// does not know anymore forgets its id.
func (m *member) code(what string, code int16) error {
	if code == 0 {
		return nil
	}
	m.ledger.drop(m.name, nil)
	m.owned = nil
	switch err := kerr.ErrorForCode(code); err {
	case kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedMemberEpoch:
		m.id, m.epoch = "", 0
	case kerr.RebalanceInProgress, kerr.MemberIDRequired:
	case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
		time.Sleep(100 * time.Millisecond)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
	return errAgain
}

// find asks for the coordinator, as some servers make a place for offsets then.
func find(ctx context.Context, address string) error {
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorKeys = 4, []string{"load"}
		resp, err := c.call(req)
		if err != nil {
			return err
		}
		all := resp.(*kmsg.FindCoordinatorResponse).Coordinators
		if len(all) == 1 && all[0].ErrorCode == 0 {
			return nil
		}
		if time.Since(began) > 30*time.Second || len(all) != 1 {
			return fmt.Errorf("no coordinator: %+v", all)
		}
	}
}
