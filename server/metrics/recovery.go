package metrics

import "github.com/prometheus/client_golang/prometheus"

// Recovery is how far opening the logs is: what is done, and what is to be done in all.
type Recovery struct {
	PartitionsDone, PartitionsPlanned int64
	SegmentsDone, SegmentsPlanned     int64 // that have to be scanned
	BytesDone, BytesPlanned           int64 // in those
	JournalEntries                    int64 // written back into segments
}

// ObserveRecovery shows what read tells, which is called for each scrape.
func (m *Metrics) ObserveRecovery(read func() Recovery) { m.Register(recoveryCollector{read}) }

var (
	recoveryPartitions = prometheus.NewDesc("sordini_recovery_partitions", "Partitions that the start has opened (done), and that there are (planned).", []string{"state"}, nil)
	recoverySegments   = prometheus.NewDesc("sordini_recovery_segments", "Segments that the start has scanned (done), and that it has to scan (planned).", []string{"state"}, nil)
	recoveryBytes      = prometheus.NewDesc("sordini_recovery_bytes", "Bytes of segments that the start has scanned (done), and that it has to scan (planned).", []string{"state"}, nil)
	recoveryJournal    = prometheus.NewDesc("sordini_recovery_journal_entries", "Entries of the journal that the start has written back into segments.", nil, nil)
)

type recoveryCollector struct{ read func() Recovery }

func (recoveryCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recoveryPartitions, recoverySegments, recoveryBytes, recoveryJournal} {
		ch <- d
	}
}

func (c recoveryCollector) Collect(ch chan<- prometheus.Metric) {
	r := c.read()
	both := func(d *prometheus.Desc, done, planned int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(done), "done")
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(planned), "planned")
	}
	both(recoveryPartitions, r.PartitionsDone, r.PartitionsPlanned)
	both(recoverySegments, r.SegmentsDone, r.SegmentsPlanned)
	both(recoveryBytes, r.BytesDone, r.BytesPlanned)
	ch <- prometheus.MustNewConstMetric(recoveryJournal, prometheus.GaugeValue, float64(r.JournalEntries))
}
