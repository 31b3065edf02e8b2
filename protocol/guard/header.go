package guard

import "encoding/binary"

// A Header is what a request header says (versions 0, 1 and 2; KIP-482).
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32

	// ClientID aliases the frame, is nil for null, and may hold any bytes.
	ClientID []byte
}

const (
	apiVersionsKey        = 18
	controlledShutdownKey = 7
	fixedHeader           = 8 // bytes of key, version and correlation id
)

// CheckHeader parses the header of frame, a request without its length prefix,
// and returns it and the bytes that follow it, which alias frame.
//
// An error that wraps [ErrMalformed] or [ErrLimit] means that the connection
// cannot be kept; the header then holds what could be read. For an unknown key
// or version the error wraps [ErrUnknownKey] or [ErrUnknownVersion]; key,
// version and correlation id are set, the client id if it can be read, and rest
// is what follows the part that could be read. So an ApiVersions request of a
// version unknown here can be answered by error UNSUPPORTED_VERSION in a body of
// version 0 (KIP-511), even if its header is of a kind yet to be invented.
func CheckHeader(frame []byte) (h Header, rest []byte, err error) {
	if len(frame) < fixedHeader {
		w := walker{body: frame, version: -1}
		w.short(0, fixedHeader)
		w.within("header")
		return Header{}, nil, w.refusal(-1)
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))

	r := lookup(h.Key)
	known := r != nil && h.Version >= 0 && h.Version <= r.max
	w := walker{
		body: frame, pos: fixedHeader, version: h.Version,
		memory: MemoryBase, nodes: MaxTags,
	}
	ok := h.Key == controlledShutdownKey && h.Version == 0 // the one request with header version 0
	if !ok {
		tagged := known && h.Version >= r.flexible || !known && h.Key == apiVersionsKey && h.Version > 0
		h.ClientID, ok = w.header(tagged)
	}
	switch {
	case !known:
		return h, frame[w.pos:], unknown(r, h.Key, h.Version)
	case !ok:
		return h, nil, w.refusal(h.Key)
	}
	return h, frame[w.pos:], nil
}

// clientID is the nullable string of the header. Its length is never compact,
// so that a server can read it whatever the version of the request.
var clientID = field{name: "ClientID", kind: kindString}

// header walks the client id and, if the header has them, the tags.
func (w *walker) header(tagged bool) (client []byte, ok bool) {
	n, ok := w.length(&clientID, 2)
	if !ok {
		w.within(clientID.name)
		return nil, w.within("header")
	}
	if n != absent {
		client = w.body[w.pos : w.pos+n : w.pos+n]
		w.pos += n
	}
	if tagged && !w.tags(nil) {
		return client, w.within("header")
	}
	return client, true
}
