package cmd

import (
	"github.com/spf13/cobra"
)

func newSegmentCommand(p *Process) *cobra.Command {
	return newGroupCommand("segment", "Look at segment files, and repair them",
		`Look at the files of partitions, and repair them.

dump and verify only read: they take no lock, and work on the data directory of a
running server, on a copy, and on a directory of Apache Kafka's. repair and reindex
want a data directory that no server holds.`,
		newSegmentDumpCommand(p), newSegmentVerifyCommand(p), newSegmentRepairCommand(p), newSegmentReindexCommand(p))
}
