package guard

import (
	"encoding/binary"
	"errors"
	"testing"
)

// FuzzCheck: whatever Check accepts, kmsg decodes completely and within bounds.
func FuzzCheck(f *testing.F) {
	everyRequest(func(key, version int16) {
		f.Add(key, version, fillers(1)[1].request(key, version).AppendTo(nil))
	})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		requireSafe(t, key, version, body)
	})
}

// FuzzHeader: a header never panics, says what its first bytes say, and parts
// the frame without losing a byte.
func FuzzHeader(f *testing.F) {
	everyRequest(func(key, version int16) {
		frame := binary.BigEndian.AppendUint16(nil, uint16(key))
		frame = binary.BigEndian.AppendUint16(frame, uint16(version))
		f.Add(append(frame, "\x00\x00\x00\x01\x00\x03abc\x01\x02\x01xbody"...))
	})
	f.Add([]byte("\x00\x12\x00\x63\x00\x00\x00\x09\x00\x02ab\x01\x05\x01x"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, rest, err := CheckHeader(frame)
		if len(frame) < fixedHeader {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d bytes: error %v", len(frame), err)
			}
			return
		}
		if h.Key != int16(binary.BigEndian.Uint16(frame)) ||
			h.Version != int16(binary.BigEndian.Uint16(frame[2:])) ||
			h.CorrelationID != int32(binary.BigEndian.Uint32(frame[4:])) {
			t.Fatalf("header %+v", h)
		}
		switch {
		case !Known(h.Key, h.Version):
			if !errors.Is(err, ErrUnknownKey) && !errors.Is(err, ErrUnknownVersion) {
				t.Fatalf("error %v", err)
			}
		case err == nil:
			requireParted(t, frame, h, rest)
		case !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrLimit):
			t.Fatalf("error %v", err)
		}
	})
}

// requireParted fails the test unless rest follows the client id and, in a
// flexible request, at least one byte of tags.
func requireParted(t *testing.T, frame []byte, h Header, rest []byte) {
	t.Helper()
	used := len(frame) - len(rest)
	if string(frame[used:]) != string(rest) {
		t.Fatal("rest is no suffix of the frame")
	}
	least := fixedHeader
	if h.Key != controlledShutdownKey || h.Version != 0 {
		least += 2 + len(h.ClientID)
	}
	switch flexible := Flexible(h.Key, h.Version); {
	case flexible && used <= least, !flexible && used != least:
		t.Fatalf("the header takes %d bytes, flexible %v, client id %q", used, flexible, h.ClientID)
	}
}
