package event

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Writer writes the events of one member, one a line.
type Writer struct {
	mu         sync.Mutex
	out        *json.Encoder
	partitions int
}

// NewWriter writes to out the events of a member that reads a topic with this many
// partitions.
func NewWriter(out io.Writer, partitions int) *Writer {
	return &Writer{out: json.NewEncoder(out), partitions: partitions}
}

func (w *Writer) write(e Event) {
	e.At = time.Now().UnixNano()
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.out.Encode(e) // who reads the events sees that the pipe has ended
}

// Assigned tells that the member has these partitions from now on.
func (w *Writer) Assigned(generation int32, partitions []int32) {
	w.write(Event{Kind: Assigned, Generation: generation, Partitions: partitions})
}

// Revoked tells that the member is done with these partitions.
func (w *Writer) Revoked(partitions []int32) { w.write(Event{Kind: Revoked, Partitions: partitions}) }

// Lost tells that the member heard too late that these partitions are not its own.
func (w *Writer) Lost(partitions []int32) { w.write(Event{Kind: Lost, Partitions: partitions}) }

// Committed tells that the group took a commit.
func (w *Writer) Committed(partition int32, offset int64) {
	w.write(Event{Kind: Committed, Partition: partition, Offset: offset})
}

// Note tells something that is not wrong in itself.
func (w *Writer) Note(format string, args ...any) {
	w.write(Event{Kind: Note, Text: fmt.Sprintf(format, args...)})
}

// Fault tells something that is wrong.
func (w *Writer) Fault(format string, args ...any) {
	w.write(Event{Kind: Fault, Text: fmt.Sprintf(format, args...)})
}

// Run gathers the records of one partition as they are processed and tells of them in
// ranges without gaps. It is for one goroutine.
type Run struct {
	w           *Writer
	partition   int32
	first, next int64
}

// Run begins to gather the records of a partition.
func (w *Writer) Run(partition int32) *Run { return &Run{w: w, partition: partition} }

// Add takes one record. A value that is not that of its offset is a fault.
func (r *Run) Add(offset int64, value []byte) {
	if want := Value(r.w.partitions, r.partition, offset); string(value) != want {
		r.w.Fault("partition %d has %q at offset %d, want %s", r.partition, value, offset, want)
	}
	if offset != r.next {
		r.Flush()
		r.first = offset
	}
	r.next = offset + 1
}

// Flush tells of what was gathered.
func (r *Run) Flush() {
	if r.next > r.first {
		r.w.write(Event{Kind: Records, Partition: r.partition, First: r.first, Last: r.next - 1})
	}
	r.first = r.next
}
