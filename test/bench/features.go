//go:build linux

package main

import (
	"slices"

	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// features compares produce, 16 KiB batches of records with keys, to topics of sordini
// that differ in one setting: what the key index and the audit cost. Segments are small,
// so that many of them are sealed and their indexes written meanwhile.
func (b *bench) features() error {
	servers, err := b.servers()
	if err != nil {
		return err
	}
	s := servers[slices.IndexFunc(servers, func(s *server) bool { return s.side == sordini })]
	var contenders []contender
	for _, setting := range []string{"", "index.key", "audit.enable"} {
		side := setting
		if side == "" {
			side = sordini
		}
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) { return b.featureTurn(s, setting) }})
	}
	return b.compete("features", contenders)
}

// keyedBatches is how many different batches are written over and over.
const keyedBatches = 64

// featureTurn writes to a topic with a setting switched on, "" for none.
func (b *bench) featureTurn(s *server, setting string) (readings []report.Reading, err error) {
	const unit = 16 << 10
	l := load{topic: b.name("topic"), partitions: partitionCount, unit: unit, count: int(b.size) / unit}
	c := configs(s.side, flushNever)
	c["segment.bytes"] = "16777216"
	if setting != "" {
		c[setting] = "true"
	}
	if err := raw.Create(s.addr, raw.Topic{Name: l.topic, Partitions: l.partitions, Configs: c}); err != nil {
		return nil, err
	}
	defer lastly(func() error { return b.remove(s, l.topic) }, &err)
	var frames [][]byte
	for i := range keyedBatches {
		frames = append(frames, raw.Produce(l.topic, l.partitions, 1, raw.Keyed(unit, uint64(i+1)))...)
	}
	conn, err := raw.Dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := b.prime(l.bytes()); err != nil {
		return nil, err
	}
	took, err := costOf(s.pid, func() error { return conn.Pipeline(frames, l.count, inFlight, raw.Accepted) })
	if err != nil {
		return nil, err
	}
	return took.perGiB("produce 16 KiB batches with keys", l.bytes()), l.verify(s.addr)
}
