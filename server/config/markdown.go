package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the reference table of a scope. The error is the writer's.
func WriteMarkdown(w io.Writer, scope Scope) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "| Setting | Type | Default | Change | Meaning |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`)
	for i := range table[scope] {
		s := &table[scope][i]
		change := "live"
		if scope == BrokerScope {
			change = s.Dynamic.String()
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", s.Name, strings.ToLower(s.Kind.String()), defaultCell(s),
			change, cell.Replace(s.Documentation()))
	}
	return out.Flush()
}

// defaultCell shows a default, and for a topic or group setting where it comes from.
func defaultCell(s *Setting) string {
	shown := "unset"
	switch {
	case s.Null:
	case s.Default == "":
		shown = "empty"
	default:
		shown = "`" + s.Default + "`"
	}
	if len(s.Synonyms) == 0 {
		return shown
	}
	names := make([]string, len(s.Synonyms))
	for i, synonym := range s.Synonyms {
		names[i] = "`" + synonym.Name + "`"
	}
	return shown + " (from " + strings.Join(names, ", ") + ")"
}
