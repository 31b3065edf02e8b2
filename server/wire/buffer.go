package wire

import (
	"math/bits"
	"sync"
)

// baseSize is the buffer of a connection that has something to say: several
// small requests are read at once.
const baseSize = 64 << 10

// buffers are pooled by powers of two, from baseSize up.
var buffers [32]sync.Pool

type buffer struct{ b []byte }

func class(n int) int { return bits.Len(uint(n - 1)) }

// getBuffer returns a buffer of at least n bytes.
func getBuffer(n int) *buffer {
	c := class(max(n, baseSize))
	if b, ok := buffers[c].Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 1<<c)}
}

func putBuffer(b *buffer) { buffers[class(len(b.b))].Put(b) }
