package main

import (
	"fmt"
	"strings"
)

// absent is a tool, or a part of one, that needs what sordini does not serve.
type absent struct {
	tool string
	apis string // names of the APIs that it needs
	why  string // instead: what else is missing
}

var notRun = []absent{
	{tool: "kafka-acls", apis: "DescribeAcls CreateAcls DeleteAcls"},
	{tool: "kafka-configs for users, clients and addresses", apis: "DescribeClientQuotas AlterClientQuotas DescribeUserScramCredentials AlterUserScramCredentials"},
	{tool: "kafka-configs for all groups and client metrics, kafka-client-metrics", apis: "ListConfigResources"},
	{tool: "kafka-leader-election", apis: "ElectLeaders"},
	{tool: "kafka-reassign-partitions", apis: "AlterPartitionReassignments ListPartitionReassignments"},
	{tool: "kafka-features upgrade and downgrade", apis: "UpdateFeatures"},
	{tool: "kafka-metadata-quorum", apis: "DescribeQuorum"},
	{tool: "kafka-transactions", apis: "ListTransactions DescribeTransactions DescribeProducers"},
	{tool: "transactional producers and consumers, exactly-once Streams", apis: "AddPartitionsToTxn AddOffsetsToTxn EndTxn TxnOffsetCommit"},
	{tool: "kafka-delegation-tokens", apis: "CreateDelegationToken RenewDelegationToken ExpireDelegationToken DescribeDelegationToken"},
	{tool: "kafka-share-groups, kafka-console-share-consumer, kafka-verifiable-share-consumer, kafka-share-consumer-perf-test", apis: "ShareGroupHeartbeat ShareGroupDescribe ShareFetch ShareAcknowledge"},
	{tool: "kafka-streams-groups", apis: "StreamsGroupHeartbeat StreamsGroupDescribe"},
	{tool: "kafka-cluster unregister", apis: "UnregisterBroker"},
	{tool: "kafka-configs for loggers", why: "there are no loggers of Java"},
}

// missing are the needed APIs that are not served.
func (a *absent) missing(served map[string]bool) []string {
	var names []string
	for _, api := range strings.Fields(a.apis) {
		if !served[api] {
			names = append(names, api)
		}
	}
	return names
}

// printAbsent lists what is not run, and returns how much of it could be by now.
func printAbsent(served map[string]bool) int {
	faults := 0
	for _, a := range notRun {
		if a.why != "" {
			fmt.Printf("not run  %s: %s\n", a.tool, a.why)
			continue
		}
		if missing := a.missing(served); len(missing) > 0 {
			fmt.Printf("not run  %s: not advertised: %s\n", a.tool, strings.Join(missing, ", "))
			continue
		}
		faults++
		fmt.Printf("DIFF     %s: %s are advertised by now, and there are no checks\n", a.tool, strings.ReplaceAll(a.apis, " ", ", "))
	}
	return faults
}
