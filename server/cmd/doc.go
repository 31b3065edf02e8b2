// Package cmd is the command line: one file for each command, command_<name>.go.
//
// Commands turn flags, environment and files into plain values, call the packages below, and print. They hold no
// logic of the server. Package inspect, below this one, does the reading for the segment commands.
//
// # Output
//
// Standard output is for results, standard error for logs and errors. With -o json results are JSON: objects with
// a field _version, which changes when a field changes its meaning or goes, or for "segment dump" one such object
// a line.
//
// # Exit codes
//
//	0    done
//	1    the command failed
//	2    the command line or the configuration is wrong, or "segment verify" or "import" found damage
//	130  a second signal ended the process before an orderly stop
//
// # Concurrency
//
// Run may be called concurrently with different processes.
package cmd
