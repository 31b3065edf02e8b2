package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/config"
	"sordini/server/wire"
)

// AlterConfigs (key 33), versions 0 to 2. It replaces all of a resource's own
// settings; IncrementalAlterConfigs changes single ones.
//
//	v2  flexible
//
// Topics, brokers and groups have settings that can be changed; a group need not
// exist (KIP-848). Order of checks: resource twice, setting twice, null, resource,
// names, values.
//
// Deviations: a resource that occurs twice is refused (it makes Kafka 4.3.0 exit),
// and unknown names of broker settings are refused too (Kafka stores them).
func (a *API) alterConfigsRoute() wire.Route {
	return serve(0, 2, a.alterWhole)
}

func (a *API) alterWhole(r *wire.Request, req *kmsg.AlterConfigsRequest, resp *kmsg.AlterConfigsResponse) {
	changes := make([]change, len(req.Resources))
	for i, q := range req.Resources {
		c := change{kind: q.ResourceType, name: q.ResourceName, whole: true}
		for _, s := range q.Configs {
			c.ops = append(c.ops, config.Op{Type: config.OpSet, Name: s.Name, Value: s.Value})
		}
		changes[i] = c
	}
	for i, err := range a.alterConfigs(r, changes, req.ValidateOnly) {
		res := kmsg.NewAlterConfigsResponseResource()
		res.ResourceType, res.ResourceName = changes[i].kind, changes[i].name
		res.ErrorCode, res.ErrorMessage = a.codeMessage(err)
		resp.Resources = append(resp.Resources, res)
	}
}
