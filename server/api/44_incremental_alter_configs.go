package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/config"
	"sordini/server/wire"
)

// IncrementalAlterConfigs (key 44), versions 0 to 1 (KIP-339): set, delete,
// append to and subtract from single settings.
//
//	v1  flexible
//
// The order of checks and the deviations are those of AlterConfigs; besides, an
// unknown operation is an INVALID_REQUEST (in Kafka an UNKNOWN_SERVER_ERROR).
func (a *API) incrementalAlterConfigsRoute() wire.Route {
	return serve(0, 1, a.alterIncrementally)
}

func (a *API) alterIncrementally(r *wire.Request, req *kmsg.IncrementalAlterConfigsRequest, resp *kmsg.IncrementalAlterConfigsResponse) {
	changes := make([]change, len(req.Resources))
	for i, q := range req.Resources {
		c := change{kind: q.ResourceType, name: q.ResourceName}
		for _, s := range q.Configs {
			c.ops = append(c.ops, config.Op{Type: config.OpType(s.Op), Name: s.Name, Value: s.Value})
		}
		changes[i] = c
	}
	for i, err := range a.alterConfigs(r, changes, req.ValidateOnly) {
		res := kmsg.NewIncrementalAlterConfigsResponseResource()
		res.ResourceType, res.ResourceName = changes[i].kind, changes[i].name
		res.ErrorCode, res.ErrorMessage = a.codeMessage(err)
		resp.Resources = append(resp.Resources, res)
	}
}
