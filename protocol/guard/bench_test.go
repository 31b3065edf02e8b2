package guard

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func BenchmarkCheckProduce(b *testing.B) {
	for _, version := range []int16{7, 13} {
		body := produce(version, 16<<10)
		b.Run(fmt.Sprintf("v%d", version), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(0, version, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheckFetch100Partitions(b *testing.B) {
	r := kmsg.NewPtrFetchRequest()
	r.SetVersion(18)
	topic := kmsg.NewFetchRequestTopic()
	for range 100 {
		topic.Partitions = append(topic.Partitions, kmsg.NewFetchRequestTopicPartition())
	}
	r.Topics = append(r.Topics, topic)
	body := r.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(1, 18, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckHeader(b *testing.B) {
	frame := []byte("\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x02ab\x00body")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := CheckHeader(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckMillionPartitions(b *testing.B) {
	body := hugeProduce(1)
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(0, 3, body); err != nil {
			b.Fatal(err)
		}
	}
}
