package cmd

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestRun_UsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"bogus"}, `unknown command "bogus"`},
		{[]string{"topic", "bogus"}, `unknown command "bogus"`},
		{[]string{"serve", "--bogus"}, "unknown flag: --bogus"},
		{[]string{"serve", "extra"}, "extra"},
		{[]string{"serve", "--log-format", "xml"}, "must be text or json"},
		{[]string{"serve", "--log-level", "loud"}, "must be debug"},
		{[]string{"version", "-o", "yaml"}, "must be table or json"},
		{[]string{"topic", "create"}, "accepts 1 arg"},
		{[]string{"topic", "create", "a", "--config", "retention.ms"}, "key=value"},
		{[]string{"topic", "create", "a", "--partitions", "0"}, "at least 1"},
		{[]string{"topic", "alter", "a"}, "nothing to change"},
		{[]string{"topic", "alter", "a", "--config", "b=c", "--delete-config", "b"}, "both name b"},
		{[]string{"topic", "delete"}, "at least 1 arg"},
		{[]string{"segment", "verify"}, "at least 1 arg"},
		{[]string{"segment", "dump", "--cut", "-1", "x"}, "must not be negative"},
	}
	for _, tt := range tests {
		p := newTestProcess(tt.args...)
		if code := p.run(); code != exitUsage {
			t.Errorf("%q: exit code %d, want %d", tt.args, code, exitUsage)
		}
		if !strings.Contains(p.err.String(), tt.want) {
			t.Errorf("%q: %q does not say %q", tt.args, p.err.String(), tt.want)
		}
		if p.out.String() != "" {
			t.Errorf("%q: standard output has %q", tt.args, p.out.String())
		}
	}
}

// TestHelp_HasExamples holds that every command that does something shows how.
func TestHelp_HasExamples(t *testing.T) {
	p := newTestProcess()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if len(c.Commands()) == 0 && !strings.Contains(c.Long, "$ ") {
			t.Errorf("%s: the help has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long) {
			if !strings.HasPrefix(line, "  ") && len(line) > 90 {
				t.Errorf("%s: a line of the help has %d characters", c.CommandPath(), len(line))
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&p.Process))
}

func TestTopic_NoServer(t *testing.T) {
	p := newTestProcess("topic", "list")
	p.Environ = []string{"SORDINI_BOOTSTRAP=127.0.0.1:1"}
	if code := p.run(); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	if got := p.err.String(); !strings.Contains(got, "no server at 127.0.0.1:1: ") {
		t.Errorf("%q", got)
	}
}
