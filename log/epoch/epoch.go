/*
Package epoch keeps which leader epoch began at which offset of a partition
(KIP-101, KIP-279).

It is a plain list without I/O or locks; the partition's log owns it. The list is
derived data: every batch carries its leader epoch, so a scan makes it again.

# File

leader-epoch-checkpoint, Kafka's text format:

	0                    version
	2                    number of entries
	0 0                  epoch and its first offset
	3 4711<checksum>

The format has no checksum, and Kafka's reader refuses further lines. It ignores
blanks at the end of a line, though, so the last entry is followed by the CRC-32C of
all text before it as 32 blanks, the highest bit first: a space is 0, a tab is 1. A
file that Kafka wrote has none.
*/
package epoch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// ErrFile: the text is not a leader epoch checkpoint.
var ErrFile = errors.New("leader epoch checkpoint is damaged")

// Undefined is the answer where no epoch or no offset is known.
const Undefined = -1

// Entry says that the first batch of Epoch has the offset Start or a later one.
type Entry struct {
	Epoch int32
	Start int64
}

// List is the epochs of a partition, rising in both fields.
type List []Entry

// Latest is the newest epoch, Undefined if there is none.
func (l List) Latest() int32 {
	if len(l) == 0 {
		return Undefined
	}
	return l[len(l)-1].Epoch
}

// Add notes that a batch of an epoch has been written at an offset and says
// whether the list changed. Epochs that would not rise are ignored; entries that
// start at or behind the offset are replaced.
func (l *List) Add(epoch int32, start int64) bool {
	if epoch <= l.Latest() {
		return false
	}
	for len(*l) > 0 && (*l)[len(*l)-1].Start >= start {
		*l = (*l)[:len(*l)-1]
	}
	*l = append(*l, Entry{epoch, start})
	return true
}

// EndOffset answers OffsetForLeaderEpoch: the largest epoch not above the one
// asked for, and the offset at which it ended, which is end (the log end offset)
// for the newest. Both are Undefined if the epoch is not known to have been.
func (l List) EndOffset(epoch int32, end int64) (int32, int64) {
	if epoch == Undefined || len(l) == 0 || epoch > l.Latest() {
		return Undefined, Undefined
	}
	if epoch == l.Latest() {
		return epoch, end
	}
	found := List(nil)
	next := end
	for i, e := range l {
		if e.Epoch > epoch {
			next = e.Start
			found = l[:i]
			break
		}
	}
	if len(found) == 0 {
		return epoch, next // before the first known epoch: as Kafka answers
	}
	return found.Latest(), next
}

// At returns the epoch of an offset, Undefined if it lies before the first entry.
func (l List) At(offset int64) int32 {
	epoch := int32(Undefined)
	for _, e := range l {
		if e.Start > offset {
			break
		}
		epoch = e.Epoch
	}
	return epoch
}

// TruncateTo forgets the epochs that begin at or behind end.
func (l *List) TruncateTo(end int64) bool {
	n := len(*l)
	for n > 0 && (*l)[n-1].Start >= end {
		n--
	}
	changed := n < len(*l)
	*l = (*l)[:n]
	return changed
}

// StartAt forgets the epochs that ended before start, the new log start offset;
// the one that covers start begins there.
func (l *List) StartAt(start int64) bool {
	i := 0
	for i+1 < len(*l) && (*l)[i+1].Start <= start {
		i++
	}
	if len(*l) == 0 || i == 0 && (*l)[0].Start >= start {
		return false
	}
	kept := append(List(nil), (*l)[i:]...)
	kept[0].Start = max(kept[0].Start, start)
	*l = kept
	return true
}

// Format returns the contents of the file.
func (l List) Format() []byte {
	b := fmt.Appendf(nil, "0\n%d", len(l))
	for _, e := range l {
		b = fmt.Appendf(b, "\n%d %d", e.Epoch, e.Start)
	}
	if len(l) > 0 {
		b = appendBlanks(b, crc32.Checksum(b, castagnoli))
	}
	return append(b, '\n')
}

const (
	blanks  = " \t" // for 0 and 1
	sumBits = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendBlanks(b []byte, sum uint32) []byte {
	for bit := sumBits - 1; bit >= 0; bit-- {
		b = append(b, blanks[sum>>bit&1])
	}
	return b
}

// Parse is the inverse of Format. sealed says that the text carries its checksum;
// without one it is what Kafka wrote, or somebody else.
func Parse(b []byte) (l List, sealed bool, err error) {
	text, whole := bytes.CutSuffix(b, []byte{'\n'})
	if !whole {
		return nil, false, fmt.Errorf("%w: the last line does not end", ErrFile)
	}
	if bare := bytes.TrimRight(text, blanks); len(bare) < len(text) {
		if want := appendBlanks(nil, crc32.Checksum(bare, castagnoli)); !bytes.Equal(text[len(bare):], want) {
			return nil, false, fmt.Errorf("%w: checksum", ErrFile)
		}
		sealed = true
	}
	l, err = parse(b)
	return l, sealed, err
}

func parse(b []byte) (List, error) {
	sc := bufio.NewScanner(bytes.NewReader(b))
	line := func() string { sc.Scan(); return sc.Text() }
	if v := line(); v != "0" {
		return nil, fmt.Errorf("%w: version %q", ErrFile, v)
	}
	n, err := strconv.Atoi(line())
	if err != nil || n < 0 || n > len(b) {
		return nil, fmt.Errorf("%w: number of entries", ErrFile)
	}
	var l List
	for i := range n {
		var e Entry
		var extra string
		got, _ := fmt.Sscan(line(), &e.Epoch, &e.Start, &extra)
		if got != 2 || e.Epoch <= l.Latest() || e.Start < 0 || len(l) > 0 && e.Start <= l[len(l)-1].Start {
			return nil, fmt.Errorf("%w: entry %d", ErrFile, i)
		}
		l = append(l, e)
	}
	if sc.Scan() {
		return nil, fmt.Errorf("%w: more than %d entries", ErrFile, n)
	}
	return l, nil
}
