package api

import (
	"regexp"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// ApiVersions (key 18), versions 0 to 4.
//
//	v0-2  keys and versions
//	v3    flexible, name and version of the client's software, features (KIP-511)
//	v4    features whose lowest version is 0 (KIP-1022)
//
// The answer has a header of version 0 always. A version that is not served is
// answered with error 35 in a body of version 0, with the range of this API.
//
// No feature is finalized: clients gate transactions of version 2 and the newer
// group protocols on them.
func (a *API) apiVersionsRoute() wire.Route {
	return route(0, 4, a.apiVersions)
}

// apiRanges is what ApiVersions tells, by rising key.
type apiRanges []kmsg.ApiVersionsResponseApiKey

func rangesOf(routes []wire.Route) apiRanges {
	var r apiRanges
	for _, route := range routes {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = route.Key, route.AdvertisedMin, route.Max
		r = append(r, k)
	}
	sort.Slice(r, func(i, j int) bool { return r[i].ApiKey < r[j].ApiKey })
	return r
}

// softwareName is what the name and version of a client may look like.
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (a *API) apiVersions(r *wire.Request, req *kmsg.ApiVersionsRequest) wire.Reply {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	switch {
	case r.Unsupported:
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		for _, k := range a.versions {
			if k.ApiKey == req.Key() {
				resp.ApiKeys = append(resp.ApiKeys, k)
			}
		}
		return wire.Now(resp)
	case r.Version >= 3 && (!softwareName.MatchString(req.ClientSoftwareName) || !softwareName.MatchString(req.ClientSoftwareVersion)):
		resp.ErrorCode = kerr.InvalidRequest.Code
		return wire.Now(resp)
	case r.Version >= 3:
		r.Conn.SetSoftware(req.ClientSoftwareName, req.ClientSoftwareVersion)
	}
	resp.ApiKeys = a.versions
	resp.FinalizedFeaturesEpoch = 0
	return wire.Now(resp)
}
