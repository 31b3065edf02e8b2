package guard

import (
	"errors"
	"fmt"
)

// The kinds of refusal. Every error of this package is an *Error that wraps
// one of them.
var (
	// ErrMalformed: the bytes are not an encoding of the request, or too few.
	ErrMalformed = errors.New("malformed request")

	// ErrLimit: the bytes are well formed so far, but decoding them would cost
	// more memory or time than their length justifies.
	ErrLimit = errors.New("request exceeds a limit")

	// ErrUnknownKey: no request has this key.
	ErrUnknownKey = errors.New("unknown API key")

	// ErrUnknownVersion: the request exists, but not at this version.
	ErrUnknownVersion = errors.New("unknown API version")
)

// An Error says which request was refused, where and why.
type Error struct {
	// Key and Version are those of the request; both are -1 if the frame is too
	// short to tell.
	Key, Version int16

	// Path names the value that was refused, such as Topics[3].TopicID. Values
	// of the request header start with "header". It is empty if no single
	// value is at fault.
	Path string

	// Offset is where that value starts, in bytes from the start of what was
	// checked: of the body for Check, of the frame for CheckHeader.
	Offset int

	// Reason says in words what is wrong.
	Reason string

	kind error
}

// Error returns text such as
//
//	guard: Metadata v12: Topics[3].TopicID: needs 16 bytes, 4 remain (at byte 57)
//
// It holds no bytes sent by the peer.
func (e *Error) Error() string {
	name := fmt.Sprintf("key %d", e.Key)
	if r := lookup(e.Key); r != nil {
		name = r.name
	}
	if e.Path == "" {
		return fmt.Sprintf("guard: %s v%d: %s", name, e.Version, e.Reason)
	}
	return fmt.Sprintf("guard: %s v%d: %s: %s (at byte %d)", name, e.Version, e.Path, e.Reason, e.Offset)
}

// Unwrap returns the kind of refusal: ErrMalformed, ErrLimit, ErrUnknownKey or
// ErrUnknownVersion.
func (e *Error) Unwrap() error { return e.kind }

// unknown returns the error for a key and version that have no layout; r is
// what lookup(key) returned.
func unknown(r *request, key, version int16) *Error {
	if r == nil {
		return &Error{Key: key, Version: version, Reason: "no such request", kind: ErrUnknownKey}
	}
	return &Error{
		Key: key, Version: version, kind: ErrUnknownVersion,
		Reason: fmt.Sprintf("no such version, 0 to %d are known", r.max),
	}
}
