package config

import "strings"

// Profile is a set of defaults with a name. It lies beneath all that was set, and
// above the table's defaults.
type Profile struct {
	Name     string
	Doc      string
	Settings []ProfileSetting
}

// ProfileSetting is one default of a profile.
type ProfileSetting struct{ Name, Value string }

// Profiles returns all profiles, the safest first.
func Profiles() []Profile {
	return []Profile{
		{"reliable", "nothing that was acknowledged with acks=all is lost in a power cut", []ProfileSetting{
			{"flush.policy", "sync"},
		}},
		{"balanced", "important records are safe, others may lose a second", []ProfileSetting{
			{"flush.policy", "hybrid"},
		}},
		{"fast", "a power cut may take what was acknowledged in the last second", []ProfileSetting{
			{"flush.policy", "async"},
			{"flush.async.interval.ms", "1000"},
		}},
		{"dev", "for tests and laptops: small files, little waiting, as safe as fast", []ProfileSetting{
			{"flush.policy", "async"},
			{"flush.async.interval.ms", "1000"},
			{"flush.journal.bytes", "8388608"},
			{"group.initial.rebalance.delay.ms", "0"},
			{"log.segment.bytes", "16777216"},
			{"offsets.topic.num.partitions", "1"},
			{"offsets.topic.segment.bytes", "1048576"},
		}},
	}
}

// Profile is the name of the profile that was chosen, "" for none.
func (v Values) Profile() string { return v.profile }

// assignProfile fills the layer of the profile of this name, "" for none.
func (v *Values) assignProfile(faults Faults, name string) Faults {
	if name == "" {
		return faults
	}
	var names []string
	for _, p := range Profiles() {
		if p.Name != name {
			names = append(names, p.Name)
			continue
		}
		for _, s := range p.Settings {
			faults = v.assign(faults, profileLayer, s.Name, s.Value, "profile "+name)
		}
		v.profile = name
		return faults
	}
	near := ""
	least := len(name)/2 + 1
	for _, n := range names {
		if d := editDistance(name, n); len(name) <= longestName && d <= least {
			near, least = "; did you mean "+n+"?", d
		}
	}
	return append(faults, Fault{"--profile", invalidConfig("unknown profile %s%s; there are %s", name, near, strings.Join(names, ", "))})
}
