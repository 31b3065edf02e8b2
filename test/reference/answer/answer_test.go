package answer

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// response is a Metadata answer with all kinds of fields.
func response() *kmsg.MetadataResponse {
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version, resp.ThrottleMillis = 12, 7
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = 1, "127.0.0.1", 4321
	resp.Brokers = append(resp.Brokers, b)
	for _, name := range []string{"case-b", "case-a"} {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = &name, [16]byte{name[5]}, 3
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func masks() *Masks { return &Masks{Port: "4321", Name: "case-", Now: 1 << 60} }

// TestOf: defaults and what is masked are left out, elements are in order.
func TestOf(t *testing.T) {
	resp := response()
	a := Of(masks(), resp, resp.AppendTo(nil))
	want := `Brokers[0] NodeID=1 Host="127.0.0.1" Port=PORT
Topics[0] ErrorCode=UNKNOWN_TOPIC_OR_PARTITION Topic="~a" TopicID=id1
Topics[1] ErrorCode=UNKNOWN_TOPIC_OR_PARTITION Topic="~b" TopicID=id2
`
	if got := body(a.Fields); got != want {
		t.Errorf("answer\n%swant\n%s", got, want)
	}
	if a := Of(masks(), resp, append(resp.AppendTo(nil), 0)); a.Fields[0].Path != Unending {
		t.Errorf("a byte too many is not told: %v", a.Fields)
	}
}

// TestFile: what is written is read again.
func TestFile(t *testing.T) {
	resp := response()
	one := Of(masks(), resp, resp.AppendTo(nil))
	one.Case, one.Note = "case", `with "quotes"`
	next := one
	next.Version++
	closed := Answer{Case: "other", API: "Fetch", Version: 4, Fields: []Field{{Path: Closed, Value: "true"}}}
	empty := Answer{Case: "other", API: "Fetch", Version: 5}
	all := []Answer{one, next, closed, empty}
	var file bytes.Buffer
	if err := Write(&file, all); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(file.String(), "\n-- "); got != 3 {
		t.Errorf("%d headings, want 3, as two versions say the same:\n%s", got, file.String())
	}
	again, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, all) {
		t.Errorf("read %+v\nwant %+v", again, all)
	}
}

func TestCompare(t *testing.T) {
	kafka := Answer{Fields: []Field{{"ErrorCode", "A"}, {"Topics[0]", ""}, {"Topics[0].Topic", "a"}, {"Topics[1]", ""}, {"Topics[1].Topic", "b"}}}
	ours := Answer{Fields: []Field{{"Topics[0]", ""}, {"Topics[0].Topic", "c"}}}
	var got []string
	for _, d := range Compare(kafka, ours) {
		got = append(got, d.Path+" "+d.Kafka+" "+d.Ours)
	}
	want := []string{"Topics[0].Topic a c", "ErrorCode A -", "Topics[1] present -"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
}

// TestMasks_Batches: the fields of a batch are told one by one.
func TestMasks_Batches(t *testing.T) {
	k := kmsg.RecordBatch{FirstOffset: 5, Magic: 2, PartitionLeaderEpoch: 3, ProducerID: 9, NumRecords: 1, Records: []byte("records")}
	k.Length = int32(len(k.AppendTo(nil)) - lengthEnd)
	b := k.AppendTo(nil)
	text := masks().batches(append(b, b[:20]...))
	if !strings.HasPrefix(text, "{base:5,last:0,epoch:3,attributes:0,first:0,max:0,producer:producer1/0/0,count:1,ok:") || !strings.HasSuffix(text, "},cut:20") {
		t.Errorf("batches %s", text)
	}
}
