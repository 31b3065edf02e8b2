package api

import (
	"testing"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/config"
)

// typed is a batch of records, each with a header "type" of a value; "" is one without.
func typed(t *testing.T, codec batch.Codec, types ...string) *log.Append {
	t.Helper()
	b := batch.Builder{Codec: codec}
	for _, value := range types {
		if value == "" {
			b.Add(1_600_000_000_000, nil, []byte("value"), batch.RecordHeader{Key: "other", Value: []byte("PAYMENT")})
			continue
		}
		b.Add(1_600_000_000_000, nil, []byte("value"), batch.RecordHeader{Key: "first"}, batch.RecordHeader{Key: "type", Value: []byte(value)})
	}
	a := log.NewAppend()
	var err error
	if a.Batch, err = b.Bytes(); err == nil {
		a.Header, err = batch.ParseHeader(a.Batch)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestImportant(t *testing.T) {
	h := newHarness(t)
	rule := config.Priority{Header: "type", High: []string{"PAYMENT", "ORDER"}}
	for _, codec := range []batch.Codec{batch.CodecNone, batch.CodecGzip, batch.CodecSnappy, batch.CodecLZ4, batch.CodecZstd} {
		for name, c := range map[string]struct {
			policy   config.FlushPolicy
			priority config.Priority
			acks     int16
			types    []string
			want     bool
		}{
			"sync":                    {config.FlushSync, rule, 1, []string{"LOG"}, true},
			"priority high":           {config.FlushHybrid, config.Priority{All: true, Header: "type"}, 1, []string{"LOG"}, true},
			"acks=all":                {config.FlushHybrid, config.Priority{}, acksAll, []string{"LOG"}, true},
			"acks=1":                  {config.FlushHybrid, config.Priority{}, 1, []string{"PAYMENT"}, false},
			"acks=0":                  {config.FlushHybrid, config.Priority{}, 0, []string{"PAYMENT"}, false},
			"the header says yes":     {config.FlushHybrid, rule, 1, []string{"PAYMENT"}, true},
			"of one of many":          {config.FlushHybrid, rule, acksAll, []string{"LOG", "LOG", "", "ORDER", "LOG"}, true},
			"the header says no":      {config.FlushHybrid, rule, acksAll, []string{"LOG", "payment", "PAYMENTS"}, false},
			"another header":          {config.FlushHybrid, rule, acksAll, []string{"", ""}, false},
			"no value of it is named": {config.FlushHybrid, config.Priority{Header: "type"}, acksAll, []string{"PAYMENT"}, false},
		} {
			inside := allowanceFor(1000)
			got, err := h.important(&config.Topic{FlushPolicy: c.policy, Priority: c.priority}, c.acks, typed(t, codec, c.types...), &inside)
			if err != nil || got != c.want {
				t.Errorf("%s, %v: %v %v, want %v", name, codec, got, err, c.want)
			}
		}
	}
}

// TestImportant_BadRecords: what cannot be read is refused, not taken for unimportant.
func TestImportant_BadRecords(t *testing.T) {
	h := newHarness(t)
	a := typed(t, batch.CodecGzip, "LOG")
	a.Batch[len(a.Batch)-1] ^= 0xff
	inside := allowanceFor(1000)
	topic := config.Topic{FlushPolicy: config.FlushHybrid, Priority: config.Priority{Header: "type", High: []string{"PAYMENT"}}}
	if important, err := h.important(&topic, acksAll, a, &inside); err == nil {
		t.Errorf("important: %v", important)
	}
}
