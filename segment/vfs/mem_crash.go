package vfs

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is the grain of a torn write in bytes: a disk writes a sector of
// 512 bytes as a whole or not at all.
const sectorSize = 512

// CrashMode says what becomes of everything that was not synced.
type CrashMode int

const (
	// CrashDropAll loses all of it: what a caller may count on after a power cut.
	CrashDropAll CrashMode = iota

	// CrashKeepAll loses nothing, as when only the process dies. What was not
	// durable still is not: a later Crash can lose it.
	CrashKeepAll

	// CrashRandom lets the seed decide for every name and every sector.
	CrashRandom
)

// String is the name of the mode without "Crash".
func (c CrashMode) String() string {
	switch c {
	case CrashDropAll:
		return "DropAll"
	case CrashKeepAll:
		return "KeepAll"
	case CrashRandom:
		return "Random"
	}
	return fmt.Sprintf("CrashMode(%d)", int(c))
}

// Crash returns the file system that the next start would find if the power
// went out now. m itself and its open files go on as before; the result has no
// open files, no locks and, but for CrashKeepAll, nothing that is not durable.
// The same history, mode and seed give the same result. Only CrashRandom uses
// the seed, in this way:
//
//   - The unsynced changes of a name survive up to one of them, drawn: of create,
//     rename, create on one name, never the last without the first two. A rename
//     survives for both of its names or for neither.
//   - The size of a file is the one after some unsynced change, drawn: changes of
//     the size survive in order. A write that grew the file may have grown it in
//     part.
//   - Each sector has the contents after some write that touched it, or those of
//     the last sync, drawn for each sector alone; where nothing arrived in a grown
//     file there are zeros. A surviving truncation cuts for good: what it cut
//     never comes back.
//   - A quarter of all files lose all unsynced changes, a quarter keep them all.
func (m *Mem) Crash(seed uint64, mode CrashMode) *Mem {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch mode {
	case CrashKeepAll:
		return m.cloneLocked()
	case CrashRandom:
		return m.cutLocked(survivingNames(m.pending, seed), func(node *memNode) []byte {
			return node.tear(rand.New(rand.NewPCG(seed, node.id)))
		})
	default:
		return m.cutLocked(nil, func(node *memNode) []byte { return bytes.Clone(node.synced) })
	}
}

// Forget drops the unsynced changes of a file from durability, as the kernel
// does when fsync fails: readers still see them, no later sync makes them
// durable, and that sync returns nil.
func (m *Mem) Forget(name string) error {
	f, err := m.Open(name)
	if err != nil {
		return err
	}
	f.(*memFile).forget()
	return f.Close()
}

// SyncDir makes the names in a directory durable. What happened before to the
// same names goes with it, so that a rename from another directory becomes
// durable on both sides at once, as in a file system with a journal.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.dirLocked(name)
	if err != nil {
		return pathError("syncdir", name, err)
	}
	var (
		needed   = map[nameKey]bool{}
		dirMoves bool
		durable  = make([]bool, len(m.pending))
	)
	for i, c := range slices.Backward(m.pending) {
		durable[i] = c.from.dir == dir || c.to.dir == dir ||
			needed[c.from] || needed[c.to] || dirMoves && c.movesDir()
		if !durable[i] {
			continue
		}
		dirMoves = dirMoves || c.movesDir()
		for _, key := range c.keys() {
			needed[key] = true
		}
	}
	var rest []nameChange
	for i, c := range m.pending {
		if durable[i] {
			c.apply(func(dir *memNode) map[string]*memNode { return dir.durable })
		} else {
			rest = append(rest, c)
		}
	}
	m.pending = rest
	return nil
}

// keys returns the names that the change touches.
func (c nameChange) keys() []nameKey {
	var keys []nameKey
	for _, key := range []nameKey{c.from, c.to} {
		if key.dir != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// movesDir reports whether the change renames a directory. Such changes survive
// in order, or two of them could make a directory its own parent.
func (c nameChange) movesDir() bool {
	return c.node.dir && c.from.dir != nil && c.to.dir != nil
}

// survivingNames draws which changes of names survive, in their order.
func survivingNames(pending []nameChange, seed uint64) []nameChange {
	var (
		rng       = rand.New(rand.NewPCG(seed, 0))
		lost      = map[nameKey]bool{}
		dirMoves  bool // whether a lost change renamed a directory
		surviving []nameChange
	)
	for _, c := range pending {
		keys := c.keys()
		keep := rng.IntN(2) == 0
		if slices.ContainsFunc(keys, func(key nameKey) bool { return lost[key] }) || dirMoves && c.movesDir() {
			keep = false
		}
		if keep {
			surviving = append(surviving, c)
			continue
		}
		dirMoves = dirMoves || c.movesDir()
		for _, key := range keys {
			lost[key] = true
		}
	}
	return surviving
}

// cutLocked builds the tree of the durable names and the surviving changes;
// contents tells what is left of a file.
func (m *Mem) cutLocked(surviving []nameChange, contents func(*memNode) []byte) *Mem {
	changed := map[*memNode]map[string]*memNode{}
	for _, c := range surviving {
		c.apply(func(dir *memNode) map[string]*memNode {
			if changed[dir] == nil {
				changed[dir] = maps.Clone(dir.durable)
			}
			return changed[dir]
		})
	}
	var build func(*memNode) *memNode
	build = func(old *memNode) *memNode {
		node := &memNode{id: old.id, dir: old.dir, modified: old.modified}
		if !old.dir {
			node.synced = contents(old)
			node.data = bytes.Clone(node.synced)
			return node
		}
		names := old.durable
		if changed[old] != nil {
			names = changed[old]
		}
		node.names = make(map[string]*memNode, len(names))
		for name, child := range names {
			node.names[name] = build(child)
		}
		node.durable = maps.Clone(node.names)
		return node
	}
	return &Mem{root: build(m.root), lastID: m.lastID, changes: m.changes}
}

// cloneLocked copies everything but open files and locks.
func (m *Mem) cloneLocked() *Mem {
	copies := map[*memNode]*memNode{}
	var clone func(*memNode) *memNode
	cloneNames := func(names map[string]*memNode) map[string]*memNode {
		result := make(map[string]*memNode, len(names))
		for name, child := range names {
			result[name] = clone(child)
		}
		return result
	}
	clone = func(old *memNode) *memNode {
		if old == nil || copies[old] != nil {
			return copies[old]
		}
		node := &memNode{
			id: old.id, dir: old.dir, modified: old.modified,
			data: bytes.Clone(old.data), synced: bytes.Clone(old.synced),
			unsynced: slices.Clone(old.unsynced),
		}
		copies[old] = node
		if old.dir {
			node.names, node.durable = cloneNames(old.names), cloneNames(old.durable)
		}
		return node
	}
	result := &Mem{root: clone(m.root), lastID: m.lastID, changes: m.changes}
	for _, c := range m.pending {
		result.pending = append(result.pending, nameChange{
			from: nameKey{clone(c.from.dir), c.from.name},
			to:   nameKey{clone(c.to.dir), c.to.name},
			node: clone(c.node),
		})
	}
	return result
}

// tear draws what a power cut leaves of a file; see [Mem.Crash].
func (n *memNode) tear(rng *rand.Rand) []byte {
	switch rng.IntN(4) {
	case 0:
		return bytes.Clone(n.synced)
	case 1:
		all := bytes.Clone(n.synced)
		for _, c := range n.unsynced {
			all = c.apply(all)
		}
		return all
	}
	survived := rng.IntN(len(n.unsynced) + 1) // how many changes of the size do
	result := resize(bytes.Clone(n.synced), n.tornSize(survived, rng))
	writes := map[int64][]int{} // sector -> the writes that touch it
	var cuts []int              // the truncations
	for i, c := range n.unsynced {
		if c.truncate {
			cuts = append(cuts, i)
			if i < survived && c.pos < int64(len(result)) {
				clear(result[c.pos:])
			}
			continue
		}
		end := min(c.pos+int64(len(c.data)), int64(len(result)))
		for sector := c.pos / sectorSize; sector*sectorSize < end; sector++ {
			writes[sector] = append(writes[sector], i)
		}
	}
	for _, sector := range slices.Sorted(maps.Keys(writes)) {
		touching := writes[sector]
		arrived := touching[:rng.IntN(len(touching)+1)]
		contents := n.sectorAfter(sector, arrived, cuts, survived)
		copy(result[sector*sectorSize:], contents[:])
	}
	return result
}

// tornSize is the size after the given number of changes, of which the last, if
// it is a write that grew the file, may have grown it by whole sectors only.
func (n *memNode) tornSize(survived int, rng *rand.Rand) int64 {
	size, before := int64(len(n.synced)), int64(0)
	for _, c := range n.unsynced[:survived] {
		before, size = size, c.sizeAfter(size)
	}
	if survived == 0 || n.unsynced[survived-1].truncate || size <= before || rng.IntN(2) == 0 {
		return size
	}
	part := before + rng.Int64N(size-before)
	if part -= part % sectorSize; part > before {
		return part
	}
	return size
}

// sectorAfter is a sector as the cache held it when the last of the arrived
// writes was in it, cut by the surviving truncations that came later. Both
// arrived and cuts are ascending indexes of n.unsynced; arrived are the first
// writes that touch the sector.
func (n *memNode) sectorAfter(sector int64, arrived, cuts []int, survived int) [sectorSize]byte {
	var contents [sectorSize]byte
	start := sector * sectorSize
	if start < int64(len(n.synced)) {
		copy(contents[:], n.synced[start:])
	}
	cut := func(i int) {
		if from := max(0, n.unsynced[i].pos-start); from < sectorSize {
			clear(contents[from:])
		}
	}
	for _, i := range arrived {
		for len(cuts) > 0 && cuts[0] < i {
			cut(cuts[0])
			cuts = cuts[1:]
		}
		if c := n.unsynced[i]; c.pos >= start {
			copy(contents[c.pos-start:], c.data)
		} else {
			copy(contents[:], c.data[start-c.pos:])
		}
	}
	for _, i := range cuts {
		if i < survived {
			cut(i)
		}
	}
	return contents
}
