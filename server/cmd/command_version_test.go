package cmd

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
)

func TestReadBuild(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "1a2b3c4d5e6f7081"}, {Key: "vcs.modified", Value: "true"}}
	tests := []struct {
		name   string
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"linked in", "1.2.3", &debug.BuildInfo{Main: debug.Module{Version: "v9.9.9"}}, "sordini 1.2.3 (go"},
		{"installed as a module", "", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.4"}}, "sordini v1.2.4 (go"},
		{"built in a work tree", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: revision}, "sordini devel (rev 1a2b3c4+changes, go"},
		{"nothing known", "", nil, "sordini devel (go"},
	}
	for _, tt := range tests {
		if got := readBuild(tt.linked, tt.info).String(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q...", tt.name, got, tt.want)
		}
	}
}

func TestVersion_JSON(t *testing.T) {
	p := newTestProcess("version", "-o", "json")
	if code := p.run(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(p.out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got["_version"] != float64(jsonVersion) || got["version"] == "" || got["go"] == "" {
		t.Errorf("%v", got)
	}
}
