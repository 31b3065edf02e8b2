package answer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Masks hides what differs between brokers and runs. It belongs to one case and
// one broker, and numbers what it hides in order of appearance.
type Masks struct {
	// Port and Dir are those of the broker, Now is the time of the case in ms.
	Port string
	Dir  string
	Now  int64
	// Name is how names of topics and groups of the case begin.
	Name string
	// Leaders are the leader epochs of the case's first topic, and how often the broker
	// had been killed when each began.
	Leaders map[int32]int

	seen   map[string]string // what was hidden, by kind and text
	counts map[string]int
	isDry  bool
}

// blind returns masks that hide all ids alike.
func (m *Masks) blind() *Masks {
	return &Masks{Port: m.Port, Dir: m.Dir, Now: m.Now, Name: m.Name, Leaders: m.Leaders, isDry: true}
}

// mark is what stands for a text of a kind.
func (m *Masks) mark(kind, text string) string {
	if m.isDry {
		return kind
	}
	if m.seen == nil {
		m.seen, m.counts = make(map[string]string), make(map[string]int)
	}
	key := kind + " " + text
	if _, ok := m.seen[key]; !ok {
		m.counts[kind]++
		m.seen[key] = kind + strconv.Itoa(m.counts[kind])
	}
	return m.seen[key]
}

// dropped tells whether a field is left out of all answers.
func (m *Masks) dropped(api, name string) bool { return name == "ThrottleMillis" }

// free are the names of fields with texts for people.
var free = map[string]bool{"ErrorMessage": true, "Documentation": true}

// amounts are fields with what a disk or clock of the day gives.
var amounts = map[string]bool{
	"DescribeLogDirs.TotalBytes":         true,
	"DescribeLogDirs.UsableBytes":        true,
	"ApiVersions.FinalizedFeaturesEpoch": true, // counts changes of metadata
}

var (
	longID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	shortID = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
)

// text is a string of an answer.
func (m *Masks) text(api, name, s string) string {
	switch {
	case free[name] && s != "":
		return "text"
	case name == "ClusterID":
		return "cluster"
	case strings.HasSuffix(name, "MemberID") && shortID.MatchString(s):
		return m.shortID(s)
	}
	s = longID.ReplaceAllStringFunc(s, func(id string) string { return m.mark("uuid", id) })
	if m.Dir != "" {
		s = strings.ReplaceAll(s, m.Dir, "DIR")
	}
	s = address.ReplaceAllString(s, "127.0.0.1:PORT")
	if m.Name != "" {
		s = strings.ReplaceAll(s, m.Name, "~")
	}
	return strconv.Quote(s)
}

// shortID is a member id in Kafka's way to write 16 bytes.
func (m *Masks) shortID(s string) string {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 16 {
		return strconv.Quote(s)
	}
	return m.mark("member", s)
}

const dayMillis = 24 * 60 * 60 * 1000

// number is an integer of an answer.
func (m *Masks) number(api, name string, n int64) string {
	switch text := strconv.FormatInt(n, 10); {
	case n > m.Now-dayMillis && n < m.Now+dayMillis:
		return "now"
	case name == "Port" && text == m.Port:
		return "PORT"
	case name == "SessionID" && n > 0:
		return m.mark("session", text)
	case name == "ProducerID" && n >= 0:
		return m.mark("producer", text)
	case name == "LeaderEpoch" && api != "OffsetFetch", api == "Fetch" && name == "Epoch": // in OffsetFetch it is the client's
		return m.leader(int32(n))
	case amounts[api+"."+name] && n >= 0:
		return "some"
	default:
		return text
	}
}

// leader is a leader epoch, counted by kills of the broker: Kafka counts up when one
// goes and when it comes, the server when it was not stopped.
func (m *Masks) leader(epoch int32) string {
	if n, ok := m.Leaders[epoch]; ok {
		return strconv.Itoa(n)
	}
	return strconv.Itoa(int(epoch))
}

// id is a topic's or a directory's.
func (m *Masks) id(id [16]byte) string {
	if id == ([16]byte{}) {
		return "zero"
	}
	return m.mark("id", string(id[:]))
}

// sum is a short hash of bytes.
func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:4]
}

// Places in a record batch.
const (
	lengthAt  = 8 // of all that follows
	headSize  = 61
	lengthEnd = lengthAt + 4
)

// batches is the text of record batches: the fields of each head, and a hash of
// its records.
func (m *Masks) batches(b []byte) string {
	if len(b) == 0 {
		return `""`
	}
	var all []string
	for len(b) > 0 {
		size := len(b) + 1
		if len(b) >= lengthEnd {
			size = lengthEnd + int(int32(binary.BigEndian.Uint32(b[lengthAt:])))
		}
		if size < headSize || size > len(b) {
			all = append(all, fmt.Sprintf("cut:%d", len(b)))
			break
		}
		all = append(all, m.batch(b[:size]))
		b = b[size:]
	}
	return strings.Join(all, ",")
}

func (m *Masks) batch(b []byte) string {
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		return "broken"
	}
	whole := "ok"
	if again := k.AppendTo(nil); !bytes.Equal(again, b) {
		whole = "odd"
	}
	first, records := m.number("", "", k.FirstTimestamp), fmt.Sprintf("%x", sum(plain(k)))
	const deleteHorizon = 64
	if k.Attributes&deleteHorizon != 0 && first == "now" {
		records = "horizon" // their times are told from it, and it from the time of compaction
	}
	return fmt.Sprintf("{base:%d,last:%d,epoch:%s,attributes:%d,first:%s,max:%s,producer:%s/%d/%d,count:%d,%s:%s}",
		k.FirstOffset, k.LastOffsetDelta, m.leader(k.PartitionLeaderEpoch), k.Attributes, first,
		m.number("", "", k.MaxTimestamp), m.number("", "ProducerID", k.ProducerID), k.ProducerEpoch, k.FirstSequence,
		k.NumRecords, whole, records)
}

// plain are the records of a batch, decompressed: how well a codec compresses is
// no part of the protocol.
func plain(k kmsg.RecordBatch) []byte {
	const codecBits = 7
	if k.Attributes&codecBits == 0 {
		return k.Records
	}
	records, err := kgo.DefaultDecompressor().Decompress(k.Records, kgo.CompressionCodecType(k.Attributes&codecBits))
	if err != nil {
		return []byte(err.Error())
	}
	return records
}

// unordered are arrays whose order Kafka takes from a hash table, or whose order
// is that of the clock.
var unordered = map[string]bool{
	"AlterConfigs.Resources":                 true,
	"ApiVersions.ApiKeys":                    true,
	"ApiVersions.FinalizedFeatures":          true,
	"ApiVersions.SupportedFeatures":          true,
	"ConsumerGroupDescribe.Groups":           true,
	"ConsumerGroupDescribe.Members":          true,
	"ConsumerGroupDescribe.SubscribedTopics": true,
	"ConsumerGroupDescribe.TopicPartitions":  true,
	"ConsumerGroupHeartbeat.Topics":          true,
	"CreatePartitions.Topics":                true,
	"CreateTopics.Configs":                   true,
	"CreateTopics.Topics":                    true,
	"DeleteGroups.Groups":                    true,
	"DeleteRecords.Partitions":               true,
	"DeleteRecords.Topics":                   true,
	"DeleteTopics.Topics":                    true,
	"DescribeConfigs.Configs":                true,
	"DescribeConfigs.Resources":              true,
	"DescribeGroups.Groups":                  true,
	"DescribeGroups.Members":                 true,
	"DescribeLogDirs.Partitions":             true,
	"DescribeLogDirs.Topics":                 true,
	"IncrementalAlterConfigs.Resources":      true,
	"JoinGroup.Members":                      true,
	"ListGroups.Groups":                      true,
	"ListOffsets.Partitions":                 true,
	"ListOffsets.Topics":                     true,
	"Metadata.Partitions":                    true,
	"Metadata.Topics":                        true,
	"Produce.Topics":                         true,
	"Produce.Partitions":                     true,
	"OffsetCommit.Partitions":                true,
	"OffsetCommit.Topics":                    true,
	"OffsetDelete.Partitions":                true,
	"OffsetDelete.Topics":                    true,
	"OffsetFetch.Partitions":                 true,
	"OffsetFetch.Topics":                     true,
	"OffsetForLeaderEpoch.Topics":            true,
}

// named are unordered arrays whose elements are known by their first field.
var named = map[string]bool{
	"DescribeConfigs.Configs": true,
	"CreateTopics.Configs":    true,
	"ApiVersions.ApiKeys":     true,
}
