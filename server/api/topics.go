package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/meta"
)

// maxNewPartitions is how many partitions one request may create, as in Kafka.
const maxNewPartitions = 10_000

// Failures whose messages several APIs share; the texts are Kafka's.
var (
	errDuplicateName     = fail(kerr.InvalidRequest, "Duplicate topic name.")
	errTooManyPartitions = fail(kerr.PolicyViolation, "Excessively large number of partitions per request.")
)

// plain is kind with no more to say than its description.
func plain(kind *kerr.Error) error { return fail(kind, kind.Description) }

// noTopic is the failure of a change of a topic that is not there.
func noTopic(name string) error {
	return fail(kerr.UnknownTopicOrPartition, fmt.Sprintf("The topic '%s' does not exist.", name))
}

// checkReplicas checks the replicas that a request wants for one partition: there
// is no other broker than this one, and it holds one replica.
func checkReplicas(image *meta.Image, replicas []int32) error {
	if len(replicas) == 0 {
		return fail(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	node := image.NodeID()
	if i := slices.IndexFunc(replicas, func(id int32) bool { return id != node }); i >= 0 {
		return fail(kerr.InvalidReplicaAssignment,
			fmt.Sprintf("The manual partition assignment includes broker %d, but no such broker is registered.", replicas[i]))
	}
	if len(replicas) > 1 {
		return fail(kerr.InvalidReplicaAssignment,
			fmt.Sprintf("The manual partition assignment includes the broker %d more than once.", node))
	}
	return nil
}

// occurrences counts how often each key occurs.
func occurrences[E any, K comparable](list []E, key func(E) K) map[K]int {
	n := make(map[K]int, len(list))
	for _, e := range list {
		n[key(e)]++
	}
	return n
}

// collisions finds topics whose names differ from another only in '.' and '_'. It
// is made for one request, and looks at all topics once, when first asked.
type collisions struct {
	image   *meta.Image
	unified map[string]string // first name by how it looks without the difference
}

// find returns a topic that a new one of this name would collide with, "" if none.
func (c *collisions) find(name string) string {
	if !strings.ContainsAny(name, "._") {
		return ""
	}
	if c.unified == nil {
		c.unified = make(map[string]string)
		for t := range c.image.Topics() {
			c.add(t.Name)
		}
	}
	return c.unified[unify(name)]
}

// add counts a topic that is about to be created, after find.
func (c *collisions) add(name string) {
	if key := unify(name); strings.Contains(key, "_") && c.unified[key] == "" {
		c.unified[key] = name
	}
}

func unify(name string) string { return strings.ReplaceAll(name, ".", "_") }
