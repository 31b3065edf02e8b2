package cmd

import (
	"github.com/spf13/cobra"
)

func newSegmentCommand(p *Process) *cobra.Command {
	return newGroupCommand("segment", "Look at segment files, beside a running server too",
		`Look at the files of partitions. These commands only read: they repair nothing,
take no lock, and work on the data directory of a running server, on a copy, and
on a directory of Apache Kafka's.`,
		newSegmentDumpCommand(p), newSegmentVerifyCommand(p))
}
