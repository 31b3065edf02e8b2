package main

import "sordini/test/javacheck/output"

// cluster are checks of tools that look at the whole.
var cluster = []check{
	{name: "versions of APIs", run: "broker-api-versions", reader: output.Versions()},
	{name: "id", run: "cluster cluster-id --bootstrap-server {broker}", rules: []*output.Rule{output.ClusterID}, want: []string{"Cluster ID: <id>"}},
	{name: "endpoints", run: "cluster list-endpoints --bootstrap-server {broker}", rules: []*output.Rule{output.Spaces}, want: []string{"unfenced"}},
	{name: "endpoints with fenced ones", run: "cluster list-endpoints --bootstrap-server {broker} --include-fenced-brokers", rules: []*output.Rule{output.Spaces}},
	{name: "features", run: "features --bootstrap-server {broker} describe", rules: []*output.Rule{output.Features}},
	{name: "compatibility of clients", run: "client-compatibility --topic compatible --offsets-for-times-supported True --cluster-id-supported True --expect-record-too-large-exception False --num-cluster-nodes 1 --create-topics-supported True --describe-acls-supported {acls} --describe-configs-supported True --idempotent-producer-supported True", rules: []*output.Rule{output.Order}},
	{name: "reset an application", run: "streams-resetter --application-id nothing --input-topics lines --to-earliest", rules: []*output.Rule{output.Order}},
	{name: "reset an application without topics", run: "streams-resetter --application-id nothing --input-topics nowhere", rules: []*output.Rule{output.Order}, status: 1},
}
