/*
Package wire serves connections of the Kafka protocol: it is to Kafka what
net/http is to HTTP. It reads frames, checks them, hands requests to a handler and
writes the answers in the order of the requests. It knows no API but
ApiVersions, whose header rules are an exception in the protocol.

# A connection

Two goroutines: the reader takes one request after the other and calls its handler,
the writer waits for the replies and writes them in the same order. So requests
take effect in the order in which they were sent. A reply that has to wait (for an
fsync, for data) does not keep the next request from being started if that is of a
pipelined route; any other waits until all replies before it have left, so that a
client cannot pile up answers in memory. A reply that is ready while none before it
waits is encoded by the reader itself; the writer is started by the first one that
is not. Replies that are ready together leave in one write: the reader sends when it
has no further request at hand, the writer when it has no further reply.

# The life of the process

Listeners may be older than the process, and outlive it: see [Inherit]. A connection on
which nothing was answered is reset when the process dies, all others end.

# Memory

A connection without traffic holds no buffer. Frames are read into pooled buffers
as the bytes arrive: what a length claims is never allocated before it came,
except up to what the connection has already sent in one frame. Buffers of large
frames are counted against one budget for the whole server; who finds it spent
waits, and whoever stalls or dawdles inside a frame is cut off.

The body of a request is valid until its handler returns.

# Untrusted bytes

Every frame passes package guard before anything decodes it. A frame that it
refuses closes the connection with one line in the log, as does an API key or
version that is not served; lines that clients cause are rationed. A panic in a
handler closes the connection, never the process. Connections do not take the last
file descriptors of the process.
*/
package wire
