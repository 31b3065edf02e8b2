package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sordini/server/config"
)

// loadSettings loads the settings as a command with these arguments does.
func loadSettings(t *testing.T, environ []string, args ...string) (config.Values, error) {
	t.Helper()
	var flags settingsFlags
	c := &cobra.Command{}
	flags.addTo(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return flags.load(c, environ)
}

func TestAssignments(t *testing.T) {
	tests := []struct {
		args []string
		want []string
	}{
		{nil, nil},
		{[]string{"--data-dir", "/var/lib/sordini"}, []string{"log.dirs=/var/lib/sordini"}},
		{[]string{"--listen", "127.0.0.1:0"}, []string{"listeners=PLAINTEXT://127.0.0.1:0"}},
		{[]string{"--listen", ":9092", "--listen", "DOCKER://:29092"}, []string{"listeners=PLAINTEXT://:9092,DOCKER://:29092"}},
		{[]string{"--listen", "[::1]:9092"}, []string{"listeners=PLAINTEXT://[::1]:9092"}},
		{[]string{"--admin-listen", ""}, []string{"admin.listen="}},
		{[]string{"--set", "num.partitions=3", "--data-dir", "d", "--set", "a=b=c"}, []string{"log.dirs=d", "num.partitions=3", "a=b=c"}},
	}
	for _, tt := range tests {
		var flags settingsFlags
		c := &cobra.Command{}
		flags.addTo(c)
		if err := c.ParseFlags(tt.args); err != nil {
			t.Fatal(err)
		}
		got, err := flags.assignments(c.Flags().Changed)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v; want %q", tt.args, got, err, tt.want)
		}
	}
}

func TestLoad_FlagsOverEnvironmentOverFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	content := "num.partitions=2\nlog.retention.hours=1\nmessage.max.bytes=1000\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"KAFKA_NUM_PARTITIONS=3", "SORDINI_LOG_RETENTION_HOURS=2", bootstrapVariable + "=x:1", "HOME=/root"}
	v, err := loadSettings(t, environ, "--config", file, "--set", "num.partitions=4")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"num.partitions": 4, "log.retention.hours": 2, "message.max.bytes": 1000} {
		if got := v.Int64(name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
	if got := v.Origin("message.max.bytes"); got != file+":3" {
		t.Errorf("origin %q", got)
	}
}

func TestLoad_ReportsAllFaults(t *testing.T) {
	p := newTestProcess("serve", "--set", "num.partition=3", "--set", "log.retention.hours=x")
	p.Environ = []string{"SORDINI_LOG_DIR_=x"}
	if code := p.run(); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, want := range []string{"wrong in 3 places", "did you mean num.partitions?", "log.retention.hours", "SORDINI_LOG_DIR_"} {
		if !strings.Contains(p.err.String(), want) {
			t.Errorf("%q does not say %q", p.err.String(), want)
		}
	}
}

func TestLoad_Refusals(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--data-dir", "a", "--set", "log.dirs=b"}, "use one of them"},
		{[]string{"--listen", ":1", "--set", " listeners =PLAINTEXT://:2"}, "use one of them"},
		{[]string{"--config", filepath.Join(t.TempDir(), "missing")}, "no such file"},
		{[]string{"--listen", "nowhere"}, "NAME://host:port"},
	}
	for _, tt := range tests {
		if _, err := loadSettings(t, nil, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want an error that says %q", tt.args, err, tt.want)
		}
	}
}

func TestConfigShow(t *testing.T) {
	p := newTestProcess("config", "show", "--changed", "--origin", "--set", "num.partitions=3", "--set", "ssl.key.password=secret")
	p.Environ = []string{"SORDINI_LOG_RETENTION_HOURS=24"}
	if code := p.run(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	golden(t, "config_show.txt", p.out.String())

	p = newTestProcess("config", "show", "-o", "json", "--changed", "--set", "num.partitions=3")
	if code := p.run(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	golden(t, "config_show.json", p.out.String())
}

func TestConfigShow_ShowsEverySetting(t *testing.T) {
	list := settingsInForce(config.Defaults(), false)
	if want := len(config.Settings(config.BrokerScope)); len(list) != want {
		t.Errorf("%d settings, want %d", len(list), want)
	}
	if changed := settingsInForce(config.Defaults(), true); len(changed) != 0 {
		t.Errorf("defaults count as changed: %+v", changed)
	}
}

func TestConfigDocs(t *testing.T) {
	p := newTestProcess("config", "docs")
	if code := p.run(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	for _, part := range documented {
		if !strings.Contains(p.out.String(), "\n## "+part.title+"\n") {
			t.Errorf("no part %q", part.title)
		}
	}
	if !strings.Contains(p.out.String(), "| `log.dirs` |") {
		t.Error("log.dirs is missing")
	}
}
