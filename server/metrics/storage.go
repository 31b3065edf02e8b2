package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Storage is what is found out about the data directory when somebody asks.
type Storage struct {
	Dir       string
	DiskState int     // 0 ok, 1 warn, 2 full
	DiskUsed  float64 // share of the file system
	DiskFree  uint64  // bytes

	UnflushedBytes int64         // written and not forced to disk, of all logs
	UnflushedAge   time.Duration // of the oldest of them; 0 if there are none
	CheckpointAge  time.Duration // since the last checkpoint was written
	JournalBroken  bool
}

var (
	diskUsed = prometheus.NewDesc("sordini_disk_used_ratio", "Used share of the file system of a data directory.", []string{"dir"}, nil)
	diskFree = prometheus.NewDesc("sordini_disk_free_bytes", "Free bytes of the file system of a data directory.", []string{"dir"}, nil)
	diskFull = prometheus.NewDesc("sordini_disk_state", "State of the file system of a data directory: 0 ok, 1 above the warning limit, 2 full, clients write nothing.", []string{"dir"}, nil)

	unflushedBytes = prometheus.NewDesc("sordini_unflushed_bytes", "Bytes written to logs and not yet forced to disk, in a log or in the journal.", nil, nil)
	unflushedAge   = prometheus.NewDesc("sordini_unflushed_age_seconds", "Time since the oldest of the unflushed bytes was written, 0 if there are none.", nil, nil)
	checkpointAge  = prometheus.NewDesc("sordini_checkpoint_age_seconds", "Time since the last checkpoint, from which recovery starts, was written.", nil, nil)
	journalBroken  = prometheus.NewDesc("sordini_journal_broken", "1 if the journal is not used any more since a write or sync of it failed; each log is synced by itself then.", nil, nil)
)

// storageCollector asks read whenever metrics are collected.
type storageCollector struct{ read func() Storage }

// ObserveStorage shows what read finds out, which is called for each scrape.
func (m *Metrics) ObserveStorage(read func() Storage) { m.Register(storageCollector{read}) }

func (storageCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{diskUsed, diskFree, diskFull, unflushedBytes, unflushedAge, checkpointAge, journalBroken} {
		ch <- d
	}
}

func (c storageCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(diskUsed, s.DiskUsed, s.Dir)
	gauge(diskFree, float64(s.DiskFree), s.Dir)
	gauge(diskFull, float64(s.DiskState), s.Dir)
	gauge(unflushedBytes, float64(s.UnflushedBytes))
	gauge(unflushedAge, s.UnflushedAge.Seconds())
	gauge(checkpointAge, s.CheckpointAge.Seconds())
	broken := 0.0
	if s.JournalBroken {
		broken = 1
	}
	gauge(journalBroken, broken)
}
