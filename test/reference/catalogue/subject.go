package catalogue

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/mutate"
	"sordini/test/reference/play"
)

// subject is an API with a request to it that is right in every field.
type subject struct {
	api string
	min Version // the lowest that Kafka serves
	max Version
	// prepare makes what the requests of a case share, and returns what makes one
	// of a version. Where a request changes something, each has things of its own.
	prepare func(p *play.Play) func(v Version) kmsg.Request
	// skip are fields, or fields and kinds of change, that are not changed, as the
	// answer would depend on time or on other cases, or Kafka gives none; a field's
	// own fields are skipped with it.
	skip []string
}

// Version is one of an API.
type Version = int16

// subjects are all APIs that the server advertises, in the order of their keys.
func subjects() []subject {
	return append(append(dataSubjects(), topicSubjects()...), groupSubjects()...)
}

// versions has a case for every API, which asks each version once.
func versions() []play.Case {
	var all []play.Case
	for _, s := range subjects() {
		all = append(all, play.Case{Name: "versions/" + s.api, Run: func(p *play.Play) {
			request := s.prepare(p)
			for v := s.min; v <= s.max; v++ {
				p.Ask("", v, request(v))
			}
		}})
	}
	return all
}

// mutations has a case for every API at its lowest and at its highest version, which
// asks for something wrong in one field after the other.
func mutations() []play.Case {
	var all []play.Case
	for _, s := range subjects() {
		for _, v := range s.shapes() {
			name := fmt.Sprintf("mutations-%s/%d", s.api, v)
			all = append(all, play.Case{Name: name, Run: func(p *play.Play) { s.mutate(p, v) }})
		}
	}
	return all
}

// shapes are versions that stand for all: the first, the last, and the last that is
// not flexible.
func (s subject) shapes() []Version {
	all := []Version{s.min}
	req := kmsg.RequestForKey(keyOf(s.api))
	for v := s.min + 1; v < s.max; v++ {
		req.SetVersion(v + 1)
		if flexible := req.IsFlexible(); flexible {
			req.SetVersion(v)
			if !req.IsFlexible() {
				all = append(all, v)
			}
		}
	}
	if s.max > s.min {
		all = append(all, s.max)
	}
	return all
}

func (s subject) mutate(p *play.Play, v Version) {
	request := s.prepare(p)
	like := request(v)
	like.SetVersion(v)
	for _, m := range mutate.Of(like, p.Name("unknown")) {
		if s.skips(m) {
			continue
		}
		req := request(v)
		req.SetVersion(v)
		note := m.Field + " " + m.Kind
		if body := m.Apply(req); body != nil {
			p.Raw(note, req, body)
			continue
		}
		p.Ask(note, v, req)
	}
}

func (s subject) skips(m mutate.Mutation) bool {
	for _, skip := range s.skip {
		if m.Field == skip || m.Field+" "+m.Kind == skip || strings.HasPrefix(m.Field, skip+".") {
			return true
		}
	}
	return false
}

func keyOf(api string) int16 {
	for k := int16(0); k <= kmsg.MaxKey; k++ {
		if kmsg.NameForKey(k) == api {
			return k
		}
	}
	panic("no API " + api)
}

// Range is what is compared of an API: the versions that both brokers serve.
type Range struct {
	API      string
	Key      int16
	Min, Max Version
}

// Ranges are those of all APIs that the server advertises.
func Ranges() []Range {
	var all []Range
	for _, s := range subjects() {
		all = append(all, Range{s.api, keyOf(s.api), s.min, s.max})
	}
	return all
}
