package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// connections are cases of what cannot be read or is not served.
func connections() []play.Case {
	return []play.Case{
		{Name: "connections/versions", Run: unservedVersions},
		{Name: "connections/api-versions", Run: unknownAPIVersions},
		{Name: "connections/bodies", Run: brokenBodies},
		{Name: "connections/tags", Run: unknownTags},
		{Name: "connections/pipeline", Run: pipeline},
	}
}

// unservedVersions asks each API for a version above its last.
func unservedVersions(p *play.Play) {
	for _, s := range subjects() {
		if s.api == "ApiVersions" {
			continue
		}
		p.Ask("above the last", 90, kmsg.RequestForKey(keyOf(s.api)))
		p.Ask("below the first", -1, kmsg.RequestForKey(keyOf(s.api)))
	}
}

func unknownAPIVersions(p *play.Play) {
	for _, v := range []Version{9, 100, 32767} {
		p.Ask("above the last", v, kmsg.NewPtrApiVersionsRequest())
	}
	for v := Version(3); v <= 4; v++ {
		for _, name := range []string{"", "-a", "a-", "a b", "a.b-c", "\u00e9"} {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = name, "1"
			p.Ask("name", v, req)
			req.ClientSoftwareName, req.ClientSoftwareVersion = "a", name
			p.Ask("version", v, req)
		}
	}
}

// brokenBodies cuts each request short, and makes it too long.
func brokenBodies(p *play.Play) {
	for _, s := range subjects() {
		if s.api == "ApiVersions" {
			continue
		}
		make := s.prepare(p)
		for _, v := range s.shapes() {
			req := make(v)
			req.SetVersion(v)
			body := req.AppendTo(nil)
			if len(body) == 0 {
				continue
			}
			p.Raw("one byte short", req, body[:len(body)-1])
			p.Raw("half", req, body[:len(body)/2])
		}
	}
}

// unknownTags puts a tag that nobody knows into each flexible request.
func unknownTags(p *play.Play) {
	for _, s := range subjects() {
		req := s.prepare(p)(s.max)
		req.SetVersion(s.max)
		if !req.IsFlexible() {
			continue
		}
		body := req.AppendTo(nil)
		p.Raw("tag", req, append(body[:len(body)-1], 1, 77, 3, 'a', 'b', 'c'))
	}
}

// pipeline sends several requests before it reads an answer.
func pipeline(p *play.Play) {
	t := p.Topic(1)
	c := p.Client("")
	for range 5 {
		c.Send(9, produceTo(9, t, 0, values(2).encode()))
	}
	c.Send(12, fetchFrom(t, 0, 4))
	c.Send(7, offsetAt(t, 0, -1))
	for range 5 {
		c.Take("produce")
	}
	c.Take("fetch")
	c.Take("offset")
}
