/*
Package report collects what a benchmark measures and prints it: for each name
and side the median with the least and the greatest value, and how it compares
with the floor and with Kafka. It knows nothing of how anything is measured.

A [Table] is used by one goroutine.
*/
package report
