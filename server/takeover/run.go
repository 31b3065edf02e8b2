package takeover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sordini/protocol"
	"sordini/segment"
	"sordini/server/meta"
)

// run is one import.
type run struct {
	opt     *Options
	from    *sources
	to      *target
	report  *Report
	handles *segment.Handles

	topic       atomic.Pointer[string]
	bytes       atomic.Int64
	total       int64
	done, plans int
	telling     sync.Mutex
	told        time.Time
}

// Run copies topics into the data directory. When it returns they are durable. The
// error is of what concerns all of them; what keeps a single topic from being taken is
// in the report, which is there with an error too, unless it came before anything was
// read. A Run that was interrupted, by ctx or in any other way, may be repeated.
func Run(ctx context.Context, opt Options) (*Report, error) {
	r := &run{opt: &opt, report: &Report{
		DryRun: opt.DryRun, Sources: []SourceReport{}, Topics: []*TopicReport{}, Skipped: []Skipped{}, Notes: []string{},
	}, handles: segment.NewHandles(opt.FS, 0)}
	if err := checkPatterns(opt.Topics); err != nil {
		return nil, err
	}
	var err error
	if r.from, err = openSources(&opt); err != nil {
		return nil, err
	}
	defer r.from.close()
	if r.to, err = openTarget(&opt, r.from); err != nil {
		return nil, err
	}
	defer r.to.close()
	for _, s := range r.from.all {
		r.report.Sources = append(r.report.Sources, s.report())
	}
	err = r.all(ctx)
	r.report.Skipped = append(r.report.Skipped, r.from.skipped...)
	r.report.Notes = append(r.report.Notes, slices.Concat(r.from.notes, r.to.told())...)
	return r.report, err
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("topic pattern %q: %w", p, err)
		}
	}
	return nil
}

// all takes the topics one after the other.
func (r *run) all(ctx context.Context) error {
	chosen, err := r.choose()
	if err != nil {
		return err
	}
	if err := r.measure(chosen); err != nil {
		return err
	}
	for _, p := range chosen {
		t := &TopicReport{Name: p.name, ID: p.id.String(), Configs: map[string]string{}, LeftOut: []LeftOut{}, Partitions: []PartitionReport{}}
		r.report.Topics = append(r.report.Topics, t)
		r.topic.Store(&p.name)
		err := r.take(ctx, p, t)
		var no *refusal
		switch {
		case errors.As(err, &no):
			t.Result, t.Reason, t.Damage = Refused, no.reason, t.Damage || no.damage
		case err != nil:
			t.Result, t.Reason = Refused, err.Error()
			return fmt.Errorf("topic %q: %w", p.name, err)
		}
		r.done++
		r.tell(true)
	}
	return r.to.finish()
}

// choose returns the topics that are wanted and not there yet.
func (r *run) choose() ([]*plan, error) {
	var chosen []*plan
	matched := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(r.from.plans)) {
		p := r.from.plans[name]
		if strings.HasPrefix(name, "__") && r.internal(p) {
			continue
		}
		wanted := len(r.opt.Topics) == 0 || name == GroupsTopic
		for _, pattern := range r.opt.Topics {
			if ok, _ := path.Match(pattern, name); ok {
				wanted, matched[pattern] = true, true
			}
		}
		if wanted {
			chosen = append(chosen, p)
		}
	}
	for _, pattern := range r.opt.Topics {
		if !matched[pattern] {
			return nil, fmt.Errorf("no topic matches %q: %w", pattern, ErrSource)
		}
	}
	return chosen, nil
}

// internalTopics are those of Kafka's own that have no use here.
var internalTopics = map[string]string{
	"__transaction_state": "there are no transactions here", "__share_group_state": "there are no share groups here",
	"__remote_log_metadata": "there is no tiered storage here",
}

// internal says whether a topic is one of Kafka's own that is not taken.
func (r *run) internal(p *plan) bool {
	if reason, ok := internalTopics[p.name]; ok {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s is not taken over: %s", p.name, reason))
		return true
	}
	if p.name != GroupsTopic {
		return false
	}
	if !r.opt.Groups {
		return true
	}
	if i := r.to.image(); i != nil && i.Topic(p.name) != nil && i.Topic(p.name).ID != p.id {
		r.report.Notes = append(r.report.Notes, "groups and their offsets are not taken over: the data directory has groups of its own")
		return true
	}
	return false
}

// measure adds up what there is to read, and makes sure that there is room for it.
func (r *run) measure(chosen []*plan) error {
	r.plans = len(chosen)
	for _, p := range chosen {
		if p.fault != "" || r.there(p) != nil {
			continue
		}
		for i := range p.places {
			s := r.survey(p, int32(i))
			if n, err := s.size(); err == nil { // an error comes again when it is read
				r.total += n
			}
		}
	}
	if r.opt.DryRun {
		return nil
	}
	usage, err := r.opt.FS.Usage(r.opt.DataDir)
	shares := usage.Type == "xfs" || usage.Type == "btrfs" // a copy may take no space
	if err == nil && usage.Total > 0 && !shares && usage.Free < uint64(r.total) {
		return fmt.Errorf("%s: %w: %d bytes are free, the topics have %d", r.opt.DataDir, ErrTarget, usage.Free, r.total)
	}
	return nil
}

// there is a topic of the data directory that has the name or the id; nil if none has.
func (r *run) there(p *plan) *meta.Topic {
	i := r.to.image()
	if i == nil {
		return nil
	}
	if t := i.Topic(p.name); t != nil {
		return t
	}
	return i.TopicByID(p.id)
}

// admit says why a topic can't be taken, before anything is read.
func (r *run) admit(p *plan) error {
	if p.fault != "" {
		return &refusal{reason: p.fault}
	}
	if err := protocol.ValidTopicName(p.name); err != nil {
		return &refusal{reason: err.Error()}
	}
	if len(p.places) == 0 {
		return &refusal{reason: "it has no partitions"}
	}
	if t := r.there(p); t != nil {
		return &refusal{reason: fmt.Sprintf("the data directory has a topic %s with the id %s already", t.Name, t.ID)}
	}
	if r.to.image() == nil {
		return nil
	}
	for t := range r.to.image().Deleting() {
		if t.Name == p.name || t.ID == p.id {
			return &refusal{reason: "the data directory has a topic of this name or id whose deletion is not done; start the server once"}
		}
	}
	return nil
}

// take takes one topic.
func (r *run) take(ctx context.Context, p *plan, t *TopicReport) error {
	if have := r.there(p); have != nil && have.Name == p.name && have.ID == p.id {
		t.Result = Exists
		if !r.opt.DryRun {
			r.to.dropLeftovers(p)
		}
		return nil
	}
	if err := r.admit(p); err != nil {
		return err
	}
	t.Configs, t.LeftOut = r.settings(p.configs)
	if r.opt.DryRun {
		if _, err := r.copies(ctx, p, t); err != nil {
			return err
		}
		t.Result = WouldImport
		return nil
	}
	keep := false
	defer func() {
		if !keep {
			r.abandon(p)
		}
	}()
	copies, err := r.copies(ctx, p, t)
	if err != nil {
		return err
	}
	entries, err := r.open(p, t, copies)
	if err != nil {
		return err
	}
	keep, err = r.to.add(p, r.records(p, t, copies), entries)
	if err == nil {
		t.Result = Imported
		r.to.dropLeftovers(p)
	}
	return err
}

// abandon removes what was copied of a topic. What can't be removed is removed later.
func (r *run) abandon(p *plan) {
	for i := range p.places {
		if err := r.to.remove(r.to.aside(p, int32(i))); err != nil {
			r.opt.Logger.Warn("the copy of a partition remains until the next start", "topic", p.name, "partition", i, "err", err)
		}
	}
}

// settings are those of a topic that can be kept, and the others.
func (r *run) settings(configs map[string]string) (kept map[string]string, out []LeftOut) {
	kept, out = make(map[string]string), []LeftOut{}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		err := r.opt.Values.ValidateTopic(map[string]string{name: configs[name]})
		if err != nil {
			out = append(out, LeftOut{name, configs[name], err.Error()})
			continue
		}
		kept[name] = configs[name]
	}
	for _, name := range []string{"min.compaction.lag.ms", "max.compaction.lag.ms"} {
		err := r.opt.Values.ValidateTopic(kept)
		if value, ok := kept[name]; ok && err != nil { // with what the broker says of the other
			out = append(out, LeftOut{name, value, err.Error()})
			delete(kept, name)
		}
	}
	return kept, out
}

// tell reports progress, at most every so often unless it must.
func (r *run) tell(must bool) {
	if r.opt.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	const interval = 200 * time.Millisecond
	if now := time.Now(); must || now.Sub(r.told) >= interval {
		r.told = now
		r.opt.Progress(Progress{Topic: *r.topic.Load(), Bytes: r.bytes.Load(), Total: r.total, Topics: r.done, All: r.plans})
	}
}
