package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"sordini/server/partition"
)

func TestKafkaMetrics(t *testing.T) {
	s, err := Start(context.Background(), options(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	if _, errs := s.set.CreateTopics([]partition.Topic{{Name: "orders", Partitions: 2}}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	resp, err := http.Get("http://" + s.Addresses().Admin + "/metrics/kafka")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`kafka_broker_info{address="` + s.Addresses().Kafka + `",id="1"} 1`, `kafka_topic_partitions{topic="orders"} 2`,
		`kafka_topic_partition_current_offset{partition="1",topic="orders"} 0`, `kafka_topic_partition_in_sync_replica{partition="0",topic="orders"} 1`,
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}
