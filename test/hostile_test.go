package test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// raceSlowness is how much more time things may take under the race detector.
const raceSlowness = 10

// bound is a limit of time, wider under the race detector.
func bound(d time.Duration) time.Duration {
	if raceEnabled {
		return raceSlowness * d
	}
	return d
}

const (
	// slowestAnswer is how long any frame may take to be answered or refused.
	slowestAnswer = time.Second
	// slowestChange is the same for what may create or delete thousands of
	// partitions, or has to wait for such a change.
	slowestChange = 30 * time.Second
	// slowestBomb is how long a frame may take that must be refused unread.
	slowestBomb = 50 * time.Millisecond
	// slowestGood is how long the client that behaves may have to wait for 99 of
	// 100 round trips while others misbehave on the same processors.
	slowestGood = 2 * time.Second
	// grownBytes is how much the resident memory may grow for good.
	grownBytes = 64 << 20
)

// TestHostile_Frames sends broken, lying and exaggerating frames from several
// connections. Each is answered or its connection closed, in time; meanwhile and
// afterwards another client is served, and what it wrote is all there.
func TestHostile_Frames(t *testing.T) {
	usual := 5000
	if raceEnabled {
		usual = 2000
	}
	frames := number(t, "SORDINI_TEST_HOSTILE", usual)
	seed := uint64(number(t, "SORDINI_TEST_SEED", 1))
	b := startBroker(t)
	createVictims(t, b)
	ranges := apiRanges(dial(t, b.addr))
	bombs := swollen()
	good := startCitizen(t, b, "good")
	makeCoordinatorTopic(t, b)
	warmUp(t, b, ranges)
	before := measure(t, b)

	const attackers = 4
	var wg sync.WaitGroup
	var sum tally
	for i := range attackers {
		wg.Go(func() {
			a := &attacker{addr: b.addr, forger: newForger(seed+uint64(i)<<32, ranges, bombs), tally: &sum}
			defer a.hangUp()
			for range frames / attackers {
				if err := a.attack(a.forger.next()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	good.stop()
	sum.report(t)
	for _, name := range topicNames(t, b) {
		if name != good.topic && !strings.HasPrefix(name, "__") {
			deleteTopic(t, b, name)
		}
	}
	requireBack(t, b, before)
	if b.log.contains("failed for a reason of ours") {
		t.Error("a client has caused an internal error")
	}
	if err := readAll(b, good.topic, good.sent); err != nil {
		t.Errorf("after %d hostile frames: %v", frames, err)
	}
	b.restart()
	if err := readAll(b, good.topic, good.sent); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func createVictims(t testing.TB, b *broker) {
	t.Helper()
	for _, name := range victimNames {
		createTopic(t, b, name, 2, victims[name]...)
	}
}

// warmUp makes the server take the memory that it takes for any client.
func warmUp(t testing.TB, b *broker, ranges []kmsg.ApiVersionsResponseApiKey) {
	t.Helper()
	a := &attacker{addr: b.addr, forger: newForger(0, ranges, nil), tally: &tally{}}
	defer a.hangUp()
	for range 200 {
		if err := a.attack(a.forger.mutated()); err != nil {
			t.Fatal(err)
		}
	}
}

func topicNames(t testing.TB, b *broker) []string {
	t.Helper()
	resp := ask[*kmsg.MetadataResponse](dial(t, b.addr), 12, kmsg.NewPtrMetadataRequest())
	var names []string
	for _, topic := range resp.Topics {
		names = append(names, *topic.Topic)
	}
	return names
}

// tally counts what came of attacks. It may be used concurrently.
type tally struct {
	mu      sync.Mutex
	kinds   map[string]*outcomes
	retried int // because of the time that they took
}

func (t *tally) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retried++
}

type outcomes struct {
	answered, closed, silent int // silent: no answer was due
	validClosed              int
	slowest                  time.Duration
	worst                    string
}

func (t *tally) add(a *attack, reaction string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = make(map[string]*outcomes)
	}
	o := t.kinds[a.kind]
	if o == nil {
		o = &outcomes{}
		t.kinds[a.kind] = o
	}
	switch reaction {
	case "answer":
		o.answered++
	case "close":
		o.closed++
		if a.valid != nil {
			o.validClosed++
		}
	default:
		o.silent++
	}
	if took > o.slowest {
		o.slowest, o.worst = took, a.String()
	}
}

// bound is how long the server may take. What changes topics waits for the disk,
// and one change waits for another.
func (a *attack) bound() time.Duration {
	switch a.key() {
	case 3, 19, 20, 22, 33, 37, 44:
		return bound(slowestChange)
	}
	return bound(slowestAnswer)
}

func (a *attack) String() string {
	text := fmt.Sprintf("%s of %d bytes", a.kind, len(a.data))
	if len(a.data) >= 8 {
		text += fmt.Sprintf(", %s version %d", kmsg.NameForKey(a.key()), int16(binary.BigEndian.Uint16(a.data[6:])))
	}
	return text
}

// report logs the counts and demands that attacks of each kind meant something.
func (t *tally) report(tb testing.TB) {
	tb.Helper()
	n := 0
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		o := t.kinds[kind]
		n += o.answered + o.closed + o.silent
		tb.Logf("%-11s %6d answered %6d closed %5d without an answer, slowest %v (%s)", kind, o.answered, o.closed, o.silent, o.slowest, o.worst)
		if valid := kind == "content" || kind == "duplicates"; valid && o.answered < 4*o.validClosed {
			tb.Errorf("%s: %d requests answered and %d refused: too few answers to mean anything", kind, o.answered, o.validClosed)
		}
	}
	tb.Logf("%d frames, of them %d sent again because of the time they took", n, t.retried)
}

// attacker sends attacks over one connection as long as it lasts.
type attacker struct {
	addr   string
	forger *forger
	tally  *tally
	conn   *net.TCPConn
	answer []byte // the last one
}

// probeID is the correlation id of the request that follows each attack.
const probeID = 0x70726f62

// probe asks for the versions.
var probe = framed([]byte("\x00\x12\x00\x00prob\x00\x00"))

// holdFetch is how long a Fetch may wait for data, as it may ask for.
const holdFetch = 20 * time.Millisecond

// attack sends one and waits for the answer, or the end of the connection. What
// takes too long gets a second and a third chance: the machine may be busy.
func (a *attacker) attack(x attack) error {
	for try := 0; ; try++ {
		took, err := a.attackOnce(x)
		if err == nil && took <= x.bound() {
			return nil
		}
		if err == nil && try == 2 {
			err = fmt.Errorf("took %v, and no less before", took)
		}
		if err != nil {
			return fmt.Errorf("%v: %w (kept in %s)", &x, err, keep(x.data))
		}
		a.tally.again()
	}
}

func (a *attacker) attackOnce(x attack) (time.Duration, error) {
	if a.conn == nil {
		conn, err := net.Dial("tcp", a.addr)
		if err != nil {
			return 0, err
		}
		a.conn = conn.(*net.TCPConn)
		a.conn.SetLinger(0) // leave no port in TIME_WAIT
		if a.forger.IntN(4) > 0 {
			if _, _, err := a.send(probe, patience, false); err != nil {
				return 0, fmt.Errorf("first request: %w", err)
			}
		}
	}
	waits := x.key() == 1 && !x.cut
	data := x.data
	if !x.cut && !waits {
		data = append(slices.Clip(data), probe...)
	}
	began := time.Now()
	reaction, answer, err := a.exchange(&x, data, waits)
	took := time.Since(began)
	if waits && reaction != "answer" {
		took -= holdFetch
	}
	a.tally.add(&x, reaction, took)
	if err == nil && x.valid != nil && reaction == "answer" {
		err = decodes(x.valid, answer)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", reaction, err)
	}
	return took, err
}

// keep stores a frame for whoever looks into it.
func keep(b []byte) string {
	f, err := os.CreateTemp("", "hostile-frame-")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	f.Write(b)
	return f.Name()
}

// exchange says how the server reacts: by an answer, by closing, or by nothing
// because no answer is due.
func (a *attacker) exchange(x *attack, data []byte, waits bool) (reaction string, answer []byte, err error) {
	want := x.correlation()
	id, answer, err := a.send(data, patience, x.cut || waits)
	switch {
	case err == errClosed:
		a.hangUp()
		return "close", nil, nil
	case err != nil:
		return "fault", nil, err
	case waits:
		return "answer", answer, nil
	case id == want:
		answer = bytes.Clone(answer)
		id, _, err = a.receive(patience, patience)
		reaction = "answer"
		if err == errClosed {
			a.hangUp()
			return reaction, answer, nil
		}
	default:
		reaction = "nothing"
	}
	if err == nil && id != probeID {
		err = fmt.Errorf("answer to request %#x, want %#x or the one after", id, want)
	}
	return reaction, answer, err
}

// send writes data and reads one answer. With closing set the client closes its
// side when no answer comes, and demands that the server does the same.
func (a *attacker) send(data []byte, patience time.Duration, closing bool) (int32, []byte, error) {
	a.conn.SetWriteDeadline(time.Now().Add(patience))
	// The server may close before it has read everything: its answer may be there
	// all the same.
	_, werr := a.conn.Write(data)
	if !closing {
		return a.receive(patience, patience)
	}
	id, answer, err := a.receive(holdFetch, patience)
	if !errors.Is(err, errSilent) {
		return id, answer, err
	}
	if werr == nil {
		a.conn.CloseWrite()
	}
	for err = nil; err == nil; { // a Fetch is answered before the end
		_, _, err = a.receive(patience, patience)
	}
	return 0, nil, err
}

// errSilent: nothing has come.
var errSilent = errors.New("no answer")

// receive reads one answer, which is valid until the next. It has to begin within
// one time, and to be whole within another.
func (a *attacker) receive(begin, whole time.Duration) (int32, []byte, error) {
	var head [8]byte
	a.conn.SetReadDeadline(time.Now().Add(begin))
	if _, err := a.conn.Read(head[:1]); errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil, errSilent
	} else if err != nil {
		return 0, nil, errClosed
	}
	a.conn.SetReadDeadline(time.Now().Add(whole))
	if _, err := io.ReadFull(a.conn, head[1:]); err != nil {
		return 0, nil, closedUnlessLate(err)
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > 256<<20 {
		return 0, nil, fmt.Errorf("answer of %d bytes", size)
	}
	a.answer = slices.Grow(a.answer[:0], int(size-4))[:size-4]
	if _, err := io.ReadFull(a.conn, a.answer); err != nil {
		return 0, nil, closedUnlessLate(err)
	}
	return int32(binary.BigEndian.Uint32(head[4:])), a.answer, nil
}

func closedUnlessLate(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return errClosed
}

func (a *attacker) hangUp() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// decodes demands that an answer is one to the request, to the last byte.
func decodes(req kmsg.Request, body []byte) error {
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != apiVersionsKey {
		if len(body) == 0 || body[0] != 0 {
			return errors.New("flexible answer without an empty tag section in its header")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return fmt.Errorf("decode %x: %w", body[:min(len(body), 256)], err)
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
		return fmt.Errorf("answer of %d bytes has %d when encoded again: %x", len(body), len(again), body[:min(len(body), 256)])
	}
	return nil
}

// TestHostile_Bombs: frames that claim what they do not hold are refused before
// anything of it is taken for true.
func TestHostile_Bombs(t *testing.T) {
	b := startBroker(t)
	f := newForger(1, apiRanges(dial(t, b.addr)), nil)
	worst := time.Duration(0)
	for i := range 200 {
		x := f.tagBomb()
		if i%2 == 1 {
			x = f.length()
		}
		fastest := time.Hour
		for range 3 { // others run on this machine, too
			a := &attacker{addr: b.addr, forger: f, tally: &tally{}}
			if err := a.attack(x); err != nil {
				t.Fatal(err)
			}
			a.hangUp()
			fastest = min(fastest, a.tally.kinds[x.kind].slowest)
		}
		worst = max(worst, fastest)
		if fastest > bound(slowestBomb) {
			t.Errorf("%v: took %v", &x, fastest)
		}
	}
	t.Logf("slowest: %v", worst)
}

// citizen is a client that behaves: it writes to a topic of its own and reads back
// what it has written, all the time.
type citizen struct {
	t     testing.TB
	topic string
	sent  []string
	took  []time.Duration // by each round trip
	ended atomic.Bool
	done  chan struct{}
}

func startCitizen(t testing.TB, b *broker, topic string) *citizen {
	t.Helper()
	createTopic(t, b, topic, 1, "cleanup.policy", "delete", "retention.ms", "-1", "compression.type", "producer")
	c := &citizen{t: t, topic: topic, done: make(chan struct{})}
	w := dial(t, b.addr)
	if err := c.roundTrip(w); err != nil { // there is a first time for everything
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		for !c.ended.Load() {
			began := time.Now()
			if err := c.roundTrip(w); err != nil {
				t.Errorf("client that behaves, after %d records: %v", len(c.sent), err)
				return
			}
			c.took = append(c.took, time.Since(began))
			time.Sleep(time.Millisecond)
		}
	}()
	t.Cleanup(c.stop)
	return c
}

// roundTrip writes one record and reads it back.
func (c *citizen) roundTrip(w *wire) error {
	next := int64(len(c.sent))
	value := fmt.Sprintf("record %d of %s", next, c.topic)
	produce := produceRequest(c.topic, 0, -1, plain(value).encode(c.t))
	produce.SetVersion(produceVersion)
	stored := produce.ResponseKind().(*kmsg.ProduceResponse)
	if err := w.try(produce, stored); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if p := stored.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != next {
		return fmt.Errorf("produce: error %d, offset %d, want %d", p.ErrorCode, p.BaseOffset, next)
	}
	c.sent = append(c.sent, value)
	fetch := fetchRequest(c.topic, 0, next)
	fetch.SetVersion(fetchVersion)
	got := fetch.ResponseKind().(*kmsg.FetchResponse)
	if err := w.try(fetch, got); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	if len(got.Topics) != 1 || !bytes.Contains(got.Topics[0].Partitions[0].RecordBatches, []byte(value)) {
		return fmt.Errorf("fetch at %d: not what was written: %+v", next, got.Topics)
	}
	return nil
}

// stop ends the client and demands that it was served well.
func (c *citizen) stop() {
	if c.ended.Swap(true) {
		return
	}
	<-c.done
	slices.Sort(c.took)
	if len(c.took) == 0 {
		c.t.Error("the client that behaves was never served")
		return
	}
	most := c.took[(len(c.took)-1)*99/100]
	c.t.Logf("the client that behaves made %d round trips, 99 %% of them within %v, the slowest in %v", len(c.sent), most, c.took[len(c.took)-1])
	if most > bound(slowestGood) {
		c.t.Errorf("99 %% of the round trips of the client that behaves took up to %v", most)
	}
}
