package output

import (
	"slices"
	"strings"
	"testing"

	"sordini/test/reference"
)

const settingsText = `All configs for topic t are:
  retention.ms=1 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1}
  cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}
  no.such=x sensitive=false synonyms={}
exit status 0`

// TestConfigs: a planted difference of each kind is found, at its path.
func TestConfigs(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{"retention.ms=1 ", "retention.ms=2 ", "Resources[topic t].Configs[retention.ms].Value: Kafka 1, here 2"},
		{"compact,delete sensitive=false", "compact,delete sensitive=true", "Resources[topic t].Configs[cleanup.policy].IsSensitive: Kafka false, here true"},
		{", DEFAULT_CONFIG:log.cleanup.policy=delete", "", "Resources[topic t].Configs[cleanup.policy].ConfigSynonyms[1]: Kafka present, here -"},
		{"DEFAULT_CONFIG:log.cleanup.policy=delete", "DEFAULT_CONFIG:log.cleanup.policy=compact", "Resources[topic t].Configs[cleanup.policy].ConfigSynonyms[1].Name: Kafka DEFAULT_CONFIG:log.cleanup.policy=delete, here DEFAULT_CONFIG:log.cleanup.policy=compact"},
		{"  no.such=x sensitive=false synonyms={}\n", "", "Resources[topic t].Configs[no.such]: Kafka present, here -"},
		{"  no.such=x", "  odd=x sensitive=false synonyms={}\n  no.such=x", "Resources[topic t].Configs[odd]: Kafka -, here present"},
	} {
		ours := strings.Replace(settingsText, c.old, c.new, 1)
		found, kafkaText, oursText := Configs("", "").Facts(strings.Split(settingsText, "\n"), strings.Split(ours, "\n"))
		var got []string
		for _, d := range found {
			got = append(got, strings.TrimPrefix(d.String(), ": : "))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q for %q: %q, want %q", c.new, c.old, got, c.want)
		}
		if want := []string{"exit status 0"}; !slices.Equal(kafkaText, want) || !slices.Equal(oursText, want) {
			t.Errorf("text without facts: %q and %q, want %q", kafkaText, oursText, want)
		}
	}
}

// TestVersions: an API that is not served is a declared deviation, a version that
// Kafka has from lower on is not.
func TestVersions(t *testing.T) {
	kafka := []string{"{broker} (id: 1) -> (", "\tProduce(0): 0 to 13 [usable: 13],", "\tFetch(1): 4 to 18 [usable: 18],", "\tOffsetDelete(47): 0 [usable: 0]"}
	for _, c := range []struct {
		ours             []string
		declared, faults int
	}{
		{kafka, 0, 0},
		{[]string{kafka[0], kafka[1], "\tFetch(1): UNSUPPORTED,", kafka[3]}, 1, 0},
		{[]string{kafka[0], kafka[1], "\tFetch(1): 4 to 17 [usable: 17],", kafka[3]}, 1, 0},
		{[]string{kafka[0], "\tProduce(0): 0 to 13 [usable: 13],", kafka[2], kafka[3], "\tOdd(99): 0 [usable: 0]"}, 0, 1},
	} {
		found, _, _ := Versions().Facts(kafka, c.ours)
		declared := 0
		for _, d := range found {
			if reference.Declared(d) != nil {
				declared++
			}
		}
		if declared != c.declared || len(found)-declared != c.faults {
			t.Errorf("%q: %d declared of %v, want %d and %d more", c.ours, declared, found, c.declared, c.faults)
		}
	}
	served := Served([]string{kafka[1], "\tFetch(1): UNSUPPORTED,", kafka[3]})
	if !served["Produce"] || served["Fetch"] || !served["OffsetDelete"] {
		t.Errorf("served: %v", served)
	}
}
