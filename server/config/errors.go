package config

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrInvalidConfig marks a name or value that is not valid: INVALID_CONFIG (40).
	ErrInvalidConfig = errors.New("invalid configuration")
	// ErrInvalidRequest marks a change that may not be asked for: INVALID_REQUEST (42).
	ErrInvalidRequest = errors.New("invalid request")
)

// textError is an error whose text is exactly what a client is told and whose class is one of the two above.
type textError struct {
	text  string
	class error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.class }

func invalidConfig(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), ErrInvalidConfig}
}

func invalidRequest(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), ErrInvalidRequest}
}

// Fault is one thing that is wrong with the configuration the server was started with.
type Fault struct {
	Origin string // file:line, "environment NAME" or "--set"; "" for settings that do not go together
	Err    error
}

// Error returns the origin and what is wrong.
func (f Fault) Error() string {
	if f.Origin == "" {
		return f.Err.Error()
	}
	return f.Origin + ": " + f.Err.Error()
}

// Unwrap returns what is wrong.
func (f Fault) Unwrap() error { return f.Err }

// Faults are all things that are wrong, in the order file, environment, flags, combinations.
type Faults []Fault

// Error returns one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single faults.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errs
}

// unknownSetting says that the broker has no setting of this name, and which one may be meant.
func unknownSetting(name string) error {
	if s, ok := Lookup(TopicScope, name); ok && len(s.Synonyms) > 0 {
		return invalidConfig("%s is a setting of topics; the broker's setting for topics that lack it is %s",
			name, s.Synonyms[0].Name)
	}
	if strings.HasPrefix(name, "listener.name.") {
		return invalidConfig("unknown setting %s; settings of single listeners are not supported", name)
	}
	if near := suggest(name); near != "" {
		return invalidConfig("unknown setting %s; did you mean %s?", name, near)
	}
	return invalidConfig("unknown setting %s", name)
}

// longestName bounds what is compared with the table: no setting's name comes near it.
const longestName = 128

// suggest returns the name of the broker setting nearest to name, "" if none is near: at most one letter in
// four, and one more, may differ.
func suggest(name string) string {
	if len(name) > longestName {
		return ""
	}
	nearest, least := "", 2+len(name)/4
	for _, s := range table[BrokerScope] {
		if d := editDistance(name, s.Name); d < least {
			nearest, least = s.Name, d
		}
	}
	return nearest
}

// editDistance counts the bytes to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
