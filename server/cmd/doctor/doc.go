/*
Package doctor judges how a server's storage is doing: what is slow, full or damaged,
why, and what to do about it.

It knows two sources: the metrics of a running server, of which two samples some
seconds apart show what happens now ([Judge]), and a data directory ([Look]), also of
a server that does not run. Nothing is changed, but that a directory is locked while
its journal is read.

# Files

	finding.go    what is found, and its order
	sample.go     metrics in Prometheus's text format, and quantiles of histograms
	judge.go      findings of two samples
	directory.go  findings of a directory

# Errors

What cannot be looked at is a finding too; functions return no errors, except Parse.
*/
package doctor
