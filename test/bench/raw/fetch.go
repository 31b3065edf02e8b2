//go:build linux

package raw

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Slices is a range of a partition, from its start, that is fetched in pieces of
// the same size. A batch size that divides the slice size makes them exact.
type Slices struct {
	Topic     string
	Partition int32
	Size      int // bytes of one slice
	Records   int // offsets in one slice
	Count     int // slices to fetch
	Depth     int // requests that may be unanswered
}

// Fetch fetches slices and throws the records away. Each answer must hold exactly
// one slice.
func (c *Conn) Fetch(s Slices) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	asked := 0
	for answered := range s.Count {
		for ; asked < min(s.Count, answered+s.Depth); asked++ {
			if _, err := c.Write(s.request(asked)); err != nil {
				return err
			}
		}
		if err := c.slice(s, buf); err != nil {
			return fmt.Errorf("fetch slice %d of %s-%d: %w", answered, s.Topic, s.Partition, err)
		}
	}
	return nil
}

// request makes the frame that asks for slice i.
func (s Slices) request(i int) []byte {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset = s.Partition, int64(i)*int64(s.Records)
	p.PartitionMaxBytes, p.LogStartOffset = int32(s.Size), -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = s.Topic, []kmsg.FetchRequestTopicPartition{p}
	req := versioned(kmsg.NewPtrFetchRequest(), 11)
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 1000, 1, int32(s.Size)
	req.SessionEpoch = -1 // no session
	req.Topics = []kmsg.FetchRequestTopic{t}
	return frame(req)
}

// slice reads an answer. What stands before the records has a fixed size, as it
// has one topic with one partition and no aborted transactions:
//
//	size <4>, correlation id <4>, throttle <4>, error <2>, session <4>, topics <4>,
//	name <2+n>, partitions <4>, index <4>, error <2>, high watermark <8>, last
//	stable <8>, log start <8>, aborted <4>, preferred replica <4>, size of records <4>
func (c *Conn) slice(s Slices, buf []byte) error {
	name := 22 + 2 + len(s.Topic)
	head := buf[:name+46]
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	if code := int16(binary.BigEndian.Uint16(head[12:])); code != 0 {
		return fmt.Errorf("error %d", code)
	}
	if code := int16(binary.BigEndian.Uint16(head[name+8:])); code != 0 {
		return fmt.Errorf("error %d of the partition", code)
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	if records := int(int32(binary.BigEndian.Uint32(head[name+42:]))); records != s.Size || size != records+len(head)-4 {
		return fmt.Errorf("%d bytes of records in an answer of %d, want %d", records, size, s.Size)
	}
	return Discard(c, int64(s.Size), buf)
}

// Discard reads n bytes into buf, over and over, as fast as they come.
func Discard(r io.Reader, n int64, buf []byte) error {
	for n > 0 {
		m, err := r.Read(buf[:min(n, int64(len(buf)))])
		n -= int64(m)
		if err != nil && n > 0 {
			return err
		}
	}
	return nil
}
