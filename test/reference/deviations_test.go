package reference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeviations_Readme: README.md tells the deviations that are declared.
func TestDeviations_Readme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n## Deviations from Apache Kafka 4.3\n")
	if !ok {
		t.Fatal("README.md has no section on deviations")
	}
	if !strings.Contains(after, "\n"+Table()) {
		t.Errorf("README.md does not tell the deviations of this list:\n%s", Table())
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "anything", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"a*b*c", "axbxc", true},
		{"a*b*c", "axxc", false},
		{"a*a", "a", false},
		{"Topics[*].TopicID", "Topics[12].TopicID", true},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}
