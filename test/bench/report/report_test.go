package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func filled() *Table {
	t := new(Table)
	for i, v := range []float64{3, 1, 2} {
		t.Add(Floor, false, Reading{"work", "s", v})
		t.Add("sordini", i == 0, Reading{"work", "s", 2 * v})
		t.Add("other", false, Reading{"rest", "B", 0})
		t.Add(Kafka, false, Reading{"work", "s", 1000 * v})
	}
	return t
}

func TestTable_Text(t *testing.T) {
	var out bytes.Buffer
	if err := filled().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"NAME SIDE MEDIAN [MIN,MAX] UNIT OF FLOOR OF KAFKA",
		"work floor 2.00 [1.00,3.00] s - 0.00100x",
		"work sordini 4.00* [2.00,6.00] s 2.00x 0.00200x",
		"work kafka 2000 [1000,3000] s 1000x -",
		"rest other 0 [0,0] B - -",
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
	}
	for i, l := range lines {
		if got := strings.Join(strings.Fields(l), " "); got != want[i] {
			t.Errorf("line %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestTable_JSON(t *testing.T) {
	var out bytes.Buffer
	if err := filled().WriteJSON(&out, map[string]int{"cores": 2}, nil); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Facts map[string]int
		Rows  []Row
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Facts["cores"] != 2 || len(got.Rows) != 4 {
		t.Fatalf("got %+v", got)
	}
	if r := got.Rows[1]; r.Side != "sordini" || r.Median != 4 || r.OfFloor != 2 || r.Disturbed != 1 || len(r.Values) != 3 {
		t.Errorf("row of sordini: %+v", r)
	}
}

func TestTable_Median(t *testing.T) {
	table := filled()
	table.Add(Floor, false, Reading{"work", "s", 4})
	if m, ok := table.Median("work", Floor); !ok || m != 2.5 {
		t.Errorf("median of 1, 2, 3, 4 is %v, %v", m, ok)
	}
	if _, ok := table.Median("work", "nobody"); ok {
		t.Error("a median of nothing")
	}
}

func TestLatencies(t *testing.T) {
	var samples []time.Duration
	for i := 1000; i > 0; i-- {
		samples = append(samples, time.Duration(i)*time.Microsecond)
	}
	for i, want := range []float64{500, 990, 999} {
		if got := Latencies("x", samples)[i].Value; got != want {
			t.Errorf("quantile %d is %v, want %v", i, got, want)
		}
	}
	if got := Latencies("x", samples[:1]); len(got) != 3 || got[0].Value != got[2].Value {
		t.Errorf("of one sample: %v", got)
	}
	if got := Latencies("x", nil); got != nil {
		t.Errorf("of none: %v", got)
	}
}

func TestTable_Judge(t *testing.T) {
	verdicts := filled().Judge([]Target{
		{Name: "work", Side: "sordini", Of: Floor, Most: 2},
		{Name: "work", Side: "sordini", Of: Kafka, Least: 2},
		{Name: "work", Side: "sordini", Least: 4},
		{Name: "work", Side: "sordini", Most: 3.9},
		{Name: "work", Side: "nobody", Of: Floor, Most: 1},
		{Name: "rest", Side: "other", Of: Floor, Most: 1},
	})
	var out bytes.Buffer
	if err := WriteVerdicts(&out, verdicts); err != nil {
		t.Fatal(err)
	}
	want := "TARGET VALUE MET work <= 2.00x floor 2.00 yes work >= 2.00x kafka 0.00200 no " +
		"work >= 4.00 s 4.00 yes work <= 3.90 s 4.00 no"
	if got := strings.Join(strings.Fields(out.String()), " "); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
