package output

import (
	"fmt"
	"strings"
)

// Output is how a tool ended and what it printed.
type Output struct {
	Status   int // of its process
	Out, Err string
}

// Lines are those of stdout, of stderr behind a prefix, and one with the status.
func (o Output) Lines() []string {
	lines := split(o.Out, "")
	lines = append(lines, split(o.Err, "stderr: ")...)
	return append(lines, fmt.Sprintf("exit status %d", o.Status))
}

// split leaves out empty lines: tools end with none, one or two of them.
func split(text, prefix string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, prefix+line)
		}
	}
	return lines
}

// Name is a text that differs between the two sides because the place does, such as a
// directory, and what stands for it.
type Name struct{ Text, For string }

// Rename puts what stands for the names in their place, in order.
func Rename(lines []string, names []Name) []string {
	pairs := make([]string, 0, 2*len(names))
	for _, n := range names {
		pairs = append(pairs, n.Text, n.For)
	}
	replacer := strings.NewReplacer(pairs...)
	renamed := make([]string, len(lines))
	for i, line := range lines {
		renamed[i] = replacer.Replace(line)
	}
	return renamed
}

// Lines lists how two texts differ, as a minimal script of lines: "Kafka: " before
// what only the first has, "here: " before what only the second has. It is empty if
// they are equal.
func Lines(kafka, ours []string) []string {
	same := 0
	for same < min(len(kafka), len(ours)) && kafka[same] == ours[same] {
		same++
	}
	kafka, ours = kafka[same:], ours[same:]
	var script []string
	if more := max(len(kafka), len(ours)) - most; more > 0 {
		script = []string{fmt.Sprintf("(up to %d lines more are not compared)", more)}
		kafka, ours = kafka[:min(len(kafka), most)], ours[:min(len(ours), most)]
	}
	common := table(kafka, ours)
	i, j := 0, 0
	for i < len(kafka) || j < len(ours) {
		switch {
		case i < len(kafka) && j < len(ours) && kafka[i] == ours[j]:
			i, j = i+1, j+1
		case j == len(ours) || i < len(kafka) && common[i+1][j] >= common[i][j+1]:
			script = append(script, "Kafka: "+kafka[i])
			i++
		default:
			script = append(script, "here:  "+ours[j])
			j++
		}
	}
	return script
}

// most lines are compared from the first difference on: the effort grows with their
// square.
const most = 1000

// table holds how many lines the texts from i and from j on have in common, in order.
func table(a, b []string) [][]int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}
