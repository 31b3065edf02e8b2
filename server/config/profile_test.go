package config

import (
	"strings"
	"testing"
)

func TestProfiles_AreDefaults(t *testing.T) {
	for _, p := range Profiles() {
		v, err := Load(Input{Profile: p.Name})
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		for _, s := range p.Settings {
			if got, _ := v.Text(s.Name); got != s.Value || v.Origin(s.Name) != "profile "+p.Name {
				t.Errorf("%s: %s is %q from %q", p.Name, s.Name, got, v.Origin(s.Name))
			}
		}
		if v.Origin("num.partitions") != "default" {
			t.Errorf("%s: num.partitions from %q", p.Name, v.Origin("num.partitions"))
		}
	}
	reliable, _ := Load(Input{Profile: "reliable"})
	balanced, _ := Load(Input{Profile: "balanced"})
	fast, _ := Load(Input{Profile: "fast"})
	got := [3]FlushPolicy{reliable.Broker().Topic(nil).FlushPolicy, balanced.Broker().Topic(nil).FlushPolicy, fast.Broker().Topic(nil).FlushPolicy}
	if got != [3]FlushPolicy{FlushSync, FlushHybrid, FlushAsync} {
		t.Errorf("policies %v", got)
	}
}

// Whatever else was set comes before a profile.
func TestProfiles_LieBeneath(t *testing.T) {
	for origin, in := range map[string]Input{
		"f:1":                              {File: "f", Content: []byte("flush.policy=hybrid\n")},
		"environment SORDINI_FLUSH_POLICY": {Environ: []string{"SORDINI_FLUSH_POLICY=hybrid"}},
		"--set":                            {Flags: []string{"flush.policy=hybrid"}},
	} {
		in.Profile = "fast"
		v, err := Load(in)
		if err != nil {
			t.Fatal(err)
		}
		if v.String("flush.policy") != "hybrid" || v.Origin("flush.policy") != origin {
			t.Errorf("%s from %q, want it from %q", v.String("flush.policy"), v.Origin("flush.policy"), origin)
		}
		v, err = v.WithDynamic(map[string]string{"flush.policy": "sync"}, nil)
		if err != nil || v.String("flush.policy") != "sync" {
			t.Errorf("dynamic: %s, %v", v.String("flush.policy"), err)
		}
	}
	v, _ := Load(Input{Profile: "fast"})
	e := v.Describe(BrokerScope, nil, []string{"flush.policy"})[0]
	if e.Source != SourceStaticBroker || len(e.Synonyms) != 2 || *e.Synonyms[0].Value != "async" || *e.Synonyms[1].Value != "sync" {
		t.Errorf("described as %+v", e)
	}
}

func TestProfiles_Unknown(t *testing.T) {
	for name, want := range map[string]string{
		"relaible": "did you mean reliable?",
		"fats":     "did you mean fast?",
		"x":        "there are reliable, balanced, fast, dev",
	} {
		if _, err := Load(Input{Profile: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
