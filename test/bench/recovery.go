//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sordini/test/bench/floor"
	"sordini/test/bench/proc"
	"sordini/test/bench/report"
)

// recovery: what a start costs more after kill -9 than after an orderly end, for
// each GiB of 16 KiB batches that was not forced to disk before, of a copy made just before. The
// floor checks the checksums in one.
func (b *bench) recovery() error {
	if err := b.alone(); err != nil {
		return err
	}
	const what = "recovery after kill -9"
	var contenders []contender
	for _, side := range b.sides() {
		dir, l, err := b.killed(side)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if side == sordini {
			contenders = append(contenders, contender{report.Floor, func() ([]report.Reading, error) {
				c, err := b.scanned(dir, l)
				return c.perGiB(what, l.bytes()), err
			}})
		}
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) {
			c, err := b.recoverFrom(side, dir, l)
			return c.perGiB(what, l.bytes()), err
		}})
	}
	return b.compete(what, contenders)
}

// killed fills a server and kills it before anything was forced to disk.
func (b *bench) killed(side string) (dir string, l load, err error) {
	s, err := b.openNew(side)
	if err != nil {
		return "", l, err
	}
	l, err = b.fill(s, 16<<10, b.size, int32(b.spread), flushNever)
	b.kill(s)
	return s.dir, l, err
}

// scanned checks the checksums in a copy of what was left: one that was just made, since
// not all of more data than half of the memory is in the page cache then.
func (b *bench) scanned(left string, l load) (c cost, err error) {
	err = b.onCopy(left, func(dir string) error {
		logs, err := filepath.Glob(filepath.Join(dir, l.topic+"-*", "*.log"))
		if err != nil {
			return err
		}
		var r floor.ScanResult
		if err := b.askFloor(&r, append([]string{floor.ScanName}, logs...)...); err != nil {
			return err
		}
		if r.Batches != l.count {
			return fmt.Errorf("%d batches in the files, want %d", r.Batches, l.count)
		}
		c = cost{r.CPU, r.Wall}
		return nil
	})
	return c, err
}

// onCopy does something with a copy of what was left, which is removed behind it.
func (b *bench) onCopy(left string, do func(dir string) error) (err error) {
	dir := filepath.Join(b.dir, b.name("copy"))
	defer lastly(func() error { return os.RemoveAll(dir) }, &err)
	if err := os.CopyFS(dir, os.DirFS(left)); err != nil {
		return err
	}
	return do(dir)
}

// recoverFrom starts a server on a copy of what was left, stops it, starts it once
// more, and returns what the first start cost more.
func (b *bench) recoverFrom(side, left string, l load) (more cost, err error) {
	var took [2]cost
	err = b.onCopy(left, func(dir string) error {
		for i := range took {
			if took[i], err = b.started(side, dir, l); err != nil {
				return err
			}
		}
		return nil
	})
	return cost{took[0].cpu - took[1].cpu, took[0].wall - took[1].wall}, err
}

// started starts a server, until it has all, and stops it.
func (b *bench) started(side, dir string, l load) (c cost, err error) {
	wall, s, err := b.restart(side, dir, l.verify)
	if err != nil {
		return c, err
	}
	cpu, err := proc.CPU(s.pid)
	if err != nil {
		return c, err
	}
	return cost{cpu, wall}, b.stop(s)
}
