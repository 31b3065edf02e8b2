package reference

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/answer"
	"sordini/test/reference/catalogue"
	"sordini/test/reference/play"
)

var update = flag.Bool("update", false, "record the answers of Kafka anew")

// golden is where the recorded answers are.
const golden = "testdata/kafka-" + kafkaVersion

const kafkaVersion = "4.3.0"

// TestReference compares all answers.
func TestReference(t *testing.T) {
	live := os.Getenv(kafkaScript) != ""
	if *update && !live {
		t.Fatalf("-update needs %s", kafkaScript)
	}
	v := &verdict{met: make(map[*Sight]bool)}
	cover := newCoverage()
	for _, w := range catalogue.Worlds() {
		if !slices.ContainsFunc(w.Cases, func(c play.Case) bool { return selected(c.Name) }) {
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			if live {
				record(t, w)
			}
			recorded := readGolden(t, w)
			broker := startServer(t, w)
			ours := playAll(t, w, broker, cover.sent)
			for _, a := range recorded {
				cover.answered(a)
			}
			v.compare(t, w, recorded, ours)
		})
	}
	t.Logf("%d answers compared, %d of them with declared deviations; %d undeclared differences", v.answers, v.deviating, v.undeclared)
	for _, line := range cover.report() {
		t.Log(line)
	}
	if !t.Failed() || v.undeclared > 0 {
		v.unmet(t)
	}
}

// playAll plays the cases of a world. The answers are in the order of the cases.
func playAll(t *testing.T, w catalogue.World, b *play.Broker, observe play.Observer) []answer.Answer {
	t.Helper()
	if err := play.Warm(b); err != nil {
		t.Fatal(err)
	}
	var all []answer.Answer
	for _, c := range w.Cases {
		if !selected(c.Name) {
			continue
		}
		answers, err := play.Run(c, b, observe)
		if err != nil {
			t.Errorf("%s: %v", b.Addr, err)
		}
		all = append(all, answers...)
	}
	return all
}

var only = flag.String("case", "", "play only cases whose names begin so; with -update only their files are written anew")

func selected(name string) bool { return strings.HasPrefix(name, *only) }

// record plays a world at Kafka. With -update the answers become the recorded ones,
// else they have to be the same.
func record(t *testing.T, w catalogue.World) {
	t.Helper()
	answers := playAll(t, w, startKafka(t, w), func(kmsg.Request) {})
	if t.Failed() {
		t.FailNow()
	}
	if *update {
		writeGolden(t, answers)
		return
	}
	for _, d := range pair(t, readGolden(t, w), answers) {
		t.Errorf("recorded and live: %s", d)
	}
}

// fileOf is the file of a case's answers.
func fileOf(name string) string {
	group, _, _ := strings.Cut(name, "/")
	return filepath.Join(golden, group+".txt")
}

func writeGolden(t *testing.T, all []answer.Answer) {
	t.Helper()
	files := make(map[string][]answer.Answer)
	for _, a := range all {
		files[fileOf(a.Case)] = append(files[fileOf(a.Case)], a)
	}
	if err := os.MkdirAll(golden, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, answers := range files {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "# Answers of Apache Kafka %s, recorded by go test ./test/reference -update\n", kafkaVersion)
		if err := answer.Write(f, answers); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// readGolden reads the recorded answers to the cases of a world, in their order.
func readGolden(t *testing.T, w catalogue.World) []answer.Answer {
	t.Helper()
	byCase := make(map[string][]answer.Answer)
	read := make(map[string]bool)
	var all []answer.Answer
	for _, c := range w.Cases {
		if !selected(c.Name) {
			continue
		}
		if name := fileOf(c.Name); !read[name] {
			read[name] = true
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			answers, err := answer.Read(f)
			f.Close()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, a := range answers {
				byCase[a.Case] = append(byCase[a.Case], a)
			}
		}
		all = append(all, byCase[c.Name]...)
	}
	return all
}

// pair compares two lists of answers that should be to the same requests.
func pair(t *testing.T, kafka, ours []answer.Answer) []answer.Difference {
	t.Helper()
	key := func(a answer.Answer) string { return a.Case + ": " + a.Name() }
	byKey := make(map[string]answer.Answer)
	for _, a := range ours {
		byKey[key(a)] = a
	}
	var all []answer.Difference
	for _, k := range kafka {
		o, ok := byKey[key(k)]
		if !ok {
			t.Errorf("%s: no answer", key(k))
			continue
		}
		delete(byKey, key(k))
		all = append(all, answer.Compare(k, o)...)
	}
	for k := range byKey {
		t.Errorf("%s: not recorded", k)
	}
	return all
}
