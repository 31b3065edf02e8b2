package api

import (
	"math"
	"slices"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/config"
)

// important says whether a batch has to be forced to disk before it is acknowledged
// and shown, where the policy leaves a choice (flush.policy=hybrid): by the topic's
// priority, by a header of its records, or by what the producer waits for.
func (a *API) important(t *config.Topic, acks int16, ap *log.Append, inside *allowance) (bool, error) {
	switch rule := &t.Priority; {
	case t.FlushPolicy != config.FlushHybrid, rule.All:
		return true, nil
	case rule.Header == "":
		return acks == acksAll, nil
	}
	if ap.Header.Codec() != batch.CodecNone {
		defer a.occupy()()
	}
	for r, err := range batch.Records(ap.Batch, inside.limits(math.MaxInt64)) {
		if err != nil {
			return false, err
		}
		if picked(r, &t.Priority) {
			return true, nil
		}
	}
	return false, nil
}

// picked says whether a record has the header with one of the values.
func picked(r batch.Record, rule *config.Priority) bool {
	for h := range r.Headers() {
		if h.Key == rule.Header && slices.Contains(rule.High, string(h.Value)) {
			return true
		}
	}
	return false
}
