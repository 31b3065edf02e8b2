package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sordini/server/config"
)

// bootstrapVariable names the server for commands that speak to one. It begins like a setting and is none.
const bootstrapVariable = "SORDINI_BOOTSTRAP"

// maxConfigFile bounds a configuration file, in bytes.
const maxConfigFile = 4 << 20

// settingsFlags are the flags of commands that need the server's settings.
type settingsFlags struct {
	dataDir     string
	listen      []string
	adminListen string
	config      string
	set         []string
	profile     string
}

func (f *settingsFlags) addTo(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.dataDir, "data-dir", "", "directories of the data, with commas between them; sets log.dirs (default ./data)")
	flags.StringArrayVar(&f.listen, "listen", nil, "address for clients, host:port or NAME://host:port, repeatable; sets listeners (default 127.0.0.1:9092)")
	flags.StringVar(&f.adminListen, "admin-listen", "", `address host:port of the HTTP server, "" for none; sets admin.listen (default 127.0.0.1:9644)`)
	flags.StringVar(&f.config, "config", "", "configuration file with Kafka's properties")
	flags.StringVar(&f.profile, "profile", "", "set of defaults beneath all that is set: reliable, balanced, fast or dev")
	flags.StringArrayVar(&f.set, "set", nil, "one setting as key=value, repeatable")
}

// namedFlags are the flags that set one setting each.
var namedFlags = []struct {
	flag, setting string
	value         func(*settingsFlags) string
}{
	{"data-dir", "log.dirs", func(f *settingsFlags) string { return f.dataDir }},
	{"listen", "listeners", func(f *settingsFlags) string { return listenersOf(f.listen) }},
	{"admin-listen", "admin.listen", func(f *settingsFlags) string { return f.adminListen }},
}

// listenersOf makes the setting listeners of the values of --listen.
func listenersOf(addresses []string) string {
	listeners := slices.Clone(addresses)
	for i, address := range listeners {
		if !strings.Contains(address, "://") {
			listeners[i] = "PLAINTEXT://" + address
		}
	}
	return strings.Join(listeners, ",")
}

// assignments are the flags as key=value. Setting the same thing by two flags is an error: neither may win
// silently. changed tells which flags were given.
func (f *settingsFlags) assignments(changed func(flag string) bool) ([]string, error) {
	var all []string
	byFlag := make(map[string]string)
	for _, named := range namedFlags {
		if changed(named.flag) {
			byFlag[named.setting] = named.flag
			all = append(all, named.setting+"="+named.value(f))
		}
	}
	for _, assignment := range f.set {
		key, _, _ := strings.Cut(assignment, "=")
		if flag, twice := byFlag[strings.TrimSpace(key)]; twice {
			return nil, usageErrorf("--%s and --set %s set the same; use one of them", flag, assignment)
		}
	}
	return append(all, f.set...), nil
}

// load reads the file and layers flags over environment over file over profile over defaults. The error lists all faults.
func (f *settingsFlags) load(c *cobra.Command, environ []string) (config.Values, error) {
	assignments, err := f.assignments(c.Flags().Changed)
	if err != nil {
		return config.Values{}, err
	}
	in := config.Input{File: f.config, Environ: withoutOwn(environ), Flags: assignments, Profile: f.profile}
	if f.config != "" {
		if in.Content, err = readConfigFile(f.config); err != nil {
			return config.Values{}, &exitError{exitUsage, err}
		}
	}
	values, err := config.Load(in)
	if err != nil {
		return config.Values{}, &exitError{exitUsage, describeFaults(err)}
	}
	return values, nil
}

// withoutOwn leaves out the variables that commands read themselves.
func withoutOwn(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return strings.HasPrefix(entry, bootstrapVariable+"=") || strings.HasPrefix(entry, adminVariable+"=")
	})
}

func readConfigFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxConfigFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(content) > maxConfigFile {
		return nil, fmt.Errorf("configuration file: %s has more than %d bytes", name, maxConfigFile)
	}
	return content, nil
}

// describeFaults gives each fault a line of its own.
func describeFaults(err error) error {
	var faults config.Faults
	if !errors.As(err, &faults) {
		return err
	}
	heading := "the configuration is wrong:"
	if len(faults) > 1 {
		heading = fmt.Sprintf("the configuration is wrong in %d places:", len(faults))
	}
	return fmt.Errorf("%s\n  %s", heading, strings.ReplaceAll(err.Error(), "\n", "\n  "))
}
