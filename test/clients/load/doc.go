/*
Package load is crowds of group members that read nothing: they join, share out
partitions, send heartbeats, leave and die, with requests of their own making, both in
the classic protocol and in that of KIP-848.

Each member has a connection of its own, as JoinGroup holds up all that follow on its
connection, and one goroutine. What members own is written down in one ledger for each
group, which reports a partition that two own at a time. A member gives a partition
back in the ledger before it tells the server so.
*/
package load
