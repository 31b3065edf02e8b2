package answer

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Write writes answers, which stand in the order of their cases. Answers of
// neighbouring versions that say the same are written once:
//
//	== case
//	-- Produce 3..8 note
//	Topics[0] Topic="a"
//	Topics[0].Partitions[0] BaseOffset=3
//
// A line holds the fields of one element; those of the response itself stand
// behind a dot.
func Write(w io.Writer, all []Answer) error {
	out := bufio.NewWriter(w)
	name := ""
	for i := 0; i < len(all); {
		a, body := all[i], body(all[i].Fields)
		last := i
		for last+1 < len(all) && follows(all[last], all[last+1]) && bodyIs(all[last+1], body) {
			last++
		}
		if a.Case != name {
			name = a.Case
			fmt.Fprintf(out, "== %s\n", name)
		}
		versions := strconv.Itoa(int(a.Version))
		if last > i {
			versions += ".." + strconv.Itoa(int(all[last].Version))
		}
		fmt.Fprintf(out, "-- %s\n%s", strings.TrimRight(a.API+" "+versions+" "+a.Note, " "), body)
		i = last + 1
	}
	return out.Flush()
}

func follows(a, b Answer) bool {
	return b.Case == a.Case && b.API == a.API && b.Note == a.Note && b.Version == a.Version+1
}

func bodyIs(a Answer, text string) bool { return body(a.Fields) == text }

// body is the text of the fields, a line for each element.
func body(fields []Field) string {
	var b strings.Builder
	at := ""
	for _, f := range fields {
		parent, name := split(f.Path)
		if f.Value == "" {
			parent, name = f.Path, ""
		}
		if parent != at {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(parent)
			at = parent
		}
		if name != "" {
			b.WriteString(" " + name + "=" + f.Value)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// split cuts the last name off a path; the response itself is a dot.
func split(path string) (parent, name string) {
	depth := 0
	for i := len(path) - 1; i >= 0; i-- {
		switch path[i] {
		case ']':
			depth++
		case '[':
			depth--
		case '.':
			if depth == 0 {
				return path[:i], path[i+1:]
			}
		}
	}
	return ".", path
}

// Read reads what Write has written.
func Read(r io.Reader) ([]Answer, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	var all []Answer
	var name string
	var group int // answers that share the text being read
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		switch {
		case strings.HasPrefix(line, "#") || line == "":
		case strings.HasPrefix(line, "== "):
			name, group = line[3:], 0
		case strings.HasPrefix(line, "-- "):
			more, err := heading(name, line[3:])
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			all, group = append(all, more...), len(more)
		default:
			fields, err := lineFields(line)
			if err != nil || group == 0 {
				return nil, fmt.Errorf("line %d: %q: %v", n, line, err)
			}
			for i := len(all) - group; i < len(all); i++ {
				all[i].Fields = append(all[i].Fields, fields...)
			}
		}
	}
	return all, in.Err()
}

// heading returns the answers that a heading announces.
func heading(name, text string) ([]Answer, error) {
	api, rest, _ := strings.Cut(text, " ")
	versions, note, _ := strings.Cut(rest, " ")
	first, last, several := strings.Cut(versions, "..")
	if !several {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return nil, err
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		return nil, err
	}
	var all []Answer
	for v := from; v <= to; v++ {
		all = append(all, Answer{Case: name, API: api, Version: int16(v), Note: note})
	}
	return all, nil
}

// lineFields reads a line of an answer's body.
func lineFields(line string) ([]Field, error) {
	words := words(line)
	prefix := words[0] + "."
	var fields []Field
	if words[0] == "." {
		prefix = ""
	} else {
		fields = append(fields, Field{Path: words[0]})
	}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no field", w)
		}
		fields = append(fields, Field{Path: prefix + name, Value: value})
	}
	return fields, nil
}

// words splits a line at spaces outside quotes.
func words(line string) []string {
	var all []string
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			all = append(all, line[start:i])
			start = i + 1
		}
	}
	return append(all, line[start:])
}
