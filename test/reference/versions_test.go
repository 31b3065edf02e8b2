package reference

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/answer"
	"sordini/test/reference/catalogue"
	"sordini/test/reference/play"
)

// TestOldVersions: versions that Kafka no longer serves tell the same as the lowest
// that is compared with Kafka.
func TestOldVersions(t *testing.T) {
	broker := startServer(t, catalogue.World{Settings: []string{"auto.create.topics.enable=false", "log.retention.ms=-1"}})
	if err := play.Warm(broker); err != nil {
		t.Fatal(err)
	}
	compared := make(map[string]catalogue.Range)
	for _, r := range catalogue.Ranges() {
		compared[r.API] = r
	}
	old := make(map[string]catalogue.Version)
	for _, o := range catalogue.OldVersions() {
		old[o.API] = o.Last + 1
		t.Run(o.API, func(t *testing.T) {
			ask := func(v catalogue.Version) []answer.Answer {
				c := play.Case{Name: fmt.Sprintf("old/%s/%d", o.API, v), Run: func(p *play.Play) { o.Ask(p, v) }}
				answers, err := play.Run(c, broker, func(kmsg.Request) {})
				if err != nil {
					t.Fatal(err)
				}
				return answers
			}
			want := ask(compared[o.API].Min)
			for v := catalogue.Version(0); v <= o.Last; v++ {
				sameFacts(t, o.API, v, want, ask(v))
			}
		})
	}
	for api, r := range compared { // none is forgotten
		if got := lowestServed(t, broker, r.Key); got < r.Min && old[api] != r.Min {
			t.Errorf("%s is served from version %d on, compared with Kafka from %d on; what is between is not asked", api, got, r.Min)
		}
	}
}

// lowestServed is the lowest version that the server advertises and answers.
func lowestServed(t *testing.T, b *play.Broker, key int16) (lowest int16) {
	t.Helper()
	_, err := play.Run(play.Case{Name: "ranges", Run: func(p *play.Play) {
		for _, k := range p.Quiet(0, kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse).ApiKeys {
			if k.ApiKey == key {
				lowest = k.MinVersion
			}
		}
	}}, b, func(kmsg.Request) {})
	if err != nil {
		t.Fatal(err)
	}
	if key == 0 { // Kafka advertises more of Produce than it serves, too
		lowest = 3
	}
	return lowest
}

// sameFacts compares the answers of an old version with those of one that is known
// to be right, in the fields that both have.
func sameFacts(t *testing.T, api string, v catalogue.Version, right, old []answer.Answer) {
	t.Helper()
	if len(right) != len(old) {
		t.Errorf("%s %d: %d answers, want %d", api, v, len(old), len(right))
		return
	}
	fields := fieldsOf(kmsg.RequestForKey(keyOf(api)).ResponseKind(), v)
	for i, want := range right {
		apart := answer.Compare(want, old[i])
		if want.API == api {
			apart = factsApart(want, old[i], fields)
		}
		for _, d := range apart {
			t.Errorf("version %d: %s: %s is %s, in version %d %s", v, d.Answer, d.Path, d.Ours, want.Version, d.Kafka)
		}
	}
}

// factsApart are the differences in the fields that the old version has.
func factsApart(right, old answer.Answer, fields []string) []answer.Difference {
	right.Fields = factsIn(aged(right, old.Version), fields)
	old.Fields = factsIn(old, fields)
	return answer.Compare(right, old)
}

func keyOf(api string) int16 {
	i := slices.IndexFunc(catalogue.Ranges(), func(r catalogue.Range) bool { return r.API == api })
	return catalogue.Ranges()[i].Key
}

// aged is an answer as an old version says it with other fields.
func aged(a answer.Answer, v catalogue.Version) answer.Answer {
	all := slices.Clone(a.Fields)
	for i, f := range a.Fields {
		switch {
		case a.API == "ListOffsets" && v == 0 && strings.HasSuffix(f.Path, "].Offset"):
			all[i] = answer.Field{Path: strings.TrimSuffix(f.Path, "Offset") + "OldStyleOffsets", Value: "[" + f.Value + "]"}
		case a.API == "DescribeConfigs" && v == 0 && strings.HasSuffix(f.Path, "].Source") && f.Value == "5": // DEFAULT_CONFIG
			all[i] = answer.Field{Path: strings.TrimSuffix(f.Path, "Source") + "IsDefault", Value: "true"}
		}
	}
	a.Fields = all
	return a
}

// factsIn are the fields of an answer that are among those, and the elements.
func factsIn(a answer.Answer, fields []string) []answer.Field {
	return slices.DeleteFunc(slices.Clone(a.Fields), func(f answer.Field) bool {
		return f.Value != "" && f.Path != answer.Closed && f.Path != answer.Broken && f.Path != answer.Unending &&
			!slices.Contains(fields, index.ReplaceAllString(f.Path, ""))
	})
}

// TestSameFacts_Control: a fact that an old version tells differently is found.
func TestSameFacts_Control(t *testing.T) {
	fields := []string{"Topics.Topic", "Topics.Partitions.Partition", "Topics.Partitions.OldStyleOffsets"}
	right := answer.Answer{API: "ListOffsets", Version: 1, Fields: []answer.Field{
		{Path: "Topics[0]"}, {Path: "Topics[0].Topic", Value: `"~001"`}, {Path: "Topics[0].Partitions[0]"},
		{Path: "Topics[0].Partitions[0].Timestamp", Value: "1"}, {Path: "Topics[0].Partitions[0].Offset", Value: "5"},
	}}
	old := func(offsets string) answer.Answer {
		return answer.Answer{API: "ListOffsets", Fields: []answer.Field{
			{Path: "Topics[0]"}, {Path: "Topics[0].Topic", Value: `"~001"`}, {Path: "Topics[0].Partitions[0]"},
			{Path: "Topics[0].Partitions[0].OldStyleOffsets", Value: offsets},
		}}
	}
	for offsets, want := range map[string]int{"[5]": 0, "[6]": 1, "[]": 1} {
		if got := factsApart(right, old(offsets), fields); len(got) != want {
			t.Errorf("offsets %s: %d differences, want %d: %v", offsets, len(got), want, got)
		}
	}
}
