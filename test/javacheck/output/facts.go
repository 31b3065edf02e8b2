package output

import (
	"fmt"
	"regexp"
	"strings"

	"sordini/test/reference/answer"
)

// Fact is one value that a line of a tool tells, with the path that the value has in
// the answer it comes from.
type Fact struct{ Path, Value string }

// Reader reads the facts of a line; a line without any is compared as text.
type Reader struct {
	Case, Answer string // of test/reference, whose deviations apply
	// head tells the element that the lines after a line are about, "" if there is no
	// such line.
	head func(line string) string
	read func(line string) []Fact // with paths within that element
}

// Facts compares two texts by a reader: it returns the differences of facts, and the
// lines without facts of both. Of an element that one side lacks, that is the only
// difference.
func (r *Reader) Facts(kafka, ours []string) (differences []answer.Difference, kafkaText, oursText []string) {
	theirs, kafkaText := r.split(kafka)
	here, oursText := r.split(ours)
	lacking := "" // the element whose facts are passed over, with a dot
	note := func(path, kafka, ours string) {
		if kafka == ours || lacking != "" && strings.HasPrefix(path, lacking) {
			return
		}
		if kafka == present || ours == present {
			lacking = path + "."
		}
		differences = append(differences, answer.Difference{Case: r.Case, Answer: r.Answer, Path: path, Kafka: kafka, Ours: ours})
	}
	values := byPath(here)
	for _, f := range theirs {
		note(f.Path, f.Value, values(f.Path))
	}
	values = byPath(theirs)
	for _, f := range here {
		if v := values(f.Path); v == answer.Absent {
			note(f.Path, v, f.Value)
		}
	}
	return differences, kafkaText, oursText
}

// present is the value of an element, whose facts follow it.
const present = "present"

func byPath(facts []Fact) func(path string) string {
	values := make(map[string]string, len(facts))
	for _, f := range facts {
		values[f.Path] = f.Value
	}
	return func(path string) string {
		if v, ok := values[path]; ok {
			return v
		}
		return answer.Absent
	}
}

func (r *Reader) split(lines []string) (facts []Fact, text []string) {
	element := ""
	for _, line := range lines {
		if h := r.head(line); h != "" {
			element = h
			facts = append(facts, Fact{element, present})
		} else if f := r.read(line); f != nil {
			for _, fact := range f {
				facts = append(facts, Fact{element + fact.Path, fact.Value})
			}
		} else {
			text = append(text, line)
		}
	}
	return facts, text
}

var configHead = regexp.MustCompile(`^(?:Dynamic|All) configs for (.+) are:$`)

var configLine = regexp.MustCompile(`^  ([\w.-]+)=(.*) sensitive=(\w+) synonyms=\{(.*)\}$`)

// Configs reads the lines of kafka-configs: the value of each setting, whether it is
// secret, and its synonyms, in which values may hold commas.
func Configs(ofCase, ofAnswer string) *Reader {
	r := &Reader{Case: ofCase, Answer: ofAnswer}
	r.head = func(line string) string {
		if m := configHead.FindStringSubmatch(line); m != nil {
			return "Resources[" + m[1] + "]"
		}
		return ""
	}
	r.read = func(line string) []Fact {
		m := configLine.FindStringSubmatch(line)
		if m == nil {
			return nil
		}
		path := ".Configs[" + m[1] + "]"
		facts := []Fact{{path, present}, {path + ".Value", m[2]}, {path + ".IsSensitive", m[3]}}
		for i, synonym := range synonyms(m[4]) {
			at := fmt.Sprintf("%s.ConfigSynonyms[%d]", path, i)
			facts = append(facts, Fact{at, present}, Fact{at + ".Name", synonym})
		}
		return facts
	}
	return r
}

var source = regexp.MustCompile(`(?:^|, )[A-Z_]+_CONFIG:`)

// synonyms splits the list of synonyms where a source begins.
func synonyms(text string) []string {
	starts := source.FindAllStringIndex(text, -1)
	var list []string
	for i, s := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		list = append(list, strings.TrimPrefix(text[s[0]:end], ", "))
	}
	return list
}

var apiLine = regexp.MustCompile(`^\t(\w+)\((\d+)\): (?:(UNSUPPORTED)|(\d+)(?: to (\d+))? \[usable: \d+\]),?$`)

// Versions reads the lines of kafka-broker-api-versions. An API that is not served has
// no facts, so that it is a missing element. What is usable follows from the highest
// version and the client.
func Versions() *Reader {
	r := &Reader{Case: "versions", Answer: "ApiVersions 4", head: func(string) string { return "" }}
	r.read = func(line string) []Fact {
		m := apiLine.FindStringSubmatch(line)
		if m == nil {
			return nil
		}
		if m[3] != "" {
			return []Fact{}
		}
		if m[5] == "" {
			m[5] = m[4]
		}
		path := "ApiKeys[" + m[1] + "]"
		return []Fact{{path, present}, {path + ".MinVersion", m[4]}, {path + ".MaxVersion", m[5]}}
	}
	return r
}

// Served are the names of the APIs that a broker serves, by the text of
// kafka-broker-api-versions.
func Served(lines []string) map[string]bool {
	served := make(map[string]bool)
	for _, line := range lines {
		if m := apiLine.FindStringSubmatch(line); m != nil && m[3] == "" {
			served[m[1]] = true
		}
	}
	return served
}
