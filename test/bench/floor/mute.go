//go:build linux

package floor

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// MuteTopic is the one topic of a mute server.
const MuteTopic = "mute"

// muteVersions are what a mute server speaks: what a client needs to write records.
var muteVersions = map[int16]int16{0: 11, 3: 12, 18: 5, 22: 4}

// maxMuteRequest bounds the requests of the one who measures, in bytes.
const maxMuteRequest = 64 << 20

// mute speaks enough of Kafka's protocol that a client writes records to it. It keeps
// none of them and looks at none: what a client reaches with it is what the client
// itself can do on this machine.
func mute(out io.Writer, partitions int32) error {
	l, err := listen(out)
	if err != nil {
		return err
	}
	addr := l.Addr().(*net.TCPAddr)
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			m := muted{conn: c, in: bufio.NewReaderSize(c, 64<<10), port: int32(addr.Port), partitions: partitions}
			if err := m.serve(); !hungUp(err) {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// muted is one connection of a mute server.
type muted struct {
	conn       *net.TCPConn
	in         *bufio.Reader
	port       int32
	partitions int32
	request    []byte
	answer     []byte
}

func (m *muted) serve() error {
	for {
		if m.in.Buffered() == 0 && len(m.answer) > 0 {
			if _, err := m.conn.Write(m.answer); err != nil {
				return err
			}
			m.answer = m.answer[:0]
		}
		if err := m.read(); err != nil {
			return err
		}
		if err := m.reply(); err != nil {
			return err
		}
	}
}

func (m *muted) read() error {
	var size [4]byte
	if _, err := io.ReadFull(m.in, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 10 || n > maxMuteRequest {
		return fmt.Errorf("request of %d bytes", n)
	}
	if cap(m.request) < int(n) {
		m.request = make([]byte, n)
	}
	m.request = m.request[:n]
	_, err := io.ReadFull(m.in, m.request)
	return err
}

// reply appends the answer to the request that was read.
func (m *muted) reply() error {
	b := m.request
	key, version := int16(binary.BigEndian.Uint16(b)), int16(binary.BigEndian.Uint16(b[2:]))
	if most, ok := muteVersions[key]; !ok || version > most {
		return fmt.Errorf("request %d of version %d", key, version)
	}
	corr, b := b[4:8], b[8:]
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	if n := int16(binary.BigEndian.Uint16(b)); n > 0 && int(n) < len(b)-2 {
		b = b[n:]
	}
	b = b[2:]
	if req.IsFlexible() && len(b) > 0 {
		b = b[1:] // no tags are sent here
	}
	if err := req.ReadFrom(b); err != nil {
		return err
	}
	resp := m.answerTo(req)
	resp.SetVersion(version)
	at := len(m.answer)
	m.answer = append(m.answer, 0, 0, 0, 0)
	m.answer = append(m.answer, corr...)
	if resp.IsFlexible() && key != 18 {
		m.answer = append(m.answer, 0)
	}
	m.answer = resp.AppendTo(m.answer)
	binary.BigEndian.PutUint32(m.answer[at:], uint32(len(m.answer)-at-4))
	return nil
}

func (m *muted) answerTo(req kmsg.Request) kmsg.Response {
	switch r := req.(type) {
	case *kmsg.ProduceRequest:
		return produced(r)
	case *kmsg.MetadataRequest:
		return m.metadata()
	case *kmsg.InitProducerIDRequest:
		resp := kmsg.NewPtrInitProducerIDResponse()
		resp.ProducerID, resp.ProducerEpoch = 1, 0
		return resp
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	for key, most := range muteVersions {
		resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: most})
	}
	return resp
}

func produced(r *kmsg.ProduceRequest) kmsg.Response {
	resp := kmsg.NewPtrProduceResponse()
	for _, t := range r.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = p.Partition
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (m *muted) metadata() kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	broker := kmsg.NewMetadataResponseBroker()
	broker.NodeID, broker.Host, broker.Port = 1, "127.0.0.1", m.port
	resp.Brokers = append(resp.Brokers, broker)
	resp.ControllerID = 1
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic, topic.TopicID = kmsg.StringPtr(MuteTopic), [16]byte{15: 1}
	for i := range m.partitions {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch = i, 1, 0
		p.Replicas, p.ISR = []int32{1}, []int32{1}
		topic.Partitions = append(topic.Partitions, p)
	}
	resp.Topics = append(resp.Topics, topic)
	return resp
}
