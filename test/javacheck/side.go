package main

import (
	"path/filepath"
	"strings"

	"sordini/test/javacheck/output"
)

// side is one of the two servers with what belongs to it.
type side struct {
	broker  *broker
	tmp     string              // directory for files of the tools
	acls    string              // "True" if the server is to be taken for one with ACLs, else "False"
	stopped bool                // the server
	started map[string]*process // that checks have started, by the names they gave them
}

// newSide is that of a server whose directory holds one for tools.
func newSide(b *broker, dir string) *side {
	return &side{broker: b, tmp: filepath.Join(dir, toolsDir), acls: "True", started: make(map[string]*process)}
}

const toolsDir = "tmp"

// fill puts the side's values in the place of the names in braces. A pattern of files
// below the log directory becomes a list of them.
func (s *side) fill(text string) string {
	text = strings.NewReplacer("{broker}", s.broker.address, "{data}", s.broker.data, "{tmp}", s.tmp, "{acls}", s.acls).Replace(text)
	if strings.HasPrefix(text, s.broker.data) && strings.Contains(text, "*") {
		if found, err := filepath.Glob(text); err == nil && len(found) > 0 {
			return strings.Join(found, ",")
		}
	}
	return text
}

// names are what the side's output holds of its place.
func (s *side) names() []output.Name {
	host, port, _ := strings.Cut(s.broker.address, ":") // as both were started
	return []output.Name{
		{Text: s.broker.data, For: "{data}"}, {Text: s.tmp, For: "{tmp}"}, {Text: s.broker.address, For: "{broker}"},
		{Text: host + " " + port + " ", For: "{broker} "},
	}
}

// kill ends the processes that checks have left.
func (s *side) kill() {
	for _, p := range s.started {
		p.kill()
	}
}
