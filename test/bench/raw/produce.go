//go:build linux

package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// All is the acks of a request that is answered when its records are as safe as
// the topic's settings ask.
const All = -1

// Produce makes frames that write a batch: one for each of the partitions 0 to n-1.
func Produce(topic string, n int32, acks int16, batch []byte) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), batch
		t := kmsg.NewProduceRequestTopic()
		t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
		req := versioned(kmsg.NewPtrProduceRequest(), 7)
		req.Acks, req.TimeoutMillis, req.Topics = acks, 60_000, []kmsg.ProduceRequestTopic{t}
		frames[i] = frame(req)
	}
	return frames
}

// Accepted demands that an answer to a frame of Produce has no error. The answer
// has one topic with one partition, whose error stands at a fixed distance:
//
//	correlation id <4>, topics <4>, name <2+n>, partitions <4>, index <4>, error <2>
func Accepted(answer []byte) error {
	const name = 8
	if len(answer) < name+2 {
		return fmt.Errorf("produce: answer of %d bytes", len(answer))
	}
	at := name + 2 + int(binary.BigEndian.Uint16(answer[name:])) + 8
	if len(answer) < at+2 {
		return fmt.Errorf("produce: answer of %d bytes", len(answer))
	}
	if code := int16(binary.BigEndian.Uint16(answer[at:])); code != 0 {
		return fmt.Errorf("produce: error %d", code)
	}
	return nil
}

// Pipeline sends n frames, those given in turn, keeps at most depth of them
// unanswered, and passes each answer, without its length, to check.
func (c *Conn) Pipeline(frames [][]byte, n, depth int, check func(answer []byte) error) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	permits := make(chan struct{}, depth)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			permits <- struct{}{}
			if _, err := c.Write(frames[i%len(frames)]); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	err := c.answers(make([]byte, 64<<10), n, func(answer []byte) error {
		<-permits
		return check(answer)
	})
	if err != nil {
		c.Close() // ends the writer, which may wait for a permit: give it all
		for range depth {
			select {
			case <-permits:
			default:
			}
		}
	}
	return errors.Join(err, <-sent)
}

// answers reads n answers, of which one fits into buf, and passes each, without its
// length, to do.
func (c *Conn) answers(buf []byte, n int, do func(answer []byte) error) error {
	for have := 0; n > 0; {
		m, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		have += m
		at := 0
		for have-at >= 4 {
			size := int(binary.BigEndian.Uint32(buf[at:]))
			if size > len(buf)-4 {
				return fmt.Errorf("answer of %d bytes", size)
			}
			if have-at < 4+size {
				break
			}
			if err := do(buf[at+4 : at+4+size]); err != nil {
				return err
			}
			at += 4 + size
			n--
		}
		have = copy(buf, buf[at:have])
	}
	return nil
}

// Repeat sends a frame and waits for its answer, over and over until end. It
// returns how long each took whose answer came after begin and before end.
func (c *Conn) Repeat(frame []byte, begin, end time.Time, check func(answer []byte) error) ([]time.Duration, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var took []time.Duration
	buf := make([]byte, 1<<10)
	for sent := time.Now(); sent.Before(end); {
		if _, err := c.Write(frame); err != nil {
			return nil, err
		}
		if err := c.answers(buf, 1, check); err != nil {
			return nil, err
		}
		now := time.Now()
		if now.After(begin) && now.Before(end) {
			took = append(took, now.Sub(sent))
		}
		sent = now
	}
	return took, nil
}
