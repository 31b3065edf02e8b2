package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sordini/server/config"
)

func newConfigCommand(p *Process) *cobra.Command {
	return newGroupCommand("config", "Show and document the settings",
		`Show the settings that a server would run with, and the reference of all of them.`,
		newConfigShowCommand(p), newConfigDocsCommand(p))
}

// setting is one setting in force, as printed.
type setting struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null where unset; "[hidden]" for a secret
	Origin string  `json:"origin,omitempty"`
}

const hidden = "[hidden]"

type configShowOptions struct {
	settingsFlags
	output  format
	origin  bool
	changed bool
}

func newConfigShowCommand(p *Process) *cobra.Command {
	var opt configShowOptions
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force",
		Long: `Print the settings that "serve" with the same flags would run with. Secrets are
hidden. The exit code is 2 if the configuration is wrong, and all faults are
printed.

  $ SORDINI_LOG_RETENTION_HOURS=24 sordini config show --origin --changed --set num.partitions=3
  SETTING              VALUE     ORIGIN
  log.retention.hours  24        environment SORDINI_LOG_RETENTION_HOURS
  log.retention.ms     86400000  environment SORDINI_LOG_RETENTION_HOURS (log.retention.hours)
  num.partitions       3         --set`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			values, err := opt.load(c, p.Environ)
			if err != nil {
				return err
			}
			return opt.print(p, values)
		},
	}
	opt.settingsFlags.addTo(c)
	opt.output.addTo(c)
	c.Flags().BoolVar(&opt.origin, "origin", false, "also print where each value was set")
	c.Flags().BoolVar(&opt.changed, "changed", false, "leave out what has its default")
	return c
}

// settingsInForce lists the broker's settings by name.
func settingsInForce(values config.Values, changedOnly bool) []setting {
	var list []setting
	for _, s := range config.Settings(config.BrokerScope) {
		shown := setting{Name: s.Name, Origin: values.Origin(s.Name)}
		text, ok := values.Text(s.Name)
		if s.Secret() && ok {
			text = hidden
		}
		if ok {
			shown.Value = &text
		}
		if changedOnly && !changed(values, s.Name) {
			continue
		}
		list = append(list, shown)
	}
	return list
}

// changed tells whether a setting, or what stands in for it, was set.
func changed(values config.Values, name string) bool {
	origin := values.Origin(name)
	return origin != "default" && !strings.HasPrefix(origin, "default (")
}

func (o *configShowOptions) print(p *Process, values config.Values) error {
	list := settingsInForce(values, o.changed)
	if !o.origin {
		for i := range list {
			list[i].Origin = ""
		}
	}
	if o.output == formatJSON {
		return printJSON(p.Stdout, struct {
			JSONVersion int       `json:"_version"`
			Settings    []setting `json:"settings"`
		}{jsonVersion, list})
	}
	rows := [][]string{{"SETTING", "VALUE"}}
	if o.origin {
		rows[0] = append(rows[0], "ORIGIN")
	}
	for _, s := range list {
		row := []string{s.Name, "-"}
		if s.Value != nil {
			row[1] = *s.Value
		}
		if o.origin {
			row = append(row, s.Origin)
		}
		rows = append(rows, row)
	}
	return printTable(p.Stdout, rows)
}

// documented are the parts of the reference, in its order.
var documented = []struct {
	title, text string
	scope       config.Scope
}{
	{"Broker settings", "Set by flags (`--set key=value`), environment (`SORDINI_LOG_DIRS` for `log.dirs`), and file, the first of them winning.", config.BrokerScope},
	{"Topic settings", "Set for one topic when it is created or altered. Where unset, the broker's setting in parentheses applies.", config.TopicScope},
	{"Group settings", "Set for one group. Where unset, the broker's setting in parentheses applies.", config.GroupScope},
	{"Client metrics settings", "Set for one subscription of client metrics.", config.ClientMetricsScope},
}

func newConfigDocsCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use:   "docs",
		Short: "Print the reference of all settings, in Markdown",
		Long: `Print the reference of all settings of broker, topics, groups and client
metrics, in Markdown.

  $ sordini config docs
  # Settings

  ## Broker settings
  ...
  | Setting | Type | Default | Change | Meaning |
  |---|---|---|---|---|
  | ` + "`admin.listen` | string | `127.0.0.1:9644`" + ` | read-only | Address host:port of ...`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := fmt.Fprint(p.Stdout, "# Settings\n"); err != nil {
				return err
			}
			for _, part := range documented {
				if _, err := fmt.Fprintf(p.Stdout, "\n## %s\n\n%s\n\n", part.title, part.text); err != nil {
					return err
				}
				if err := config.WriteMarkdown(p.Stdout, part.scope); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
