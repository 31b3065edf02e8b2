package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// golden is what Apache Kafka 4.3.0 has written for a classic group with a static
// member, for commits of all versions, and for a consumer group whose members came,
// changed and went, one of them of the classic protocol.
func golden(t testing.TB) (pairs [][2][]byte) {
	t.Helper()
	file, err := os.ReadFile("testdata/kafka-4.3.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Fatalf("line %q", line)
		}
		pairs = append(pairs, [2][]byte{unhex(t, key), unhex(t, value)})
	}
	return pairs
}

// unhex is nil for "nil".
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if s == "nil" {
		return nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	kinds := make(map[string]bool)
	for _, p := range golden(t) {
		r, err := Decode(p[0], p[1])
		if err != nil {
			t.Errorf("%x %x: %v", p[0], p[1], err)
			continue
		}
		kinds[reflect.TypeOf(r).String()] = true
		key, value, err := Encode(r)
		if err != nil || !bytes.Equal(key, p[0]) || !bytes.Equal(value, p[1]) || (value == nil) != (p[1] == nil) {
			t.Errorf("%+v:\n     %x %x\nwant %x %x, %v", r, key, value, p[0], p[1], err)
		}
	}
	if len(kinds) != 9 {
		t.Errorf("only %v", kinds)
	}
}

func ptr[T any](v T) *T { return &v }

var topicID = TopicID{0xca, 0x05, 0xbf, 0x3d, 0xc5, 0xeb, 0x48, 0x19, 0xa4, 0x13, 0x73, 0x02, 0x05, 0xd2, 0x0a, 0x7b}

// What the bytes mean: of each layout and version one, written by Kafka where it
// still writes it, else by hand.
var layouts = []struct {
	name       string
	key, value string
	want       Record
	lasting    bool // the version that Encode writes
}{
	{"offset 0", "0000 0001 67 0001 74 00000003", "0000 0000000000000007 0001 6d 0000000000000009",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: -1, Metadata: "m", CommitTimestamp: 9, ExpireTimestamp: -1}}, false},
	{"offset 1", "0001 0002 6773 0002 7431 00000002", "0001000000000012d6870000000001a20e2cbb9a000001a20e2e423a",
		&Offset{"gs", "t1", 2, &OffsetValue{Offset: 1234567, LeaderEpoch: -1, CommitTimestamp: 0x01a20e2cbb9a, ExpireTimestamp: 0x01a20e2cbb9a + 100_000}}, true},
	{"offset 1 without expiry", "0001 0001 67 0001 74 00000003", "0001 0000000000000007 0000 0000000000000009 ffffffffffffffff",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: -1, CommitTimestamp: 9, ExpireTimestamp: -1}}, false},
	{"offset 2", "0001 0001 67 0001 74 00000003", "0002 0000000000000007 0001 6d 0000000000000009",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: -1, Metadata: "m", CommitTimestamp: 9, ExpireTimestamp: -1}}, false},
	{"offset 3", "0001 0001 67 0001 74 00000003", "0003 0000000000000007 00000004 0001 6d 0000000000000009",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: 4, Metadata: "m", CommitTimestamp: 9, ExpireTimestamp: -1}}, false},
	{"offset 4", "0001000267630002743100000002", "0004000000000012d68700000005066dc3a4726b000001a20e2cbb92010010ca05bf3dc5eb4819a413730205d20a7b",
		&Offset{"gc", "t1", 2, &OffsetValue{1234567, 5, "märk", 0x01a20e2cbb92, -1, topicID}}, true},
	{"offset 4 without id", "0001 0001 67 0001 74 00000003", "0004 0000000000000007 00000004 02 6d 0000000000000009 00",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: 4, Metadata: "m", CommitTimestamp: 9, ExpireTimestamp: -1}}, true},
	{"unknown tags and bytes at the end", "0001 0001 67 0001 74 00000003 ff", "0004 0000000000000007 00000004 02 6d 0000000000000009 02 05 02 abcd 07 00 ff",
		&Offset{"g", "t", 3, &OffsetValue{Offset: 7, LeaderEpoch: 4, Metadata: "m", CommitTimestamp: 9, ExpireTimestamp: -1}}, false},
	{"classic 0", "0002 0001 67", "0000 0001 70 00000005 0001 72 0001 6d 00000001 0001 6d 0001 63 0001 68 0000000a 00000001 aa 00000001 bb",
		&Classic{"g", &ClassicValue{"p", 5, ptr("r"), ptr("m"), -1, []ClassicMember{{"m", nil, "c", "h", -1, 10, []byte{0xaa}, []byte{0xbb}, 0}}}}, false},
	{"classic 1", "0002 0001 67", "0001 0001 70 00000005 0001 72 0001 6d 00000001 0001 6d 0001 63 0001 68 0000000b 0000000a 00000001 aa 00000001 bb",
		&Classic{"g", &ClassicValue{"p", 5, ptr("r"), ptr("m"), -1, []ClassicMember{{"m", nil, "c", "h", 11, 10, []byte{0xaa}, []byte{0xbb}, 0}}}}, false},
	{"classic 2", "0002 0001 67", "0002 0001 70 00000005 ffff ffff 000000000000000c 00000000",
		&Classic{"g", &ClassicValue{"p", 5, nil, nil, 12, nil}}, false},
	{"classic 3", "0002 0001 67", "0003 0001 70 00000005 0001 72 0001 6d 000000000000000c 00000001 0001 6d 0001 69 0001 63 0001 68 0000000b 0000000a 00000001 aa 00000000",
		&Classic{"g", &ClassicValue{"p", 5, ptr("r"), ptr("m"), 12, []ClassicMember{{"m", ptr("i"), "c", "h", 11, 10, []byte{0xaa}, []byte{}, 0}}}}, true},
	{"classic 4", "0002 0001 67", "0004 02 70 00000005 02 72 02 6d 000000000000000c 02 02 6d 00 02 63 02 68 0000000b 0000000a 02 aa 02 bb 00 00",
		&Classic{"g", &ClassicValue{"p", 5, ptr("r"), ptr("m"), 12, []ClassicMember{{"m", nil, "c", "h", 11, 10, []byte{0xaa}, []byte{0xbb}, 0}}}}, false},
	{"classic with silence", "0002 0001 67", "0004 02 70 00000005 02 72 02 6d 000000000000000c 02 02 6d 00 02 63 02 68 0000000b 0000000a 02 aa 02 bb 01 904e 04 00000dac 00",
		&Classic{"g", &ClassicValue{"p", 5, ptr("r"), ptr("m"), 12, []ClassicMember{{"m", nil, "c", "h", 11, 10, []byte{0xaa}, []byte{0xbb}, 3500}}}}, true},
	{"current with silence", "0008 0001 67 0001 6d", "0000 00000002 00000001 00 01 01 01 904e 04 00000dac",
		&Current{"g", "m", &CurrentValue{2, 1, Stable, []TopicPartitions{}, []TopicPartitions{}, 3500}}, true},
	{"epoch", "00030002676e", "000000000002010008ea7229a6f44642ed", &Epoch{"gn", &EpochValue{2, -0x158dd6590bb9bd13}}, true},
	{"epoch without hash", "0003 0001 67", "0000 00000002 00", &Epoch{"g", &EpochValue{2, 0}}, true},
	{"member", "00050002676e001642424242424242424242424242424242424242424242", "000005696e73740007676f6c64656e0b2f3132372e302e302e310104742e2a0000ea600672616e676501000100",
		&Member{"gn", "BBBBBBBBBBBBBBBBBBBBBB", &MemberValue{InstanceID: ptr("inst"), ClientID: "golden", ClientHost: "/127.0.0.1", Topics: []string{}, Regex: ptr("t.*"), RebalanceTimeout: 60_000, Assignor: ptr("range")}}, true},
	{"classic member", "0005 0001 67 0001 6d", "0000 00 02 72 02 63 02 68 02 02 74 00 00000064 00 01 00 0b 01 0000000a 02 02 61 01 00 00",
		&Member{"g", "m", &MemberValue{RackID: ptr("r"), ClientID: "c", ClientHost: "h", Topics: []string{"t"}, RebalanceTimeout: 100,
			Classic: &ClassicProtocols{10, []ClassicProtocol{{"a", []byte{}}}}}}, true},
	{"target epoch", "00060002676e", "000000000002010008000001a20e2cbbb7", &TargetEpoch{"gn", &TargetEpochValue{2, 0x01a20e2cbbb7}}, true},
	{"target", "0007 0001 67 0001 6d", "0000 02 ca05bf3dc5eb4819a413730205d20a7b 03 00000001 00000000 00 00",
		&TargetMember{"g", "m", &TargetValue{[]TopicPartitions{{topicID, []int32{1, 0}, nil}}}}, true},
	{"current", "0008 0001 67 0001 6d", "0000 00000002 00000001 01 02 ca05bf3dc5eb4819a413730205d20a7b 02 00000002 01 00 05 02 00000002 02 ca05bf3dc5eb4819a413730205d20a7b 02 00000001 00 00",
		&Current{"g", "m", &CurrentValue{2, 1, UnrevokedPartitions, []TopicPartitions{{topicID, []int32{2}, []int32{2}}}, []TopicPartitions{{topicID, []int32{1}, nil}}, 0}}, true},
	{"current in a later state", "0008 0001 67 0001 6d", "0000 00000002 00000001 05 01 01 00",
		&Current{"g", "m", &CurrentValue{2, 1, Unknown, []TopicPartitions{}, []TopicPartitions{}, 0}}, false},
	{"pattern", "00100002676e0003742e2a", "0000030374310374320000000000000147000001a20e2cbbcf00", &Pattern{"gn", "t.*", &PatternValue{[]string{"t1", "t2"}, 0x147, 0x01a20e2cbbcf}}, true},
	{"tombstone", "0007 0001 67 0001 6d", "nil", &TargetMember{"g", "m", nil}, true},
	{"partition metadata of 4.0", "0004 0001 67", "0000 01 00", &Other{4, []byte("\x00\x04\x00\x01g"), []byte{0, 0, 1, 0}}, true},
	{"of a later release", "7fff 01", "nil", &Other{math.MaxInt16, []byte{0x7f, 0xff, 1}, nil}, true},
}

func TestLayouts(t *testing.T) {
	for _, c := range layouts {
		key, value := unhex(t, c.key), unhex(t, c.value)
		r, err := Decode(key, value)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !reflect.DeepEqual(r, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, r, c.want)
		}
		k, v, err := Encode(r)
		if same := bytes.Equal(k, key) && bytes.Equal(v, value); err != nil || c.lasting && !same {
			t.Errorf("%s: written as %x %x, %v", c.name, k, v, err)
		}
		again, err := Decode(k, v)
		if err != nil {
			t.Errorf("%s: written and read: %v", c.name, err)
		} else if !reflect.DeepEqual(again, r) {
			t.Errorf("%s: written and read %+v", c.name, again)
		}
	}
}

// Every cut of a value is refused, with the name of a field.
func TestDecode_Cut(t *testing.T) {
	for _, p := range golden(t) {
		for n := range p[1] {
			_, err := Decode(p[0], p[1][:n])
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%x %x: %v", p[0], p[1][:n], err)
			}
		}
		if p[0][1] == 4 {
			continue // the name is not read
		}
		for n := range len(p[0]) {
			if _, err := Decode(p[0][:n], p[1]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("key %x: %v", p[0][:n], err)
			}
		}
	}
}

func TestDecode_Refused(t *testing.T) {
	for _, c := range []struct{ name, key, value, want string }{
		{"no key", "nil", "0000", "type 0: key: type: malformed: it ends too early"},
		{"null group", "0002 ffff", "0000", "key: group: malformed: it is null"},
		{"later version", "0002 0001 67", "0005", `type 2, group "g": value: version: unknown version 5, the last is 4`},
		{"negative version", "0002 0001 67", "ffff", "unknown version -1"},
		{"null members", "0002 0001 67", "0003 0001 70 00000005 ffff ffff 000000000000000c ffffffff", "members: malformed: it is null"},
		{"negative count", "0002 0001 67", "0003 0001 70 00000005 ffff ffff 000000000000000c fffffffe", "members: malformed: -2 elements"},
		{"many members", "0002 0001 67", "0003 0001 70 00000005 ffff ffff 000000000000000c 7fffffff", "members: malformed"},
		{"many tags", "0003 0001 67", "0000 00000002 ffffffff0f 0501", "tags: malformed"},
		{"short tag", "0003 0001 67", "0000 00000002 01 00 01 00", "metadata hash: malformed"},
		{"null subscription", "0002 0001 67", "0000 0001 70 00000005 0001 72 0001 6d 00000001 0001 6d 0001 63 0001 68 0000000a ffffffff 00000001 bb", "subscription: malformed: it is null"},
	} {
		_, err := Decode(unhex(t, c.key), unhex(t, c.value))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEncode_Refused(t *testing.T) {
	long := strings.Repeat("x", math.MaxInt16)
	for _, r := range []Record{
		&Offset{Group: long + "x"}, &Classic{Group: "g", Value: &ClassicValue{Leader: ptr(long + "x")}},
		&Member{Group: "g", Value: &MemberValue{Classic: &ClassicProtocols{Protocols: []ClassicProtocol{{Name: long + "x"}}}}},
	} {
		if _, _, err := Encode(r); err == nil || len(err.Error()) > 1000 {
			t.Errorf("%T is written: %v", r, err)
		}
	}
	want := &Offset{Group: long, Value: &OffsetValue{Metadata: long, ExpireTimestamp: -1}}
	key, value, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Decode(key, value); err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("longest strings: %v", err)
	}
}

// Decoded records keep nothing of the bytes that they were read from.
func TestDecode_Copies(t *testing.T) {
	for _, p := range golden(t) {
		key, value := bytes.Clone(p[0]), bytes.Clone(p[1])
		r, err := Decode(key, value)
		if err != nil {
			t.Fatal(err)
		}
		clear(key)
		clear(value)
		if want, _ := Decode(p[0], p[1]); !reflect.DeepEqual(r, want) {
			t.Errorf("%+v has changed with its bytes", want)
		}
	}
}

func TestLasting(t *testing.T) {
	for _, v := range []OffsetValue{{5, 3, "m", 7, -1, topicID}, {5, 3, "m", 7, 9, topicID}} {
		key, value, err := Encode(&Offset{Group: "g", Topic: "t", Value: &v})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(key, value)
		if err != nil || *r.(*Offset).Value != v.Lasting() {
			t.Errorf("%+v: read as %+v, said to last as %+v, %v", v, r, v.Lasting(), err)
		}
	}
}

// FuzzDecode: nothing panics, and what is read is written and read the same.
func FuzzDecode(f *testing.F) {
	for _, p := range golden(f) {
		f.Add(p[0], p[1], p[1] != nil)
	}
	for _, c := range layouts {
		value := unhex(f, c.value)
		f.Add(unhex(f, c.key), value, value != nil)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, present bool) {
		if !present {
			value = nil
		}
		r, err := Decode(key, value)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%v wraps neither", err)
			}
			return
		}
		if o, ok := r.(*Offset); ok && o.Value != nil && o.Value.ExpireTimestamp != -1 && o.Value.LeaderEpoch != -1 {
			t.Fatalf("%+v cannot be of any version", o.Value)
		}
		k, v, err := Encode(r)
		if err != nil {
			return // a compact length can tell a longer string
		}
		again, err := Decode(k, v)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v, and after it was written %+v", r, again)
		}
	})
}
