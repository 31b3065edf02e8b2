/*
Package test holds the tests of the whole server: they build the binary, run it as
a process and talk to it as its users do, with franz-go, with kcat, over HTTP and
with requests of their own making.

They import no package of the server. What they know of the wire format comes from
kmsg alone, so that a fault which writer and reader of the server share is seen.

A test fails if the race detector or a panic left a trace in the server's log. How
much is done is set by the environment:

	SORDINI_TEST_RECORDS  records of the round trip over all codecs, and of the test of compaction
	SORDINI_TEST_KILLS    cycles of the kill -9 test
	SORDINI_TEST_FULL=1   the corpus is all Go files of the tool chain
	SORDINI_TEST_HOSTILE  broken and lying frames, from the seed SORDINI_TEST_SEED
	SORDINI_TEST_IDLE     idle connections, at most 18,000 where a process may have 20,000 files
	SORDINI_TEST_CHURN    connections that come, send half a request and go
	SORDINI_TEST_IMPORT   MiB that Apache Kafka writes to each of five topics before they are taken over,
	                      where KAFKA_REFERENCE names the script that runs it

On Linux the tests of failing disks run the server under strace.
*/
package test
