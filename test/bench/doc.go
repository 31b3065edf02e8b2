//go:build linux

/*
Command bench measures sordini, as its users would: the real binary, in a process
of its own, under load by network. Beside it, in turns, run the floors (the same work
by bare system calls, see package floor) and, if asked for, Apache Kafka, so that
what is reported is not only a number but how it compares on this machine in this
hour. It gates nothing.

The sides of a table:

	floor       bare system calls
	floor+net   the same, where the floor proper has no network: units come from
	            connections and are answered
	floor+net+files
	            floor+net with a file for each partition, where floor+net has one
	sordini     with its data in a new directory
	kafka       the same, after 1 GiB of warm-up

Each scenario is a file of this package. It makes contenders, whose turns
alternate for some rounds. CPU is that of the server process alone. Before a turn
the machine should be quiet; a turn that others disturbed is tried again, some
times, and the least disturbed one counts.

Every connection that the benchmark opens uses the congestion control of package
raw; sordini and the floors use it for the connections they accept. Kafka has no
such setting and gets the system's, which is reported: scripts/bench makes it the
same where it may.

Records on any side are the same: random values of about 1 KiB, no compression.
A virtual machine may give free memory back to its host, and the first use of it costs
several times what it costs to write a file to the page cache. A turn therefore moves
less than what hosts leave unused for a while, and its files go when it ends, so that
the next turn gets the same memory. With a large --size the CPU of writes can be
anything.

Unless a scenario is about fsync, nothing is flushed while it is measured:
flush.policy=async with flush.ms beyond the end, as Kafka does by default.
*/
package main
