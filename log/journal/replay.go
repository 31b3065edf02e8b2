package journal

import (
	"errors"
	"fmt"
	"io"

	"sordini/segment/vfs"
)

// Report tells what Replay found.
type Report struct {
	Files   int
	Rounds  int64
	Entries int64
	Bytes   int64 // of batches
	// Damaged counts the stretches of a file that cannot be read and lie before a
	// round that can: what stood there was acknowledged.
	Damaged int
}

// Replay reads what an earlier process has left in dir and hands every entry, oldest
// first, to apply; the batches are valid until it returns. An error of apply ends it.
// inOrder says that the process ended in order: then only rotten files are not told
// from those that hold nothing.
func Replay(fsys vfs.FS, dir string, inOrder bool, apply func(*Entry) error) (Report, error) {
	var r Report
	generations, err := list(fsys, dir)
	if err != nil {
		return r, err
	}
	for _, g := range generations {
		if err := replayFile(fsys, dir, g, inOrder, &r, apply); err != nil {
			return r, err
		}
	}
	return r, nil
}

func replayFile(fsys vfs.FS, dir string, generation uint64, inOrder bool, r *Report, apply func(*Entry) error) error {
	f, err := fsys.Open(fileName(dir, generation))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	r.Files++
	rd := reader{file: f, size: size, generation: generation}
	for {
		b, err := rd.next()
		if err == nil && b == nil {
			if inOrder {
				return nil
			}
			if b, err = rd.search(); b != nil {
				r.Damaged++
			}
		}
		if err != nil || b == nil {
			return err
		}
		if err := replayRound(b, r, apply); err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
}

func replayRound(b []byte, r *Report, apply func(*Entry) error) error {
	h, _ := parseHeader(b)
	r.Rounds++
	b = b[headerSize:]
	for range h.count {
		e, rest, err := splitEntry(b)
		if err != nil {
			return err
		}
		r.Entries++
		r.Bytes += int64(len(e.Batches))
		if err := apply(&e); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// reader reads the rounds of one file.
type reader struct {
	file       vfs.File
	size       int64
	generation uint64
	pos        int64
	number     uint64 // of the round that is to come
	buf        []byte
}

// next returns the round at the position, without its zeros, or nil if there is none
// that checks.
func (r *reader) next() ([]byte, error) {
	b, h, err := r.at(r.pos)
	if err != nil || b == nil || h.number != r.number {
		return nil, err
	}
	r.accept(h)
	return b, nil
}

func (r *reader) accept(h header) {
	n := headerSize + h.length
	r.pos += int64(n + padding(n))
	r.number = h.number + 1
}

// at reads the round at a position; nil if there is none.
func (r *reader) at(pos int64) ([]byte, header, error) {
	if pos+headerSize > r.size {
		return nil, header{}, nil
	}
	b, err := r.read(pos, headerSize)
	if err != nil {
		return nil, header{}, err
	}
	h, ok := parseHeader(b)
	if !ok || h.generation != r.generation || pos+headerSize+int64(h.length) > r.size {
		return nil, h, nil
	}
	if b, err = r.read(pos, headerSize+h.length); err != nil || !checked(b) {
		return nil, h, err
	}
	return b, h, nil
}

func (r *reader) read(pos int64, n int) ([]byte, error) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if got, err := r.file.ReadAt(b, pos); got < n {
		return nil, fmt.Errorf("journal: read %s at %d: %w", r.file.Name(), pos, err)
	}
	return b, nil
}

// search looks behind the position for a round that is to come later and returns it;
// nil if there is none.
func (r *reader) search() ([]byte, error) {
	const stretch = 1 << 20
	chunk := make([]byte, min(stretch, max(r.size-r.pos, 0)))
	for from := r.pos + alignment; from < r.size; from += stretch {
		n, err := r.file.ReadAt(chunk[:min(stretch, r.size-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("journal: read %s at %d: %w", r.file.Name(), from, err)
		}
		for at := 0; at+headerSize <= n; at += alignment {
			h, ok := parseHeader(chunk[at:])
			if !ok || h.generation != r.generation || h.number < r.number {
				continue
			}
			b, h, err := r.at(from + int64(at))
			if b == nil && err == nil {
				continue
			}
			if err != nil {
				return nil, err
			}
			r.pos = from + int64(at)
			r.accept(h)
			return b, nil
		}
	}
	return nil, nil
}
