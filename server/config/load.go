package config

import (
	"fmt"
	"strings"
)

// Input is what a server was told when it started.
type Input struct {
	File    string   // name of the configuration file, for messages
	Content []byte   // what the file holds, in the syntax of ParseProperties
	Environ []string // NAME=value, as os.Environ gives it
	Flags   []string // key=value, as --set gives it
	Profile string   // name of a set of defaults, "" for none
}

// Load checks and layers the input: flags over environment over file over profile over defaults. The error is Faults and
// holds everything that is wrong.
func Load(in Input) (Values, error) {
	v := Values{}
	properties, faults := ParseProperties(in.File, in.Content)
	for _, p := range properties {
		faults = v.assign(faults, fileLayer, p.Key, p.Value, fmt.Sprintf("%s:%d", in.File, p.Line))
	}
	faults = v.assignProfile(faults, in.Profile)
	for _, e := range settingsOf(in.Environ) {
		faults = v.assign(faults, environmentLayer, e.setting, e.value, "environment "+e.name)
	}
	for _, flag := range in.Flags {
		key, value, found := strings.Cut(flag, "=")
		if !found {
			faults = append(faults, Fault{"--set " + flag, invalidConfig("value is missing; write key=value")})
			continue
		}
		faults = v.assign(faults, flagLayer, strings.TrimSpace(key), value, "--set")
	}
	v.resolveAll()
	faults = append(faults, v.combinationFaults()...)
	if len(faults) > 0 {
		return Values{}, faults
	}
	return v, nil
}

// assign checks one setting and puts it in a layer, where a later one replaces an earlier one.
func (v *Values) assign(faults Faults, l layer, name, raw, origin string) Faults {
	s := table.find(BrokerScope, name)
	if s == nil {
		return append(faults, Fault{origin, unknownSetting(name)})
	}
	parsed, err := s.parse(raw)
	if err != nil {
		return append(faults, Fault{origin, err})
	}
	if v.layers[l] == nil {
		v.layers[l] = make(map[string]assigned)
	}
	v.layers[l][name] = assigned{parsed, origin}
	return faults
}

// combinationFaults checks what single settings cannot show.
func (v *Values) combinationFaults() Faults {
	faults := v.resolveListeners()
	for _, err := range v.conflicts() {
		faults = append(faults, Fault{Err: err})
	}
	if id, older := v.explicit("node.id"), v.explicit("broker.id"); id != nil && older != nil && id.integer != older.integer {
		faults = append(faults, Fault{Err: invalidConfig("node.id (%s) and broker.id (%s) are names of one number; set one of them", id.text, older.text)})
	}
	return append(faults, v.dirFaults()...)
}

// explicit is what was set under exactly this name when the server started, nil for nothing.
func (v *Values) explicit(name string) *assigned {
	for l := flagLayer; l < profileLayer; l++ {
		if a, ok := v.layers[l][name]; ok {
			return &a
		}
	}
	return nil
}

// conflicts lists broker settings that contradict each other. All of them are integers.
func (v *Values) conflicts() []error {
	var errs []error
	ordered := func(low, high string) {
		if v.Int64(low) > v.Int64(high) {
			errs = append(errs, invalidConfig("%s (%d) must be less than or equal to %s (%d)",
				low, v.Int64(low), high, v.Int64(high)))
		}
	}
	ordered("group.min.session.timeout.ms", "group.max.session.timeout.ms")
	ordered("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms")
	for i := range table[GroupScope] {
		s := &table[GroupScope][i]
		low, high := boundsOf(s)
		if low != "" {
			ordered(low, s.Synonyms[0].Name)
		}
		if high != "" {
			ordered(s.Synonyms[0].Name, high)
		}
	}
	return errs
}

// boundsOf names the broker settings between which a group setting has to lie, "" for none. Kafka's names follow
// a rule: share.session.timeout.ms lies between group.share.min.session.timeout.ms and group.share.max....
func boundsOf(s *Setting) (low, high string) {
	protocol, rest, _ := strings.Cut(s.Name, ".")
	low = "group." + protocol + ".min." + rest
	high = "group." + protocol + ".max." + rest
	if table.find(BrokerScope, low) == nil {
		low = ""
	}
	if table.find(BrokerScope, high) == nil {
		high = ""
	}
	return low, high
}
