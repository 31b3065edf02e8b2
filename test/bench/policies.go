//go:build linux

package main

import (
	"slices"

	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// mixed is the load of policies: one producer in ten writes payments, the others write
// logs, and all wait until they are acknowledged.
var mixed = cell{producers: 60, partitions: partitionCount}

// policies compares the flush policies of sordini under a load of which a tenth is
// important: sync forces all of it to disk first, hybrid the important tenth, async
// nothing.
func (b *bench) policies() error {
	servers, err := b.servers()
	if err != nil {
		return err
	}
	s := servers[slices.IndexFunc(servers, func(s *server) bool { return s.side == sordini })]
	var contenders []contender
	for _, policy := range []string{"sync", "hybrid", "async"} {
		topic := b.name("topic")
		err := raw.Create(s.addr, raw.Topic{Name: topic, Partitions: mixed.partitions, Configs: map[string]string{
			"flush.policy": policy, "flush.priority.header": "type", "flush.priority.high": "PAYMENT", "file.delete.delay.ms": "0",
		}})
		if err != nil {
			return err
		}
		defer b.remove(s, topic) // best effort: the directory goes at the end
		frames := mixedFrames(topic)
		contenders = append(contenders, contender{policy, func() ([]report.Reading, error) {
			readings, err := b.storm(mixed, s.addr, s.pid, frames, raw.Accepted)
			for i := range readings {
				readings[i].Name = "one record in ten important" + readings[i].Name[len(mixed.String()):]
			}
			return readings, err
		}})
	}
	return b.compete("policies", contenders)
}

// mixedFrames are the frames of all producers, each of which sends its own over and
// over.
func mixedFrames(topic string) [][]byte {
	var byKind [2][][]byte
	for kind, header := range []string{"LOG", "PAYMENT"} {
		byKind[kind] = raw.Produce(topic, mixed.partitions, raw.All, raw.Marked(recordSize, "type", header))
	}
	frames := make([][]byte, mixed.producers)
	for i := range frames {
		kind := 0
		if i%10 == 0 {
			kind = 1
		}
		frames[i] = byKind[kind][i%int(mixed.partitions)]
	}
	return frames
}
