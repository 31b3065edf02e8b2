package api

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Options of an API. All fields but Groups and Audit are required.
type Options struct {
	Set     *partition.Set
	Groups  Groups // nil: groups are not served
	Audit   *audit.Recorder
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	// Advertised are the addresses told to clients, by listener; a listener that
	// is missing tells the address that the client has connected to.
	Advertised []config.Listener
}

// API is what the handlers share.
type API struct {
	set        *partition.Set
	groups     Groups
	audit      *audit.Recorder
	metrics    *metrics.Metrics
	logger     *slog.Logger
	advertised map[string]config.Listener
	sessions   *sessions
	producers  producerIDs
	versions   apiRanges
	ranges     atomic.Int64  // file ranges that answers hold
	insides    chan struct{} // places to decompress in; see occupy
}

// New returns an API and makes its route table.
func New(opt Options) (*API, *wire.Routes) {
	a := &API{
		set: opt.Set, groups: opt.Groups, audit: opt.Audit, metrics: opt.Metrics, logger: opt.Logger, advertised: make(map[string]config.Listener),
		sessions: newSessions(opt.Set.Broker().Fetch.MaxSessions), insides: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	for _, l := range opt.Advertised {
		a.advertised[l.Name] = l
	}
	routes := a.routes()
	a.versions = rangesOf(routes)
	return a, wire.NewRoutes(routes)
}

// routes is the one list of what is served. The ranges stand in each API's file.
func (a *API) routes() []wire.Route {
	routes := []wire.Route{
		a.produceRoute(),
		a.fetchRoute(),
		a.listOffsetsRoute(),
		a.metadataRoute(),
		a.apiVersionsRoute(),
		a.createTopicsRoute(),
		a.deleteTopicsRoute(),
		a.deleteRecordsRoute(),
		a.initProducerIDRoute(),
		a.offsetForLeaderEpochRoute(),
		a.describeConfigsRoute(),
		a.alterConfigsRoute(),
		a.describeLogDirsRoute(),
		a.createPartitionsRoute(),
		a.incrementalAlterConfigsRoute(),
		a.describeClusterRoute(),
		a.describeTopicPartitionsRoute(),
	}
	if a.groups == nil {
		return routes
	}
	return append(routes,
		a.offsetCommitRoute(),
		a.offsetFetchRoute(),
		a.findCoordinatorRoute(),
		a.joinGroupRoute(),
		a.heartbeatRoute(),
		a.leaveGroupRoute(),
		a.syncGroupRoute(),
		a.describeGroupsRoute(),
		a.listGroupsRoute(),
		a.deleteGroupsRoute(),
		a.offsetDeleteRoute(),
		a.consumerGroupHeartbeatRoute(),
		a.consumerGroupDescribeRoute(),
	)
}

// Name is the name of an API key, "" if there is none.
func Name(key int16) string {
	if r := kmsg.RequestForKey(key); r != nil {
		return kmsg.NameForKey(key)
	}
	return ""
}

// serve makes a route for versions min to max of the API whose request is Q: f
// fills the answer, which has the request's version and kmsg's defaults.
func serve[Q kmsg.Request, S kmsg.Response](min, max int16, f func(r *wire.Request, req Q, resp S)) wire.Route {
	return route(min, max, func(r *wire.Request, req Q) wire.Reply {
		resp := req.ResponseKind().(S)
		f(r, req, resp)
		return wire.Now(resp)
	})
}

// route makes a route whose handler chooses the reply itself.
func route[Q kmsg.Request](min, max int16, f func(r *wire.Request, req Q) wire.Reply) wire.Route {
	var kind Q
	key := kind.Key()
	return wire.Route{Key: key, Min: min, Max: max, AdvertisedMin: min, Handle: func(r *wire.Request) wire.Reply {
		req := kmsg.RequestForKey(key).(Q)
		req.SetVersion(r.Version)
		if err := req.ReadFrom(r.Body); err != nil {
			return wire.Hangup(fmt.Errorf("%s version %d: %w", kmsg.NameForKey(key), r.Version, err))
		}
		return f(r, req)
	}}
}

// brokerAddress is the address that a client of the connection should use.
func (a *API) brokerAddress(c *wire.Conn) (host string, port int32) {
	if l, ok := a.advertised[c.Listener()]; ok {
		return l.Host, int32(l.Port)
	}
	local := c.Local()
	return local.Addr().String(), int32(local.Port())
}

// unasked is the value of an authorized operations field that was not asked for.
const unasked = -2147483648
