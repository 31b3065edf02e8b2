package partition

import (
	"errors"
	"fmt"
	"slices"

	"sordini/server/config"
)

// ErrNoDir: there is no data directory that takes new partitions.
var ErrNoDir = errors.New("no data directory takes new partitions")

// placer chooses the volumes of new partitions. It belongs to whoever holds
// Set.changing, and counts what it has placed.
type placer struct {
	set   *Set
	count map[*volume]int
}

func (s *Set) newPlacer() *placer {
	p := &placer{set: s, count: make(map[*volume]int, len(s.volumes))}
	if len(s.volumes) > 1 {
		for _, one := range s.All() {
			p.count[one.volume]++
		}
	}
	return p
}

// choose places n partitions of a topic, as Kafka does, each in the volume that has the
// fewest; of those of the topic's storage.class that are online, have space, and are not
// cordoned. always says that a full disk is better than none.
func (p *placer) choose(configs map[string]string, n int32, always bool) ([]*volume, error) {
	candidates, err := p.candidates(p.set.Broker().Topic(configs).StorageClass, always)
	if err != nil {
		return nil, err
	}
	chosen := make([]*volume, n)
	for i := range chosen {
		best := candidates[0]
		for _, v := range candidates[1:] {
			if p.count[v] < p.count[best] {
				best = v
			}
		}
		p.count[best]++
		chosen[i] = best
	}
	return chosen, nil
}

func (p *placer) candidates(class string, always bool) ([]*volume, error) {
	if err := p.set.checkClass(class); err != nil {
		return nil, err
	}
	var online, roomy []*volume
	var offline, full error
	for _, v := range p.set.volumes {
		if class != "" && v.Class != class {
			continue
		}
		if err := v.offline(); err != nil {
			offline = err
			continue
		}
		if v.Cordoned {
			continue
		}
		online = append(online, v)
		if err := v.space.writable(); err != nil {
			full = err
		} else {
			roomy = append(roomy, v)
		}
	}
	switch {
	case len(roomy) > 0:
		return roomy, nil
	case len(online) > 0 && always:
		return online, nil
	case len(online) > 0:
		return nil, full
	case offline != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoDir, offline)
	}
	return nil, fmt.Errorf("%w: all are in cordoned.log.dirs", ErrNoDir)
}

// checkClass says whether there is a storage class.
func (s *Set) checkClass(class string) error {
	return config.CheckStorageClass(class, s.classes())
}

// classes are the storage classes that there are, sorted.
func (s *Set) classes() []string {
	var all []string
	for _, v := range s.volumes {
		if v.Class != "" && !slices.Contains(all, v.Class) {
			all = append(all, v.Class)
		}
	}
	slices.Sort(all)
	return all
}

// CheckTopic says what is wrong with a topic's whole set of own settings; the error is
// config.ErrInvalidConfig with a text for clients. before is the set that the topic has,
// nil for a new one: a storage.class may stay although no data directory has it any more.
func (s *Set) CheckTopic(before, configs map[string]string) error {
	b := s.Broker()
	if err := b.ValidateTopic(configs); err != nil {
		return err
	}
	class := b.Topic(configs).StorageClass
	if class == b.Topic(before).StorageClass {
		return nil
	}
	return s.checkClass(class)
}
