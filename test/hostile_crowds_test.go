package test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// crowdOf makes requests with thousands of elements.
type crowdOf struct {
	elements int
	// name is that of the n-th thing.
	name func(n int) string
	// partition is the n-th index.
	partition func(n int) int32
	resource  kmsg.ConfigResourceType
}

// request is a request of the key whose arrays down to depth have one element, and
// those at depth all of them. It says false if there is no array so deep.
func (c crowdOf) request(key, version int16, depth int) (kmsg.Request, bool) {
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	ok := c.fill(reflect.ValueOf(r).Elem(), depth, 0)
	return r, ok
}

func (c crowdOf) fill(v reflect.Value, depth, n int) (done bool) {
	if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
		d.Default()
	}
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() != reflect.Uint8 && !done:
			size := 1
			if depth == 0 {
				size, done = c.elements, true
			} else if depth < 0 || f.Type().Elem().Kind() != reflect.Struct {
				continue
			}
			f.Set(reflect.MakeSlice(f.Type(), size, size))
			for j := range size {
				if e := f.Index(j); e.Kind() == reflect.Struct {
					done = c.fill(e, depth-1, j) || done
				} else {
					c.scalar(e, name, j)
				}
			}
		default:
			c.scalar(f, name, n)
		}
	}
	return done
}

func (c crowdOf) scalar(v reflect.Value, name string, n int) {
	switch {
	case name == "Version" || name == "ReplicaID" || name == "SessionEpoch":
	case v.Kind() == reflect.String:
		v.SetString(c.name(n))
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.String && name != "TransactionID":
		s := c.name(n)
		v.Set(reflect.ValueOf(&s))
	case v.Kind() == reflect.Int32 && strings.HasPrefix(name, "Partition"):
		v.SetInt(int64(c.partition(n)))
	case name == "ResourceType":
		v.SetInt(int64(c.resource))
	case name == "IncludeSynonyms" || name == "IncludeDocumentation" || name == "ValidateOnly":
		v.SetBool(true)
	case name == "Acks":
		v.SetInt(-1)
	case name == "MaxWaitMillis" || name == "MinBytes":
		v.SetInt(0)
	}
}

// TestHostile_Crowds sends requests with about as many elements as are let through
// to a server with many topics: the same thing again and again, all there is, and
// what there is not. None takes long, or memory for good.
func TestHostile_Crowds(t *testing.T) {
	topics, elements := 500, 45_000
	if raceEnabled {
		topics, elements = 100, 10_000
	}
	b := startBroker(t, "--set", "auto.create.topics.enable=false")
	create := kmsg.NewPtrCreateTopicsRequest()
	for i := range topics {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("topic_%d", i), 1, 1
		create.Topics = append(create.Topics, topic)
	}
	ask[*kmsg.CreateTopicsResponse](dial(t, b.addr), 5, create)
	makeCoordinatorTopic(t, b)
	ranges := apiRanges(dial(t, b.addr))
	before := measure(t, b)

	first := func(int) int32 { return 0 }
	nth := func(n int) int32 { return int32(n) }
	crowds := map[string]crowdOf{
		"one topic":            {elements, func(int) string { return "topic_1" }, first, kmsg.ConfigResourceTypeTopic},
		"partitions":           {elements, func(int) string { return "topic_1" }, nth, kmsg.ConfigResourceTypeGroupConfig},
		"all topics, in turns": {elements, func(n int) string { return fmt.Sprintf("topic_%d", n%topics) }, first, kmsg.ConfigResourceTypeTopic},
		"unknown topics":       {elements, func(n int) string { return fmt.Sprintf("no_such_topic.%d", n) }, nth, kmsg.ConfigResourceTypeGroupConfig},
		"the broker":           {elements, func(int) string { return "1" }, first, kmsg.ConfigResourceTypeBroker},
	}
	var worst time.Duration
	var which string
	peak, answers := int64(0), 0
	for _, k := range ranges {
		if k.ApiKey == 20 {
			continue // it deletes what the others are about
		}
		for name, c := range crowds {
			for depth := range 3 {
				req, ok := c.request(k.ApiKey, k.MaxVersion, depth)
				if !ok {
					continue
				}
				took, answer := crowdTime(t, b, req)
				if answer {
					answers++
				}
				text := fmt.Sprintf("%s, %s at depth %d", kmsg.NameForKey(k.ApiKey), name, depth)
				if took > bound(slowestAnswer) {
					t.Errorf("%s: took %v", text, took)
				}
				if took > worst {
					worst, which = took, text
				}
				peak = max(peak, resident(t, b)-before.resident)
			}
		}
	}
	t.Logf("%d answers, the slowest in %v (%s); %d MiB more at most", answers, worst, which, peak>>20)
	if answers < 80 {
		t.Errorf("%d answers: too few to mean anything", answers)
	}
	requireBack(t, b, before)
}

// crowdTime is how long a request takes, at best, and whether it is answered: it
// may have more elements than the server lets through.
func crowdTime(t testing.TB, b *broker, req kmsg.Request) (least time.Duration, answer bool) {
	t.Helper()
	least = time.Hour
	for try := 0; try < 3 && least > bound(slowestAnswer); try++ {
		w := dial(t, b.addr)
		apiRanges(w) // the first request may not be large
		began := time.Now()
		err := w.try(req, req.ResponseKind())
		least = min(least, time.Since(began))
		w.conn.Close()
		if answer = err == nil; !answer && err != errClosed {
			t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
		}
	}
	return least, answer
}
