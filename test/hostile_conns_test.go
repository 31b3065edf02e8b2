package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw connects without a wire around the connection.
func raw(t testing.TB, b *broker) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func write(t testing.TB, conn net.Conn, data []byte) {
	t.Helper()
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
}

// answered demands that a connection asked for the versions gets them.
func answered(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(probe); err != nil {
		return err
	}
	_, err := readFrame(conn)
	return err
}

// refused demands that the server closes a connection without an answer.
func refused(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(patience))
	switch n, err := conn.Read(make([]byte, 1)); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("still open after %v", patience)
	case n > 0:
		return errors.New("answered")
	}
	return nil
}

// connections waits until the server has as many of them.
func (b *broker) connections(want int) {
	b.t.Helper()
	eventually(b.t, fmt.Sprint(want, " connections"), func() error {
		if n := b.metric("sordini_connections"); int(n) != want {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
}

// TestHostile_SlowSenders: clients that send byte after byte, or stop inside a
// frame, cost little and hold up nobody.
func TestHostile_SlowSenders(t *testing.T) {
	b := startBroker(t)
	good := startCitizen(t, b, "good")
	b.connections(1)
	before := measure(t, b)
	rnd := rand.New(rand.NewPCG(1, 1))
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, fetchRequest(good.topic, 0, 0), 1)
	const senders = 300
	var conns []*net.TCPConn
	for range senders {
		conn := raw(t, b)
		write(t, conn, frame[:1+rnd.IntN(len(frame)-1)])
		conns = append(conns, conn)
	}
	slow := raw(t, b)
	for i := range probe {
		write(t, slow, probe[i:i+1])
		time.Sleep(time.Millisecond)
	}
	if _, err := readFrame(slow); err != nil {
		t.Errorf("a request sent byte after byte: %v", err)
	}
	b.connections(senders + 2)
	taken := measure(t, b)
	t.Logf("before: %v; with %d that stopped inside a frame: %v", before, senders, taken)
	if per := (taken.resident - before.resident) / senders; !raceEnabled && per > 80<<10 {
		t.Errorf("%d bytes for each client that stopped inside a frame", per)
	}
	for i, conn := range conns {
		if i%2 == 0 { // half-closed: no more bytes will come
			conn.CloseWrite()
			if err := refused(conn); err != nil {
				t.Fatalf("half a frame and the end: %v", err)
			}
		}
		conn.Close()
	}
	slow.Close()
	b.connections(1)
	good.stop()
	requireBack(t, b, before)
}

// deaf are clients that ask on and on and never read an answer. They stop when the
// server takes no more.
func deaf(t testing.TB, b *broker, n int, requests []byte) []*net.TCPConn {
	t.Helper()
	conns := make([]*net.TCPConn, n)
	var wg sync.WaitGroup
	for i := range conns {
		conn := raw(t, b)
		conns[i] = conn
		conn.SetReadBuffer(4 << 10)
		wg.Go(func() {
			var err error
			for err == nil {
				conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
				_, err = conn.Write(requests)
			}
		})
	}
	wg.Wait()
	return conns
}

// requests encodes several requests one behind the other.
func requests(all ...kmsg.Request) (out []byte) {
	for i, r := range all {
		out = append(out, kmsg.NewRequestFormatter(kmsg.FormatterClientID("deaf")).AppendRequest(nil, r, int32(i))...)
	}
	return out
}

// bait is a topic with a lot to read.
func bait(t testing.TB, b *broker, partitions int32) *kmsg.FetchRequest {
	t.Helper()
	createTopic(t, b, "bait", partitions)
	w := dial(t, b.addr)
	fetch := fetchRequest("bait", 0, 0)
	fetch.Topics[0].Partitions = nil
	for p := range partitions {
		for range 4 { // some short enough to be copied, some sent from the file
			w.mustProduce("bait", p, plain(string(noise(3000*int(1+p%10)))))
		}
		fetch.Topics[0].Partitions = append(fetch.Topics[0].Partitions, fetchTopic("bait", p, 0).Partitions[0])
	}
	fetch.SetVersion(fetchVersion)
	return fetch
}

// TestHostile_DeafReaders: clients that never read what they ask for cost less
// than 1 MiB each, and keep the server from nothing.
func TestHostile_DeafReaders(t *testing.T) {
	const readers, perReader = 30, 1 << 20
	b := startBroker(t)
	good := startCitizen(t, b, "good")
	fetch := bait(t, b, 100)
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.SetVersion(12)
	// The first waits for ever, so that all that follows has to wait for it.
	createTopic(t, b, "empty", 1)
	forever := fetchRequest("empty", 0, 0)
	forever.MinBytes, forever.MaxWaitMillis = math.MaxInt32, math.MaxInt32
	forever.SetVersion(fetchVersion)
	behind := []kmsg.Request{forever}
	for range 200 {
		behind = append(behind, metadata, fetch)
	}
	before := measure(t, b)
	var conns []*net.TCPConn
	for _, data := range [][]byte{requests(fetch), requests(metadata), requests(behind...)} {
		conns = append(conns, deaf(t, b, readers/3, data)...)
	}
	b.connections(1 + 1 + readers)
	time.Sleep(bound(100 * time.Millisecond)) // whatever may still grow
	peak, taken := resident(t, b), measure(t, b)
	t.Logf("before: %v; with %d that do not read: %v, before garbage was collected %d KiB more for each",
		before, len(conns), taken, (peak-before.resident)/readers>>10)
	if !raceEnabled && taken.resident > before.resident+readers*perReader {
		t.Errorf("%d bytes for each client that does not read", (taken.resident-before.resident)/readers)
	}
	if taken.goroutines > before.goroutines+2*readers+strayGoroutines {
		t.Errorf("%d goroutines for %d clients that do not read", taken.goroutines-before.goroutines, readers)
	}
	began := time.Now()
	deleteTopic(t, b, "bait")
	if took := time.Since(began); took > bound(5*time.Second) {
		t.Errorf("the deletion of a topic took %v", took)
	}
	good.stop()
	for _, conn := range conns[:readers/2] {
		conn.Close()
	}
	began = time.Now()
	b.stop() // demands an orderly end
	took := time.Since(began)
	t.Logf("stopped in %v", took)
	if took > bound(15*time.Second) {
		t.Errorf("the server took %v to stop", took)
	}
	b.start()
	if err := readAll(b, good.topic, good.sent); err != nil {
		t.Error(err)
	}
}

// TestHostile_DeafReadersLeave: what clients took that never read is given back
// when they go.
func TestHostile_DeafReadersLeave(t *testing.T) {
	b := startBroker(t)
	fetch := bait(t, b, 30)
	dial(t, b.addr).fetch(fetchRequest("bait", 0, 0))
	b.connections(2)
	before := measure(t, b)
	for _, conn := range deaf(t, b, 20, requests(fetch)) {
		conn.Close()
	}
	b.connections(2)
	before.descriptors += idleHandles
	requireBack(t, b, before)
}

// idleHandles is how many files the server keeps open for the next read.
const idleHandles = 512

// crowdVariable makes the test binary a crowd: a process of its own, because one
// process has not enough file descriptors for both ends.
const crowdVariable = "SORDINI_TEST_CROWD"

// beCrowd opens connections, has each answered once, says so and keeps them until
// its input ends.
func beCrowd(order string) int {
	var addr string
	var n int
	if _, err := fmt.Sscan(order, &addr, &n); err != nil {
		fmt.Println(err)
		return 1
	}
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			err = answered(conn)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer conn.Close()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// crowd starts one with n connections and returns how to end it.
func crowd(t testing.TB, b *broker, n int) (leave func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", crowdVariable, b.addr, n))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		in.Close()
		t.Fatalf("%d connections: %s %v %v", n, line, err, cmd.Wait())
	}
	return func() {
		t.Helper()
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestHostile_IdleConnections: connections that do nothing cost next to nothing,
// and keep nobody from being served.
func TestHostile_IdleConnections(t *testing.T) {
	const perConnection = 8 << 10
	n := number(t, "SORDINI_TEST_IDLE", 1000)
	b := startBroker(t)
	good := startCitizen(t, b, "good")
	crowd(t, b, 100)() // what is taken once
	b.connections(1)
	before := measure(t, b)
	leave := crowd(t, b, n)
	b.connections(n + 1)
	var with vitals
	eventually(t, "idle connections hold no buffers", func() error {
		with = measure(t, b)
		if per := (with.resident - before.resident) / int64(n); !raceEnabled && per > perConnection {
			return fmt.Errorf("%d bytes for each of %d connections", per, n)
		}
		return nil
	})
	if err := answered(raw(t, b)); err != nil {
		t.Errorf("beside %d idle connections: %v", n, err)
	}
	t.Logf("before: %v; with %d idle connections: %v, %.1f KiB each",
		before, n, with, float64(with.resident-before.resident)/float64(n)/1024)
	leave()
	b.connections(2)
	good.stop()
	requireBack(t, b, before)
}

// TestHostile_TooManyConnections: one more than allowed is closed at once, and the
// others do not notice.
func TestHostile_TooManyConnections(t *testing.T) {
	b := startBroker(t, "--set", "max.connections=5")
	var conns []*net.TCPConn
	for range 5 {
		conn := raw(t, b)
		if err := answered(conn); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for range 20 {
		if err := refused(raw(t, b)); err != nil {
			t.Errorf("a connection beyond max.connections: %v", err)
		}
	}
	for _, conn := range conns {
		if err := answered(conn); err != nil {
			t.Errorf("a connection within max.connections: %v", err)
		}
	}
	conns[0].Close()
	b.connections(4)
	if err := answered(raw(t, b)); err != nil {
		t.Errorf("a connection in the place of another: %v", err)
	}
}

// TestHostile_NoDescriptorsLeft: a server without file descriptors for more
// connections refuses them without effort, and still has some for its files.
func TestHostile_NoDescriptorsLeft(t *testing.T) {
	b := newBroker(t)
	b.under = []string{"sh", "-c", `ulimit -n 64; exec "$0" "$@"`}
	b.start()
	createTopic(t, b, "rolled", 1, "segment.bytes", "1048576")
	w := dial(t, b.addr)
	w.mustProduce("rolled", 0, plain("a"))
	var conns []*net.TCPConn
	for range 200 {
		conns = append(conns, raw(t, b))
	}
	eventually(t, "connections are refused", func() error {
		if !b.log.contains("descriptors") {
			return errors.New("nothing about it in the log")
		}
		return nil
	})
	began, used, from := time.Now(), processorTime(t, b), b.log.mark()
	for range 5 { // each makes a new segment
		w.mustProduce("rolled", 0, plain(string(noise(700<<10))))
	}
	if p := w.fetch(fetchRequest("rolled", 0, 0)); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		t.Errorf("fetch without descriptors for connections: error %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	time.Sleep(time.Second)
	if used := processorTime(t, b) - used; used > bound(time.Since(began)/4) {
		t.Errorf("%v of processor time in %v without descriptors", used, time.Since(began))
	}
	if lines := strings.Count(b.log.since(from), "\n"); lines > 300 {
		t.Errorf("%d lines in the log meanwhile", lines)
	}
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, "served again", func() error { return answered(raw(t, b)) })
	w.mustProduce("rolled", 0, plain("b"))
}

// TestHostile_Churn: thousands of clients that connect, send half a request and
// leave.
func TestHostile_Churn(t *testing.T) {
	b := startBroker(t)
	good := startCitizen(t, b, "good")
	b.connections(1)
	before := measure(t, b)
	rnd := rand.New(rand.NewPCG(1, 2))
	frame := requests(fetchRequest(good.topic, 0, 0))
	for i := range number(t, "SORDINI_TEST_CHURN", 1000) {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		write(t, conn, frame[:rnd.IntN(len(frame)+1)])
		if rnd.IntN(2) == 0 {
			conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
	b.connections(1)
	good.stop()
	requireBack(t, b, before)
	if err := readAll(b, good.topic, good.sent); err != nil {
		t.Error(err)
	}
}
