package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRootCommand(p *Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "sordini",
		Short: "A log server that speaks the Kafka protocol",
		Long: `sordini is a log server that speaks the Kafka protocol: one program, segment
files in Kafka's format, and an fsync before a write is acknowledged.

Start it and use any Kafka client:

  $ sordini serve
  $ echo hello | kcat -b 127.0.0.1:9092 -P -t greetings
  $ kcat -b 127.0.0.1:9092 -C -t greetings -o beginning -e
  hello

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration or damage
found, 130 ended by a second signal.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServeCommand(p),
		newTopicCommand(p),
		newConsumerGroupCommand(p),
		newQueryCommand(p),
		newTraceCommand(p),
		newSegmentCommand(p),
		newRecoverCommand(p),
		newImportCommand(p),
		newConfigCommand(p),
		newDoctorCommand(p),
		newAlertsCommand(p),
		newVersionCommand(p),
	)
	return root
}

// newGroupCommand returns a command that only holds others.
func newGroupCommand(use, short, long string, subcommands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	group.AddCommand(subcommands...)
	return group
}
