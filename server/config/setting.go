package config

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is the kind of resource that a setting belongs to. Its numbers are the resource types of
// DescribeConfigs.
type Scope int8

// The scopes, with Kafka's wire codes.
const (
	TopicScope         Scope = 2
	BrokerScope        Scope = 4
	ClientMetricsScope Scope = 16 // KIP-714
	GroupScope         Scope = 32 // KIP-848
)

// String returns the word that Kafka's messages use for the scope.
func (s Scope) String() string {
	switch s {
	case TopicScope:
		return "topic"
	case BrokerScope:
		return "broker"
	case ClientMetricsScope:
		return "client metrics"
	case GroupScope:
		return "group"
	default:
		return "unknown scope"
	}
}

// Dynamic says how a broker setting may be changed while the server runs (KIP-226).
type Dynamic int8

// The ways to change a broker setting. Settings of other scopes can always be changed.
const (
	ReadOnly    Dynamic = iota // by a restart
	ClusterWide                // for all brokers or for one
	PerBroker                  // for one broker only
)

// String returns Kafka's word for d.
func (d Dynamic) String() string {
	return [...]string{"read-only", "cluster-wide", "per-broker"}[d]
}

// Effect says whether the server does what a setting says.
type Effect int8

// The effects.
const (
	AcceptedOnly Effect = iota // known and checked, so that existing configurations load; does nothing
	Honoured
)

// Synonym is a setting of the broker that stands in for one that is not set.
type Synonym struct {
	Name  string
	Scale int64 // how many units of the setting are one unit of the synonym; 1 for equal units
}

// Setting is one row of the table.
type Setting struct {
	Name    string
	Scope   Scope
	Kind    Kind
	Default string // canonical; empty where Null
	Null    bool   // the default is null: nothing
	// Alias is another name of the same broker setting, "" for none. In one layer the setting goes first.
	Alias string
	// Synonyms stand in where the setting is not set, the first one first. They are broker settings.
	Synonyms []Synonym
	Dynamic  Dynamic
	Effect   Effect
	// Doc says in one or two sentences what the setting does; Documentation adds what can be derived.
	Doc string

	check check
}

// Secret tells whether the value is never shown.
func (s Setting) Secret() bool { return s.Kind == Password }

// Secret says whether the values of a setting must not be shown. Of names that do not
// exist nothing is known, so it does.
func Secret(scope Scope, name string) bool {
	s := table.find(scope, name)
	return s == nil || s.Secret()
}

// Rule describes in words which values are valid beside the kind, "" for all.
func (s Setting) Rule() string { return s.check.rule }

// Validate checks one value. The error is ErrInvalidConfig and has Kafka's text.
func (s Setting) Validate(raw string) error {
	_, err := s.parse(raw)
	return err
}

// parse reads and checks raw. The text of a secret never gets into the error.
func (s Setting) parse(raw string) (value, error) {
	v, reason := s.Kind.parse(raw)
	if reason != "" {
		return value{}, s.invalid(raw, reason)
	}
	if s.check.test != nil {
		if bad := s.check.test(v); bad != nil {
			return value{}, s.invalid(bad.value, bad.reason)
		}
	}
	return v, nil
}

func (s Setting) invalid(raw, reason string) error {
	if s.Secret() {
		raw = "[hidden]"
	}
	return invalidConfig("Invalid value %s for configuration %s: %s", raw, s.Name, reason)
}

// Documentation is the text for DescribeConfigs and the reference page: Doc, the unit, the range, and whether
// the setting has an effect.
func (s Setting) Documentation() string {
	text := s.Doc
	if unit := s.unit(); unit != "" {
		text += " Unit: " + unit + "."
	}
	if s.check.rule != "" {
		text += " Valid: " + s.check.rule + "."
	}
	if s.Effect == AcceptedOnly {
		text += " Accepted so that existing configurations load; it has no effect here."
	}
	return text
}

// unit is told by the last word of the name, as everywhere in Kafka.
func (s Setting) unit() string {
	switch s.Name[strings.LastIndexByte(s.Name, '.')+1:] {
	case "ms":
		return "milliseconds"
	case "secs", "seconds":
		return "seconds"
	case "minutes":
		return "minutes"
	case "hours":
		return "hours"
	case "bytes":
		return "bytes"
	default:
		return ""
	}
}

// defaultValue is the default, parsed. A test holds that every default of the table is valid.
func (s Setting) defaultValue() value {
	if s.Null {
		return value{null: true}
	}
	v, _ := s.Kind.parse(s.Default)
	return v
}

// names lists under which broker settings a value of s is looked for in one layer, in order.
func (s Setting) names() []Synonym {
	var names []Synonym
	if s.Scope == BrokerScope {
		names = append(names, Synonym{s.Name, 1})
		if s.Alias != "" {
			names = append(names, Synonym{s.Alias, 1})
		}
	}
	return append(names, s.Synonyms...)
}

// tables holds the settings of a scope, sorted by name.
type tables map[Scope][]Setting

// table is the one table; nothing changes it.
var table = buildTable()

// buildTable joins the parts and fills in what is said only once: a topic or group setting takes its kind,
// default and check from the broker setting that stands in for it, which takes text and effect from there.
func buildTable() tables {
	t := tables{
		BrokerScope:        slices.Concat(brokerSettings, logSettings, groupSettings, clusterSettings, securitySettings),
		TopicScope:         slices.Clone(topicSettings),
		GroupScope:         slices.Clone(groupResourceSettings),
		ClientMetricsScope: slices.Clone(clientMetricsSettings),
	}
	for scope, rows := range t {
		for i := range rows {
			rows[i].Scope = scope
		}
		slices.SortFunc(rows, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, scope := range []Scope{TopicScope, GroupScope} {
		for i := range t[scope] {
			t.inherit(&t[scope][i])
		}
	}
	return t
}

// inherit completes the row s and the broker row behind it.
func (t tables) inherit(s *Setting) {
	if len(s.Synonyms) == 0 {
		return
	}
	behind := t.find(BrokerScope, s.Synonyms[0].Name)
	if behind == nil {
		return // a test names the missing row
	}
	s.Kind = behind.Kind
	if s.check.test == nil {
		s.check = behind.check
	}
	s.Synonyms = append([]Synonym{{behind.Name, 1}}, behind.Synonyms...)
	s.Null, s.Default = true, ""
	for _, synonym := range s.Synonyms {
		if row := t.find(BrokerScope, synonym.Name); row != nil && !row.Null {
			s.Null, s.Default = false, row.defaultValue().scaled(synonym.Scale).text
			break
		}
	}
	if behind.Doc == "" {
		behind.Doc = fmt.Sprintf("For topics that do not set %s. %s", s.Name, s.Doc)
		behind.Effect = s.Effect
	}
}

func (t tables) find(scope Scope, name string) *Setting {
	rows := t[scope]
	i, found := slices.BinarySearchFunc(rows, name, func(s Setting, name string) int {
		return strings.Compare(s.Name, name)
	})
	if !found {
		return nil
	}
	return &rows[i]
}

// Settings returns the settings of a scope, sorted by name.
func Settings(scope Scope) []Setting {
	return slices.Clone(table[scope])
}

// Lookup finds a setting by its name.
func Lookup(scope Scope, name string) (Setting, bool) {
	if s := table.find(scope, name); s != nil {
		return *s, true
	}
	return Setting{}, false
}
