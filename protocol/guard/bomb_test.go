package guard

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// zeros returns 1 MiB of zeros with n written at offset as a count.
func zeros(offset int, n uint32) []byte {
	b := make([]byte, 1<<20)
	binary.BigEndian.PutUint32(b[offset:], n)
	return b
}

// Each of these small or empty frames makes an unguarded decoder burn CPU or
// allocate far more than it received.
func TestBombs(t *testing.T) {
	const huge = "\xff\xff\xff\xff\x0f" // the varint 2^32-1
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		kind         error
	}{
		{"ApiVersions with 2^32-1 tags", 18, 3, []byte("\x03ab\x03cd" + huge + "\x00"), ErrMalformed},
		{"ApiVersions with as many tags as fit", 18, 3, slices.Concat([]byte("\x01\x01\x80\x80\x10"), make([]byte, 1<<20)), ErrLimit},
		{"a tag of 2^32-1 bytes", 18, 3, []byte("\x01\x01\x01\x05" + huge), ErrMalformed},
		{"a varint of six bytes", 18, 3, []byte("\x80\x80\x80\x80\x80\x01\x01\x00"), ErrMalformed},
		{"a varint of more than 32 bits", 18, 3, []byte("\xff\xff\xff\xff\x1f\x01\x00"), ErrMalformed},
		{"a varint without an end", 18, 3, slices.Repeat([]byte{0x80}, 1<<20), ErrMalformed},
		{"a compact length of 2^31", 3, 12, []byte("\x80\x80\x80\x80\x08\x00\x00\x00"), ErrMalformed},
		{"a compact length of 2^32-1", 3, 12, []byte(huge + "\x00\x00\x00"), ErrMalformed},
		{"a negative string length", 10, 0, []byte("\xff\xfe"), ErrMalformed},
		{"a negative nullable string length", 0, 3, []byte("\xff\xfe\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"), ErrMalformed},
		{"a negative count", 3, 4, []byte("\xff\xff\xff\xfe\x00"), ErrMalformed},
		{"the most negative count", 3, 0, []byte("\x80\x00\x00\x00"), ErrMalformed},
		{"negative bytes", 36, 0, []byte("\xff\xff\xff\xfe"), ErrMalformed},
		{"null bytes where none may be", 36, 0, []byte("\xff\xff\xff\xff"), ErrMalformed},
		{"Metadata, a topic a byte", 3, 0, zeros(0, 1<<20-4), ErrLimit},
		{"Metadata, as many topics as fit", 3, 0, zeros(0, (1<<20-4)/2), ErrLimit},
		{"Produce, a topic a byte", 0, 3, zeros(8, 1<<20-12), ErrLimit},
		{"Produce, as many topics as fit", 0, 3, zeros(8, (1<<20-12)/6), ErrLimit},
		{"Fetch, a topic a byte", 1, 4, zeros(17, 1<<20-21), ErrLimit},
		{"Fetch, as many topics as fit", 1, 4, zeros(17, (1<<20-21)/6), ErrLimit},
		{"CreateTopics, a topic a byte", 19, 2, zeros(0, 1<<20-4), ErrLimit},
		{"CreateTopics, more topics than fit", 19, 2, zeros(0, 1<<16), ErrMalformed},
		{"CreateTopics, a count of 2^31-1", 19, 2, zeros(0, 1<<31-1), ErrLimit},
		{"a string longer than any", 18, 3, slices.Concat([]byte("\x81\x80\x02"), make([]byte, 1<<15), []byte("\x02a\x00")), ErrMalformed},
		{"an empty body", 12, 0, nil, ErrMalformed},
		{"nested arrays", 1, 4, nested(), ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			fastest := time.Hour
			for range 5 {
				start := time.Now()
				err := Check(c.key, c.version, c.body)
				fastest = min(fastest, time.Since(start))
				if !errors.Is(err, c.kind) {
					t.Fatalf("error %v, want a %v", err, c.kind)
				}
			}
			if fastest > slowness*time.Millisecond {
				t.Errorf("took %v", fastest)
			}
		})
	}
}

// nested is a Fetch of one topic whose partitions are said to fill the rest and
// a byte more.
func nested() []byte {
	b := zeros(17, 1)
	binary.BigEndian.PutUint32(b[23:], (1<<20-27)/16+1)
	return b
}

// A string may be as long as Kafka lets it be.
func TestLongestString(t *testing.T) {
	body := slices.Concat([]byte("\x80\x80\x02"), make([]byte, MaxString), []byte("\x02a\x00"))
	if err := Check(18, 3, body); err != nil {
		t.Error(err)
	}
}

func TestElementsAreCounted(t *testing.T) {
	r := kmsg.NewPtrMetadataRequest()
	r.SetVersion(12)
	for range 70 {
		r.Topics = append(r.Topics, kmsg.NewMetadataRequestTopic())
	}
	body := r.AppendTo(nil)
	if n, err := CheckElements(3, 12, body, 70); n != 70 || err != nil {
		t.Errorf("%d elements, error %v", n, err)
	}
	if _, err := CheckElements(3, 12, body, 69); !errors.Is(err, ErrLimit) {
		t.Errorf("70 elements of 69: error %v", err)
	}
}

// As many topics as fit into zeros are accepted if they are cheap enough, and
// are then cheap to decode.
func TestZerosAreSafe(t *testing.T) {
	for _, c := range []struct {
		name                    string
		key, version            int16
		offset, element, length int
	}{
		{"CreateTopics", 19, 2, 0, 16, 1 << 20},
		{"Metadata", 3, 0, 0, 2, 2 << 10},
		{"Produce", 0, 3, 8, 6, 4 << 10},
		{"Fetch", 1, 4, 17, 6, 4 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := make([]byte, c.length)
			binary.BigEndian.PutUint32(b[c.offset:], uint32((c.length-c.offset-5)/c.element))
			if !requireSafe(t, c.key, c.version, b) {
				t.Error("refused")
			}
		})
	}
}

// Ten million partitions in one request would be decoded within the memory
// limit, but not in time.
func TestNodesAreLimited(t *testing.T) {
	body := hugeProduce(3)
	err := Check(0, 3, body)
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "Topics[2].Partitions: more elements and tags") {
		t.Fatalf("error %v", err)
	}
}

// hugeProduce returns a Produce v3 of 100 MiB whose topics have 900,000
// partitions each; the last one holds what is left as records.
func hugeProduce(topics int) []byte {
	const partitions = 900_000
	b := make([]byte, 0, 100<<20)
	b = append(b, "\xff\xff\x00\x01\x00\x00\x00\x00"...)
	b = binary.BigEndian.AppendUint32(b, uint32(topics))
	for range topics {
		b = append(b, 0, 0)
		b = binary.BigEndian.AppendUint32(b, partitions)
		b = b[:len(b)+8*partitions]
	}
	records := b[len(b)-4:]
	b = b[:cap(b)]
	binary.BigEndian.PutUint32(records, uint32(len(b)-(cap(b)-cap(records))-4))
	return b
}

func TestHugeProduceTakesLittleTime(t *testing.T) {
	const slowest = slowness * 500 * time.Millisecond // ten times what it takes, and more, on a busy machine
	for _, topics := range []int{1, 2, 3} {
		body := hugeProduce(topics)
		fastest := time.Hour
		for try := 0; try < 20 && fastest > slowest; try++ {
			start := time.Now()
			err := Check(0, 3, body)
			fastest = min(fastest, time.Since(start))
			if accepted := err == nil; accepted != (topics <= 2) {
				t.Fatalf("%d topics: error %v", topics, err)
			}
		}
		if fastest > slowest {
			t.Errorf("%d topics: took %v", topics, fastest)
		}
	}
}

func TestProduceRecordsAreNotCounted(t *testing.T) {
	c, err := check(0, 13, produce(13, 1<<20), MaxNodes)
	if err != nil || c.memory > 1<<10 {
		t.Fatalf("a request with one batch of 1 MiB is said to take %d bytes of memory, error %v", c.memory, err)
	}
}

// produce returns the body of a Produce of one partition.
func produce(version int16, size int) []byte {
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = make([]byte, size)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "orders"
	topic.Partitions = append(topic.Partitions, partition)
	r := kmsg.NewPtrProduceRequest()
	r.SetVersion(version)
	r.Topics = append(r.Topics, topic)
	return r.AppendTo(nil)
}
