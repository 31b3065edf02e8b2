package test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// quietAddr is a free address whose port the system gives to no outgoing
// connection. Otherwise a client that dials a killed server again and again can
// be given just that port, connect to itself and keep the server from listening.
func quietAddr(t testing.TB) string {
	t.Helper()
	low := 32768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if n, err := strconv.Atoi(strings.Fields(string(text))[0]); err == nil {
			low = n
		}
	}
	if low < 10_000 {
		return "127.0.0.1:0" // nothing below the range to choose from
	}
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", low/2+rand.IntN(low-low/2))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// liar is a proxy in front of a server that, while lie is set, acknowledges
// Produce requests itself and passes none on.
type liar struct {
	t        testing.TB
	listener net.Listener
	server   string
	lie      atomic.Bool
	lies     atomic.Int64 // records acknowledged falsely
}

func newLiar(t testing.TB) *liar {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &liar{t: t, listener: l}
}

func (p *liar) addr() string { return p.listener.Addr().String() }

// serve accepts connections until the listener is closed.
func (p *liar) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if err := p.relay(conn); err != nil && !errors.Is(err, io.EOF) && !errors.As(err, new(net.Error)) {
				p.t.Errorf("proxy: %v", err)
			}
		}()
	}
}

// relay passes one request after the other on, and each answer back.
func (p *liar) relay(conn net.Conn) error {
	upstream, err := net.Dial("tcp", p.server)
	if err != nil {
		return err
	}
	defer upstream.Close()
	for {
		req, err := readFrame(conn)
		if err != nil {
			return err
		}
		if len(req) < 8 {
			return errors.New("request without a header")
		}
		if binary.BigEndian.Uint16(req) == 0 && p.lie.Load() {
			answer, records, err := falseAnswer(req)
			if err != nil {
				return err
			}
			p.lies.Add(records)
			if err := writeFrame(conn, answer); err != nil {
				return err
			}
			continue
		}
		if err := writeFrame(upstream, req); err != nil {
			return err
		}
		answer, err := readFrame(upstream)
		if err != nil {
			return err
		}
		if err := writeFrame(conn, answer); err != nil {
			return err
		}
	}
}

// falseAnswer is the answer of a server that has stored all of a Produce request,
// and the number of its records.
func falseAnswer(frame []byte) (answer []byte, records int64, err error) {
	r := kbin.Reader{Src: frame}
	r.Int16() // key
	version, correlation := r.Int16(), r.Int32()
	r.NullableString() // client id
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if err := r.Complete(); err != nil {
		return nil, 0, err
	}
	if err := req.ReadFrom(r.Src); err != nil {
		return nil, 0, err
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			var batch kmsg.RecordBatch
			if err := batch.ReadFrom(p.Records); err != nil {
				return nil, 0, err
			}
			records += int64(batch.NumRecords)
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.BaseOffset = p.Partition, 1<<40
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(correlation))
	if resp.IsFlexible() {
		out = append(out, 0)
	}
	return resp.AppendTo(out), records, nil
}

func readFrame(conn net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > 256<<20 {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(conn, frame)
	return frame, err
}

func writeFrame(conn net.Conn, frame []byte) error {
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}
