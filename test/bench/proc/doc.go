//go:build linux

/*
Package proc runs the processes of a benchmark and reads what they and the
machine have used: processor time, memory, open files. It knows Linux, and
nothing of what the processes do.

CPU time is that of all threads, ended ones too, user and system, to the
nanosecond as the scheduler counts it.

Functions may be called concurrently; a [Process] is stopped by one goroutine.
*/
package proc
