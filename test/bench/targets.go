//go:build linux

package main

import "sordini/test/bench/report"

// targets are what sordini wants to reach. Missing one fails nothing.
func targets() []report.Target {
	var all []report.Target
	most := func(name, of string, limit float64) {
		all = append(all, report.Target{Name: name, Side: sordini, Of: of, Most: limit})
	}
	least := func(name, of string, limit float64) {
		all = append(all, report.Target{Name: name, Side: sordini, Of: of, Least: limit})
	}
	for _, batches := range []string{"16 KiB", "1 MiB"} {
		most("fetch 1 MiB of "+batches+" batches: CPU", report.Floor, 1.1)
		most("fetch 1 MiB of "+batches+" batches: CPU", floorNet, 1.1)
		most("fetch 1 MiB of "+batches+" batches: CPU", report.Kafka, 1.0/4)
		most("produce "+batches+" batches: CPU", report.Floor, 1.5)
		most("produce "+batches+" batches: CPU", report.Kafka, 1.0/5)
	}
	most("produce 1 KiB requests: CPU", "", 8)
	all = append(all,
		report.Target{Name: "produce 16 KiB batches with keys: CPU", Side: "index.key", Of: sordini, Most: 1.10},
		report.Target{Name: "produce 16 KiB batches with keys: CPU", Side: "audit.enable", Of: sordini, Most: 1.05})
	least("franz-go produce: rate", report.Kafka, 2.5)
	most("one record at a time, p99", report.Kafka, 1.0/10)
	least("fsync before ack, 64 producers, 8 partitions: rate", report.Floor, 0.8)
	least("fsync before ack, 64 producers, 8 partitions: rate", floorNet, 0.8)
	least("fsync before ack, 64 producers, 8 partitions: rate", floorFiles, 0.8)
	least("fsync before ack, 64 producers, 8 partitions: rate", report.Kafka, 3)
	most("memory under load, at most", "", 64)
	most("memory under load, at most", report.Kafka, 1.0/5)
	most("start", report.Kafka, 1.0/10)
	most("start with 10000 partitions", "", 2)
	most("start with 10000 partitions: open files", "", 12_000)
	most("recovery after kill -9: CPU", report.Floor, 1.3)
	return all
}
