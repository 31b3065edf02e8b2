//go:build linux

/*
Package floor does the work of a log server with bare system calls and nothing
around them: what no server can be cheaper than, on the machine at hand.

	Send     file -> sendfile -> socket                       a fetch
	Receive  socket -> CRC-32C -> pwrite, preallocated files  a produce
	Commit   append to one file, shared fdatasync             a produce that is forced to disk
	Scan     read -> CRC-32C of every batch                   recovery
	Mute     socket -> nothing, in Kafka's protocol           a client alone

Each runs in a process of its own, so that its cost can be read from outside: see
[Run] for how they are started and what they say.
*/
package floor
