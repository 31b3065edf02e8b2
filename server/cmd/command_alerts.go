package cmd

import (
	"io"

	"github.com/spf13/cobra"

	"sordini/server/metrics"
)

func newAlertsCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use:   "alerts",
		Short: "Print alerting rules for Prometheus",
		Long: `Print alerting rules for Prometheus, in its YAML: slow flushes, a disk that fills
up, partitions that are offline, damaged records, old checkpoints.

  $ sordini alerts > /etc/prometheus/sordini.yml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.Stdout, metrics.Alerts)
			return err
		},
	}
}
