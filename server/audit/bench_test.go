package audit

import (
	"fmt"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/wire"
)

// BenchmarkEntry is what a batch costs: its entry, and its share of the round that
// writes it. Batches of 8 clients come in turn, so that none becomes one with another.
func BenchmarkEntry(b *testing.B) {
	w := open(b, vfs.NewMem())
	defer w.halt()
	p := w.create("t")
	var clients []*wire.Client
	for i := range 8 {
		clients = append(clients, clientOf(fmt.Sprint("client-", i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Appended(p, clients[i%len(clients)], int64(i)*16, int64(i)*16+16, time.Now())
		if i%2000 == 0 {
			w.Collect()
		}
	}
}
