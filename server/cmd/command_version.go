package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by builds of releases: -ldflags "-X sordini/server/cmd.version=1.2.3".
var version string

// buildInfo is what is known of the program.
type buildInfo struct {
	JSONVersion int    `json:"_version"`
	Version     string `json:"version"`            // "devel" if unknown
	Revision    string `json:"revision,omitempty"` // of the source
	Modified    bool   `json:"modified"`           // the source had changes beside the revision
	Go          string `json:"go"`
	OS          string `json:"os"`
	Arch        string `json:"arch"`
}

// readBuild returns the version that was linked in, or else the module's, and the revision that the Go command
// has noted.
func readBuild(linked string, info *debug.BuildInfo) buildInfo {
	b := buildInfo{
		JSONVersion: jsonVersion,
		Version:     linked,
		Go:          runtime.Version(),
		OS:          runtime.GOOS,
		Arch:        runtime.GOARCH,
	}
	if info != nil {
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

func thisBuild() buildInfo {
	info, _ := debug.ReadBuildInfo() // nil if there is none
	return readBuild(version, info)
}

// shortRevision is as long as git shows it.
const shortRevision = 7

// String is the line that "sordini version" prints.
func (b buildInfo) String() string {
	revision := ""
	if b.Revision != "" {
		revision = fmt.Sprintf("rev %.*s", shortRevision, b.Revision)
		if b.Modified {
			revision += "+changes"
		}
		revision += ", "
	}
	return fmt.Sprintf("sordini %s (%s%s, %s/%s)", b.Version, revision, b.Go, b.OS, b.Arch)
}

func newVersionCommand(p *Process) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version, the revision of the source, and what built it.

  $ sordini version
  sordini 0.1.0 (rev 1a2b3c4, go1.26.8, linux/amd64)`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if output == formatJSON {
				return printJSON(p.Stdout, thisBuild())
			}
			_, err := fmt.Fprintln(p.Stdout, thisBuild())
			return err
		},
	}
	output.addTo(c)
	return c
}
