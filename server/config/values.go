package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Source says where a value comes from. Its numbers are those of DescribeConfigs (KIP-226).
type Source int8

// The sources, with Kafka's wire codes.
const (
	SourceDynamicTopic         Source = 1
	SourceDynamicBroker        Source = 2 // set for this broker while it ran
	SourceDynamicDefaultBroker Source = 3 // set for all brokers while they ran
	SourceStaticBroker         Source = 4 // flags, environment, file, profile
	SourceDefault              Source = 5
	SourceDynamicClientMetrics Source = 7
	SourceDynamicGroup         Source = 8
)

// layer is a place where broker settings are set; a lower number wins.
type layer int

const (
	perBrokerLayer layer = iota
	clusterLayer
	flagLayer
	environmentLayer
	fileLayer
	profileLayer
	layerCount
)

func (l layer) source() Source {
	switch l {
	case perBrokerLayer:
		return SourceDynamicBroker
	case clusterLayer:
		return SourceDynamicDefaultBroker
	default:
		return SourceStaticBroker
	}
}

// assigned is a value that was set, and where.
type assigned struct {
	value
	origin string
}

// resolved is the value in force.
type resolved struct {
	value
	source Source
	origin string
	via    string // the setting's name or the synonym whose value it is
}

// Values is an immutable snapshot of all broker settings. Use Load or Defaults to get one.
type Values struct {
	layers   [layerCount]map[string]assigned
	resolved map[string]resolved
	profile  string // that was chosen, "" for none

	listeners  []Listener
	advertised []Listener
}

// Defaults returns the values of a server that nothing was told.
func Defaults() Values {
	v := Values{}
	v.resolveAll()
	// A test holds that the defaults fit together.
	_ = v.resolveListeners()
	return v
}

// scaled converts a value of a synonym to the unit of the setting it stands in for. Negative values mean no
// limit in any unit.
func (v value) scaled(scale int64) value {
	if scale == 1 || v.null {
		return v
	}
	n := v.integer * scale // hours and minutes are 32 bits, so this cannot overflow
	if v.integer < 0 {
		n = -1
	}
	return value{integer: n, text: strconv.FormatInt(n, 10)}
}

// resolveAll fills in the values in force from the layers.
func (v *Values) resolveAll() {
	rows := table[BrokerScope]
	v.resolved = make(map[string]resolved, len(rows))
	for i := range rows {
		v.resolved[rows[i].Name] = v.resolve(&rows[i])
	}
}

// resolve looks through the layers for the setting and, in each layer, for what stands in for it.
func (v *Values) resolve(s *Setting) resolved {
	names := s.names()
	for l := range layerCount {
		for _, name := range names {
			if a, ok := v.layers[l][name.Name]; ok {
				return resolved{a.scaled(name.Scale), l.source(), a.origin, name.Name}
			}
		}
	}
	for _, name := range names {
		if row := table.find(BrokerScope, name.Name); row != nil && !row.Null {
			return resolved{row.defaultValue().scaled(name.Scale), SourceDefault, "default", name.Name}
		}
	}
	return resolved{value{null: true}, SourceDefault, "default", s.Name}
}

// WithDynamic returns the snapshot with the dynamic broker configuration replaced: what is set for all brokers
// and what is set for this one. Entries that are unknown, not valid or may not be changed dynamically are left
// out, so that a server starts with what another version has stored; the error names them.
func (v Values) WithDynamic(cluster, perBroker map[string]string) (Values, error) {
	var faults Faults
	v.layers[clusterLayer] = dynamicLayer(cluster, clusterLayer, "dynamic default", &faults)
	v.layers[perBrokerLayer] = dynamicLayer(perBroker, perBrokerLayer, "dynamic broker", &faults)
	v.resolveAll()
	if len(faults) > 0 {
		return v, faults
	}
	return v, nil
}

func dynamicLayer(configs map[string]string, l layer, origin string, faults *Faults) map[string]assigned {
	set := make(map[string]assigned, len(configs))
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		s := table.find(BrokerScope, name)
		if s == nil {
			*faults = append(*faults, Fault{origin, unknownSetting(name)})
			continue
		}
		if s.Dynamic == ReadOnly || s.Dynamic == PerBroker && l == clusterLayer {
			*faults = append(*faults, Fault{origin, invalidRequest("%s is %s", name, s.Dynamic)})
			continue
		}
		parsed, err := s.parse(configs[name])
		if err != nil {
			*faults = append(*faults, Fault{origin, err})
			continue
		}
		set[name] = assigned{parsed, origin}
	}
	return set
}

// get returns the value in force. The table decides which names and kinds exist, so a miss is a fault of the
// program.
func (v Values) get(name string, kinds ...Kind) value {
	s := table.find(BrokerScope, name)
	if s == nil {
		panic(fmt.Sprintf("config: no broker setting %q", name))
	}
	if !slices.Contains(kinds, s.Kind) {
		panic(fmt.Sprintf("config: broker setting %s is of type %s", name, s.Kind))
	}
	return v.resolved[name].value
}

// Int64 returns a setting of a type SHORT, INT or LONG; 0 if it is null.
func (v Values) Int64(name string) int64 { return v.get(name, Short, Int, Long).integer }

// Float64 returns a setting of type DOUBLE; 0 if it is null.
func (v Values) Float64(name string) float64 { return v.get(name, Double).number }

// Bool returns a setting of type BOOLEAN; false if it is null.
func (v Values) Bool(name string) bool { return v.get(name, Boolean).yes }

// String returns a setting of type STRING, CLASS or PASSWORD; "" if it is null.
func (v Values) String(name string) string { return v.get(name, String, Class, Password).text }

// List returns a setting of type LIST; nil if it is null.
func (v Values) List(name string) []string { return slices.Clone(v.get(name, List).list) }

// Text returns any broker setting in its canonical form; ok is false if there is none of that name or it is
// null. Secrets are returned too.
func (v Values) Text(name string) (text string, ok bool) {
	r, ok := v.resolved[name]
	return r.text, ok && !r.null
}

// Origin tells where the value in force of a broker setting was set: "server.properties:12", "environment
// KAFKA_LOG_DIRS", "--set", "profile fast", "dynamic default", "dynamic broker" or "default", followed by the name of the
// synonym in parentheses if it was set by one. It is "" for a name that does not exist.
func (v Values) Origin(name string) string {
	r, ok := v.resolved[name]
	if !ok {
		return ""
	}
	if r.via != name {
		return r.origin + " (" + r.via + ")"
	}
	return r.origin
}

// Format writes only the type, whatever the verb: values may be secrets, and a snapshot ends up in logs easily.
func (v Values) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "config.Values(%d settings)", len(v.resolved))
}
