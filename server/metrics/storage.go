package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Storage is what is found out about a data directory when somebody asks.
type Storage struct {
	Dir       string
	Offline   bool
	DiskState int     // 0 ok, 1 warn, 2 full
	DiskUsed  float64 // share of the file system
	DiskFree  uint64  // bytes

	UnflushedBytes int64         // written and not forced to disk, of all logs there
	UnflushedAge   time.Duration // of the oldest of them; 0 if there are none
	CheckpointAge  time.Duration // since the last checkpoint was written
	JournalBroken  bool
	Flushes        int64         // of logs and the journal there
	FlushTime      time.Duration // of all of them

	// Measured at the start where there are several data directories, else 0.
	ProbedSync  time.Duration // of a small write
	ProbedSpeed float64       // bytes a second, written and forced to disk
}

var (
	dirOffline = prometheus.NewDesc("sordini_dir_offline", "1 if a data directory is offline with all its partitions since it failed.", []string{"dir"}, nil)

	dirFlushes   = prometheus.NewDesc("sordini_dir_flushes_total", "Flushes of logs and of the journal in a data directory.", []string{"dir"}, nil)
	dirFlushTime = prometheus.NewDesc("sordini_dir_flush_seconds_total", "Time that the flushes in a data directory took, all together.", []string{"dir"}, nil)

	dirSync  = prometheus.NewDesc("sordini_dir_probe_sync_seconds", "Time that a small write with its fsync took in a data directory at the start; only if there are several.", []string{"dir"}, nil)
	dirSpeed = prometheus.NewDesc("sordini_dir_probe_bytes_per_second", "Bytes per second that were written and forced to disk in a data directory at the start; only if there are several.", []string{"dir"}, nil)

	diskUsed = prometheus.NewDesc("sordini_disk_used_ratio", "Used share of the file system of a data directory.", []string{"dir"}, nil)
	diskFree = prometheus.NewDesc("sordini_disk_free_bytes", "Free bytes of the file system of a data directory.", []string{"dir"}, nil)
	diskFull = prometheus.NewDesc("sordini_disk_state", "State of the file system of a data directory: 0 ok, 1 above the warning limit, 2 full, clients write nothing.", []string{"dir"}, nil)

	unflushedBytes = prometheus.NewDesc("sordini_unflushed_bytes", "Bytes written to the logs of a data directory and not yet forced to disk, in a log or in the journal.", []string{"dir"}, nil)
	unflushedAge   = prometheus.NewDesc("sordini_unflushed_age_seconds", "Time since the oldest of the unflushed bytes of a data directory was written, 0 if there are none.", []string{"dir"}, nil)
	checkpointAge  = prometheus.NewDesc("sordini_checkpoint_age_seconds", "Time since the last checkpoint of a data directory, from which recovery starts, was written; 0 for one that is offline.", []string{"dir"}, nil)
	journalBroken  = prometheus.NewDesc("sordini_journal_broken", "1 if the journal of a data directory is not used any more since a write or sync of it failed; each log is synced by itself then.", []string{"dir"}, nil)
)

// storageCollector asks read whenever metrics are collected.
type storageCollector struct{ read func() []Storage }

// ObserveStorage shows what read finds out, which is called for each scrape.
func (m *Metrics) ObserveStorage(read func() []Storage) { m.Register(storageCollector{read}) }

func (storageCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{dirOffline, dirFlushes, dirFlushTime, dirSync, dirSpeed, diskUsed, diskFree, diskFull, unflushedBytes, unflushedAge, checkpointAge, journalBroken} {
		ch <- d
	}
}

func (c storageCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.read() {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.Dir)
		}
		gauge(dirOffline, number(s.Offline))
		ch <- prometheus.MustNewConstMetric(dirFlushes, prometheus.CounterValue, float64(s.Flushes), s.Dir)
		ch <- prometheus.MustNewConstMetric(dirFlushTime, prometheus.CounterValue, s.FlushTime.Seconds(), s.Dir)
		if s.ProbedSync > 0 && s.ProbedSpeed > 0 {
			gauge(dirSync, s.ProbedSync.Seconds())
			gauge(dirSpeed, s.ProbedSpeed)
		}
		gauge(diskUsed, s.DiskUsed)
		gauge(diskFree, float64(s.DiskFree))
		gauge(diskFull, float64(s.DiskState))
		gauge(unflushedBytes, float64(s.UnflushedBytes))
		gauge(unflushedAge, s.UnflushedAge.Seconds())
		gauge(checkpointAge, s.CheckpointAge.Seconds())
		gauge(journalBroken, number(s.JournalBroken))
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
