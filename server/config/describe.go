package config

import "slices"

// Entry is one setting in an answer to DescribeConfigs.
type Entry struct {
	Name          string
	Value         *string // nil for null and for secrets
	ReadOnly      bool
	Source        Source
	Sensitive     bool
	Synonyms      []SynonymValue
	Kind          Kind
	Documentation string
}

// SynonymValue is one place where the value of a setting may come from.
type SynonymValue struct {
	Name   string
	Value  *string // nil for secrets
	Source Source
}

// Describe returns the settings of a topic, group or subscription with these own settings, or of this broker
// (for which overrides does not count), sorted by name. Only the settings named are returned, all if names is
// empty; unknown names are passed over.
//
// The synonyms are in the order in which they win, the first one being the value in force. There is one
// deviation from Kafka: where retention.ms comes from log.retention.hours, Kafka (which stops at the first name)
// shows no synonyms and the source DEFAULT; here the source is the true one.
func (v Values) Describe(scope Scope, overrides map[string]string, names []string) []Entry {
	var entries []Entry
	for i := range table[scope] {
		s := &table[scope][i]
		if len(names) == 0 || slices.Contains(names, s.Name) {
			entries = append(entries, v.describe(s, overrides))
		}
	}
	return entries
}

func (v Values) describe(s *Setting, overrides map[string]string) Entry {
	e := Entry{
		Name:          s.Name,
		ReadOnly:      s.Scope == BrokerScope && s.Dynamic == ReadOnly,
		Source:        SourceDefault,
		Sensitive:     s.Secret(),
		Kind:          s.Kind,
		Documentation: s.Documentation(),
	}
	var inForce resolved
	names := s.names()
	if s.Scope == BrokerScope {
		// log.retention.ms stays null where log.retention.hours stands in for it; two names of one setting
		// show one value.
		inForce = v.resolved[s.Name]
		if inForce.via != s.Name && inForce.via != s.Alias {
			inForce = resolved{value: value{null: true}, source: SourceDefault}
			names = names[:0]
		}
	} else {
		inForce = v.scoped(s.Scope, s.Name, overrides)
		if inForce.source == s.Scope.ownSource() {
			e.Synonyms = append(e.Synonyms, SynonymValue{s.Name, hide(s, inForce.value), inForce.source})
		}
	}
	e.Value, e.Source = hide(s, inForce.value), inForce.source
	e.Synonyms = append(e.Synonyms, v.synonyms(names)...)
	if len(e.Synonyms) == 0 && s.Scope == GroupScope {
		e.Synonyms = []SynonymValue{{s.Name, hide(s, inForce.value), inForce.source}}
	}
	return e
}

// synonyms lists what was set under these broker names, layer by layer, and their defaults.
func (v Values) synonyms(names []Synonym) []SynonymValue {
	var list []SynonymValue
	for _, layers := range [][]layer{{perBrokerLayer}, {clusterLayer}, {flagLayer, environmentLayer, fileLayer, profileLayer}} {
		list = append(list, v.inOrder(names, layers)...)
	}
	for _, name := range names {
		if row := table.find(BrokerScope, name.Name); row != nil && !row.Null {
			list = append(list, SynonymValue{row.Name, hide(row, row.defaultValue()), SourceDefault})
		}
	}
	return list
}

// inOrder lists what was set in layers that clients see as one: each name once, the one that wins first.
func (v Values) inOrder(names []Synonym, layers []layer) []SynonymValue {
	var list []SynonymValue
	for _, l := range layers {
		for _, name := range names {
			a, ok := v.layers[l][name.Name]
			if !ok || slices.ContainsFunc(list, func(s SynonymValue) bool { return s.Name == name.Name }) {
				continue
			}
			list = append(list, SynonymValue{name.Name, hide(table.find(BrokerScope, name.Name), a.value), l.source()})
		}
	}
	return list
}

// hide is the value as clients may see it.
func hide(s *Setting, v value) *string {
	if s.Secret() {
		return nil
	}
	return v.textPointer()
}

// DescribeDefaults returns the settings that are set dynamically for all brokers, which is what DescribeConfigs
// shows for the broker without a name. Only the settings named are returned, all if names is empty.
func (v Values) DescribeDefaults(names []string) []Entry {
	var entries []Entry
	for i := range table[BrokerScope] {
		s := &table[BrokerScope][i]
		a, ok := v.layers[clusterLayer][s.Name]
		if !ok || len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		e := v.describe(s, nil)
		e.Value, e.Source = hide(s, a.value), SourceDynamicDefaultBroker
		e.Synonyms = []SynonymValue{{s.Name, e.Value, e.Source}}
		entries = append(entries, e)
	}
	return entries
}
