//go:build linux

package main

import (
	"fmt"
	"io"
	"path/filepath"

	"sordini/test/bench/floor"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// fetch: one connection reads a partition from its start to its end in slices of
// 1 MiB, asking for the next while one comes. The floor sends sordini's own file, so
// that both read the same pages of the page cache; it is asked once for all of it.
// Then the receiver's acknowledgements make the kernel send, at the receiver's cost.
// floor+net is asked for each slice, as servers are, and puts a head before it.
func (b *bench) fetch() error {
	for _, unit := range []int{16 << 10, 1 << 20} {
		if err := b.fetchOf(unit); err != nil {
			return err
		}
	}
	return nil
}

// sizeName is a size in the names of rows.
func sizeName(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

func (b *bench) fetchOf(unit int) error {
	what := fmt.Sprintf("fetch 1 MiB of %s batches", sizeName(unit))
	servers, err := b.servers()
	if err != nil {
		return err
	}
	contenders := make([]contender, 2, 4) // the floors, when sordini has made their file
	for _, s := range servers {
		l, err := b.fill(s, unit, b.size, 1, flushNever)
		if err != nil {
			return err
		}
		defer b.remove(s, l.topic) // best effort: the directory goes at the end
		if s.side == sordini {
			file := filepath.Join(s.dir, l.topic+"-0", fmt.Sprintf("%020d.log", 0))
			f, err := b.serveFloor(floor.SendName, file, fmt.Sprint(sliceSize))
			if err != nil {
				return err
			}
			defer b.endFloor(f.process)
			contenders[0] = contender{report.Floor, func() ([]report.Reading, error) { return f.send(what, l.bytes(), l.bytes(), 0) }}
			contenders[1] = contender{floorNet, func() ([]report.Reading, error) { return f.send(what, l.bytes(), sliceSize, headSize) }}
		}
		contenders = append(contenders, contender{s.side, func() ([]report.Reading, error) {
			c, err := costOf(s.pid, func() error { return l.fetchAll(s) })
			return c.perGiB(what, l.bytes()), err
		}})
	}
	return b.compete(what, contenders)
}

// headSize is about that of an answer to a fetch without the records.
const headSize = 96

// send has a floor send so many bytes, in answers of a size that each have a head.
// Two questions are open at a time, as in load.slices.
func (f *bare) send(what string, bytes, answer int64, head int) ([]report.Reading, error) {
	cost, err := costOf(f.process.Pid(), func() error {
		c, err := raw.Dial(f.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		buf := make([]byte, 1<<20)
		count := bytes / answer
		for asked, answered := int64(0), int64(0); answered < count; answered++ {
			for ; asked < min(count, answered+2); asked++ {
				if err := floor.Ask(c, head, answer); err != nil {
					return err
				}
			}
			if _, err := io.ReadFull(c, buf[:head]); err != nil {
				return err
			}
			if err := raw.Discard(c, answer, buf); err != nil {
				return err
			}
		}
		return nil
	})
	return cost.perGiB(what, bytes), err
}
