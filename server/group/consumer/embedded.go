package consumer

import (
	"encoding/binary"
	"errors"
	"math"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// What members of the classic protocol say and are told inside JoinGroup and SyncGroup
// (ConsumerProtocol, versions 0 to 3; later ones begin alike):
//
//	subscription  version int16 | topics int32 x string | user data bytes
//	              from 1: owned int32 x (topic string, int32 x partition int32)
//	              from 2: generation int32
//	              from 3: rack nullable string
//	assignment    version int16 | int32 x (topic string, int32 x partition int32) |
//	              user data bytes
//
// A string has an int16 before it, bytes an int32; negative ones mean null.

const latestEmbedded = 3

var errEmbedded = errors.New("the embedded consumer protocol is malformed")

// named are partitions of a topic that is known by name.
type named struct {
	topic      string
	partitions []int32
}

// subscription is what a member of the classic protocol asks for.
type subscription struct {
	version int16
	topics  []string
	owned   []named
	rack    string // "": none
}

// parseSubscription reads a subscription, into memory of its own.
func parseSubscription(b []byte) (*subscription, error) {
	d := &decoder{rest: b}
	s := &subscription{version: min(d.int16(), latestEmbedded)}
	if s.version < 0 {
		return nil, errEmbedded
	}
	for range d.count(2) {
		s.topics = append(s.topics, d.text())
	}
	d.bytes()
	if s.version >= 1 {
		s.owned = d.named()
	}
	if s.version >= 2 {
		d.int32()
	}
	if s.version >= 3 {
		s.rack = d.text()
	}
	if d.short {
		return nil, errEmbedded
	}
	return s, nil
}

// parseAssignment reads an assignment and says whether there is user data with it.
func parseAssignment(b []byte) (list []named, userData bool, err error) {
	d := &decoder{rest: b}
	if d.int16() < 0 {
		return nil, false, errEmbedded
	}
	list, userData = d.named(), len(d.bytes()) > 0
	if d.short {
		return nil, false, errEmbedded
	}
	return list, userData, nil
}

// appendAssignment writes an assignment. Topics that are gone are left out.
func appendAssignment(version int16, list []record.TopicPartitions, topics step.Topics) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(version))
	b = append(b, 0, 0, 0, 0) // the count
	n := uint32(0)
	for _, t := range list {
		known, ok := topics.ByID(t.Topic)
		if !ok {
			continue
		}
		n++
		b = binary.BigEndian.AppendUint16(b, uint16(len(known.Name)))
		b = append(b, known.Name...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(t.Partitions)))
		for _, p := range t.Partitions {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
	}
	binary.BigEndian.PutUint32(b[2:], n)
	return binary.BigEndian.AppendUint32(b, math.MaxUint32) // no user data
}

// versionOf is the version in which a member is told its assignment: that of its own
// subscription.
func versionOf(subscription []byte) int16 {
	d := &decoder{rest: subscription}
	return max(0, min(d.int16(), latestEmbedded))
}

// byID are partitions by the topics' ids, in normal order. Topics that do not exist
// are left out. It is never nil.
func byID(list []named, topics step.Topics) []record.TopicPartitions {
	found := make([]record.TopicPartitions, 0, len(list))
	for _, n := range list {
		if t, ok := topics.ByName(n.topic); ok {
			found = append(found, record.TopicPartitions{Topic: t.ID, Partitions: n.partitions})
		}
	}
	if len(found) == 0 {
		return found
	}
	return normal(found, nil)
}

// decoder reads on after an error and gives zeros.
type decoder struct {
	rest  []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.rest, d.short = nil, true
		return make([]byte, 4)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) int16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }

// count is a count of things that take at least so many bytes each. A negative one
// is 0.
func (d *decoder) count(smallest int) int {
	n := int(d.int32())
	if n > len(d.rest)/smallest {
		d.rest, d.short = nil, true
		return 0
	}
	return max(0, n)
}

// text is a string, "" for null.
func (d *decoder) text() string {
	n := int(d.int16())
	if n < 0 {
		return ""
	}
	if b := d.take(n); !d.short {
		return string(b)
	}
	return ""
}

// bytes are bytes, nil for null.
func (d *decoder) bytes() []byte {
	n := int(d.int32())
	if n < 0 {
		return nil
	}
	if b := d.take(n); !d.short {
		return b
	}
	return nil
}

func (d *decoder) named() []named {
	var list []named
	for range d.count(6) {
		n := named{topic: d.text()}
		for range d.count(4) {
			n.partitions = append(n.partitions, d.int32())
		}
		list = append(list, n)
	}
	return list
}
