package guard

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestHeaderOfEveryRequest(t *testing.T) {
	everyRequest(func(key, version int16) {
		r := fillers(1)[1].request(key, version)
		frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("cli")).AppendRequest(nil, r, -42)[4:]
		want := "cli"
		if key == controlledShutdownKey && version == 0 {
			want = ""
			frame = r.AppendTo(frame) // kmsg leaves this body out
		}
		h, rest, err := CheckHeader(frame)
		if err != nil {
			t.Fatal(err)
		}
		if h.Key != key || h.Version != version || h.CorrelationID != -42 || string(h.ClientID) != want {
			t.Errorf("key %d v%d: header %+v", key, version, h)
		}
		if !bytes.Equal(rest, r.AppendTo(nil)) {
			t.Errorf("key %d v%d: the body starts at a wrong place", key, version)
		}
		for n := range len(frame) - len(rest) {
			if _, _, err := CheckHeader(frame[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("key %d v%d: a header cut to %d bytes: error %v", key, version, n, err)
			}
		}
	})
}

func TestHeaderClientID(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		want        []byte
		rest        string
	}{
		{"null", "\x00\x03\x00\x01\x00\x00\x00\x09\xff\xffbody", nil, "body"},
		{"empty", "\x00\x03\x00\x01\x00\x00\x00\x09\x00\x00body", []byte{}, "body"},
		{"with tags after it", "\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x02ab\x01\x07\x02xybody", []byte("ab"), "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := []byte(c.frame)
			h, rest, err := CheckHeader(frame)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.ClientID, c.want) || (h.ClientID == nil) != (c.want == nil) || string(rest) != c.rest {
				t.Errorf("client id %#v, rest %q", h.ClientID, rest)
			}
			if len(h.ClientID) > 0 && unsafe.SliceData(h.ClientID) != &frame[10] {
				t.Error("the client id was copied")
			}
			if cap(h.ClientID) != len(h.ClientID) {
				t.Error("an append to the client id would overwrite the frame")
			}
		})
	}
}

func TestHeaderOfUnknownRequests(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		kind        error
		client      string
		rest        string
	}{
		{"a newer ApiVersions", "\x00\x12\x00\x63\x00\x00\x00\x09\x00\x02ab\x01\x05\x01xbody", ErrUnknownVersion, "ab", "body"},
		{"a newer ApiVersions without tags", "\x00\x12\x00\x63\x00\x00\x00\x09\x00\x02ab", ErrUnknownVersion, "ab", ""},
		{"a newer ApiVersions without a client id", "\x00\x12\x00\x63\x00\x00\x00\x09", ErrUnknownVersion, "", ""},
		{"a negative ApiVersions", "\x00\x12\xff\xff\x00\x00\x00\x09\x00\x02abbody", ErrUnknownVersion, "ab", "body"},
		{"a newer Metadata", "\x00\x03\x00\x63\x00\x00\x00\x09\x00\x02abbody", ErrUnknownVersion, "ab", "body"},
		{"an unknown key", "\x03\xe7\x00\x01\x00\x00\x00\x09\x00\x02abbody", ErrUnknownKey, "ab", "body"},
		{"a negative key", "\xff\xff\x00\x01\x00\x00\x00\x09\xff\xffbody", ErrUnknownKey, "", "body"},
		{"an unknown key alone", "\x03\xe7\x00\x01\x00\x00\x00\x09", ErrUnknownKey, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, rest, err := CheckHeader([]byte(c.frame))
			if !errors.Is(err, c.kind) {
				t.Fatalf("error %v, want %v", err, c.kind)
			}
			if h.CorrelationID != 9 || string(h.ClientID) != c.client || string(rest) != c.rest {
				t.Errorf("header %+v, rest %q", h, rest)
			}
		})
	}
}

func TestHeaderErrors(t *testing.T) {
	metadata := "\x00\x03\x00\x0c\x00\x00\x00\x09"
	for _, c := range []struct {
		name, frame, want string
		kind              error
	}{
		{"three bytes", "\x00\x03\x00", "guard: key -1 v-1: header: needs 8 bytes, 3 remain (at byte 0)", ErrMalformed},
		{"no client id", metadata + "\x00", "guard: Metadata v12: header.ClientID: needs 2 bytes, 1 remain (at byte 8)", ErrMalformed},
		{"a long client id", metadata + "\x7f\xffab", "guard: Metadata v12: header.ClientID: needs 32767 bytes, 2 remain (at byte 8)", ErrMalformed},
		{"a negative client id", metadata + "\xff\xfeab", "guard: Metadata v12: header.ClientID: length -2 (at byte 8)", ErrMalformed},
		{"no tags", metadata + "\x00\x00", "guard: Metadata v12: header.tags: needs 1 bytes, 0 remain (at byte 10)", ErrMalformed},
		{"2^32-1 tags", metadata + "\x00\x00\xff\xff\xff\xff\x0f", "guard: Metadata v12: header.tags: 4294967295 tags need 8589934590 bytes, 0 remain (at byte 10)", ErrMalformed},
		{"65 tags", metadata + "\x00\x00\x41" + strings.Repeat("\x00", 200), "guard: Metadata v12: header.tags: 65 tags, at most 64 are allowed (at byte 10)", ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, rest, err := CheckHeader([]byte(c.frame))
			if err == nil || err.Error() != c.want || !errors.Is(err, c.kind) {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
			if rest != nil {
				t.Errorf("rest is %q", rest)
			}
		})
	}
}

func TestCheckHeaderDoesNotAllocate(t *testing.T) {
	frame := []byte("\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x02ab\x00body")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := CheckHeader(frame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
