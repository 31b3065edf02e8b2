package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// DescribeCluster (key 60), versions 0 to 2 (KIP-700).
//
//	v1  endpoint type: brokers or controllers (KIP-919)
//	v2  fenced brokers (KIP-1073), of which there are none
//
// Nobody but a controller's listener tells the controllers: a broker answers
// MISMATCHED_ENDPOINT_TYPE.
func (a *API) describeClusterRoute() wire.Route {
	return serve(0, 2, a.describeCluster)
}

// Types of endpoints (KIP-919).
const (
	brokerEndpoints     = 1
	controllerEndpoints = 2
)

func (a *API) describeCluster(r *wire.Request, req *kmsg.DescribeClusterRequest, resp *kmsg.DescribeClusterResponse) {
	if err := checkEndpointType(req.EndpointType); err != nil {
		resp.ErrorCode, resp.ErrorMessage = a.codeMessage(err)
		return
	}
	image := a.set.Image()
	resp.ClusterID, resp.ControllerID = image.ClusterID(), image.NodeID()
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID = image.NodeID()
	b.Host, b.Port = a.brokerAddress(r.Conn)
	if rack := a.set.Broker().Rack; rack != "" {
		b.Rack = &rack
	}
	resp.Brokers = append(resp.Brokers, b)
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
}

func checkEndpointType(t int8) error {
	switch t {
	case brokerEndpoints:
		return nil
	case controllerEndpoints:
		return fail(kerr.MismatchedEndpointType,
			"The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	default:
		return fail(kerr.UnsupportedEndpointType, fmt.Sprintf("Unsupported endpoint type %d", t))
	}
}
