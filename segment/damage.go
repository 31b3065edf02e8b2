package segment

import "sort"

// Damage is a stretch of a .log file that holds no readable batch although it
// lies below what was durable. It is never cut; reading it is an error.
type Damage struct {
	Pos, EndPos int64 // bytes [Pos, EndPos)
	// Offset is the first offset that is lost, NextOffset the first readable one
	// behind.
	Offset, NextOffset int64
	Reason             string
}

func (d Damage) err(s *Segment) error {
	return &CorruptError{File: s.Path(), Pos: d.Pos, Offset: d.Offset, Reason: d.Reason}
}

// Damages returns the known damaged stretches in order.
func (s *Segment) Damages() []Damage {
	s.damageMu.RLock()
	defer s.damageMu.RUnlock()
	return append([]Damage(nil), s.damage...)
}

func (s *Segment) addDamage(d ...Damage) {
	s.damageMu.Lock()
	s.damage = append(s.damage, d...)
	sort.Slice(s.damage, func(i, j int) bool { return s.damage[i].Pos < s.damage[j].Pos })
	s.damageMu.Unlock()
}

// dropDamage forgets the damage at or behind a position, where the file was cut.
func (s *Segment) dropDamage(pos int64) {
	s.damageMu.Lock()
	defer s.damageMu.Unlock()
	for i, d := range s.damage {
		if d.Pos >= pos {
			s.damage = s.damage[:i]
			return
		}
	}
}

// damageAt returns the damage that covers a position.
func (s *Segment) damageAt(pos int64) (Damage, bool) {
	s.damageMu.RLock()
	defer s.damageMu.RUnlock()
	for _, d := range s.damage {
		if d.Pos <= pos && pos < d.EndPos {
			return d, true
		}
	}
	return Damage{}, false
}

// damagedAt is the error for a batch that an index entry points to.
func (s *Segment) damagedAt(pos int64) error {
	if d, ok := s.damageAt(pos); ok {
		return d.err(s)
	}
	return nil
}

// damageAfter returns the position of the first damage behind pos, or limit.
func (s *Segment) damageAfter(pos, limit int64) int64 {
	s.damageMu.RLock()
	defer s.damageMu.RUnlock()
	for _, d := range s.damage {
		if d.Pos > pos && d.Pos < limit {
			return d.Pos
		}
	}
	return limit
}
