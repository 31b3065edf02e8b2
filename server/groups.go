package server

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/api"
	"sordini/server/group"
	"sordini/server/group/step"
)

// groups is the coordinator as the handlers see it.
type groups struct{ *group.Coordinator }

// Do implements api.Groups.
func (g groups) Do(c step.Call, id string, req kmsg.Request) api.Pending {
	return g.Coordinator.Do(c, id, req)
}

// DoAll implements api.Groups.
func (g groups) DoAll(c step.Call, newRequest func() kmsg.Request) []api.Pending {
	var all []api.Pending
	for _, p := range g.Coordinator.DoAll(c, newRequest) {
		all = append(all, p)
	}
	return all
}
