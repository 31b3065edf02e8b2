package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// fresh are cases that look at everything there is. They need a broker of their
// own, and come in this order.
func fresh() []play.Case {
	return []play.Case{
		{Name: "fresh/topics", Run: allTopics},
		{Name: "fresh/groups", Run: allGroups},
		{Name: "fresh/configs", Run: allConfigs},
		{Name: "fresh/dirs", Run: allDirs},
	}
}

func allTopics(p *play.Play) {
	for _, when := range []string{"none", "two"} {
		for v := Version(0); v <= 13; v++ {
			req := metadataOf()
			if v > 0 {
				req.Topics = nil
			}
			p.Ask(when, v, req)
		}
		p.Ask(when, 0, describeTopics(100))
		p.Topic(1)
		p.Topic(3)
	}
	p.Ask("four", 0, describeTopics(100))
	p.Ask("page", 0, describeTopics(3))
}

func allGroups(p *play.Play) {
	for v := Version(0); v <= 6; v++ {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{""}
		p.Ask("no name", v, req)
	}
	t := known(p, 1)
	committed(p, p.Name("empty"), t, 1)
	stable(p, p.Name("stable"), "")
	joined(p, p.Name("joining"), "")
	m := stable(p, p.Name("left"), "")
	p.Quiet(3, m.leave())
	p.Quiet(1, beat(p.Name("consumer"), memberID, 0, t.Name))
	for v := Version(0); v <= 5; v++ {
		p.Ask("all", v, kmsg.NewPtrListGroupsRequest())
	}
	for v := Version(4); v <= 5; v++ {
		for _, states := range [][]string{{"Stable"}, {"stable", "EMPTY"}, {"Empty", "CompletingRebalance"}, {"PreparingRebalance"}, {"Dead"}, {"Assigning"}, {"Reconciling"}, {""}} {
			req := kmsg.NewPtrListGroupsRequest()
			req.StatesFilter = states
			p.Ask("states", v, req)
		}
	}
	for _, types := range [][]string{{"classic"}, {"Consumer"}, {"CONSUMER", "classic"}, {"share"}, {"streams"}, {""}, {"other"}} {
		req := kmsg.NewPtrListGroupsRequest()
		req.TypesFilter = types
		p.Ask("types", 5, req)
		req.StatesFilter = []string{"Stable"}
		p.Ask("types and states", 5, req)
	}
}

func allConfigs(p *play.Play) {
	t := p.Topic(1)
	for v := Version(1); v <= 4; v++ {
		req := configsOf(kmsg.ConfigResourceTypeTopic, t.Name)
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		p.Ask("topic", v, req)
	}
	req := configsOf(kmsg.ConfigResourceTypeBroker, "1")
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	p.Ask("broker", 4, req)
	req.IncludeSynonyms = false
	p.Ask("broker without synonyms", 1, req)
	req = configsOf(kmsg.ConfigResourceTypeBroker, "")
	p.Ask("all brokers", 4, req)
	for v := Version(1); v <= 4; v++ {
		req := configsOf(kmsg.ConfigResourceTypeGroupConfig, p.Fresh())
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		p.Ask("group", v, req)
	}
	p.Ask("client metrics", 4, configsOf(kmsg.ConfigResourceTypeClientMetrics, "some"))
	p.Ask("no client metrics", 4, configsOf(kmsg.ConfigResourceTypeClientMetrics, ""))
}

func allDirs(p *play.Play) {
	for v := Version(1); v <= 4; v++ {
		p.Ask("topic", v, kmsg.NewPtrDescribeLogDirsRequest())
	}
}
