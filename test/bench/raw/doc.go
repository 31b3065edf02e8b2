//go:build linux

/*
Package raw is a client of the Kafka protocol that costs little: frames are made
beforehand, answers are checked where their error codes and sizes stand, and
records are thrown away as they arrive.

It takes requests from kmsg and knows nothing of the server. All connections use
the congestion control of [Congestion], so that what a server gets sent does not
depend on the system's default.

A [Conn] is used by one goroutine at a time; [Batch] and the frame makers by any.
An operation that an answer or the network spoils returns an error and leaves the
connection unusable.
*/
package raw
