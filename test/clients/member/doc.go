/*
Package member is one member of a consumer group, written with each of the client
libraries that Go has, as their manuals tell to: processing is telling of a record, a
commit follows within [CommitInterval] and before partitions are given back.

Run ends when its context does, having committed and left the group, or at the first
error. A process runs one member, so that it can be killed.
*/
package member
