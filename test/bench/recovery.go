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
// each GiB of 16 KiB batches that was not forced to disk before. The data are in the
// page cache. The floor checks the checksums of the same files.
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
			logs, err := filepath.Glob(filepath.Join(dir, l.topic+"-*", "*.log"))
			if err != nil {
				return err
			}
			contenders = append(contenders, contender{report.Floor, func() ([]report.Reading, error) {
				var r floor.ScanResult
				if err := b.askFloor(&r, append([]string{floor.ScanName}, logs...)...); err != nil {
					return nil, err
				}
				if r.Batches != l.count {
					return nil, fmt.Errorf("%d batches in the files, want %d", r.Batches, l.count)
				}
				return cost{r.CPU, r.Wall}.perGiB(what, r.Bytes), nil
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

// recoverFrom starts a server on a copy of what was left, stops it, starts it once
// more, and returns what the first start cost more.
func (b *bench) recoverFrom(side, left string, l load) (more cost, err error) {
	dir := filepath.Join(b.dir, b.name("copy"))
	defer lastly(func() error { return os.RemoveAll(dir) }, &err)
	if err := os.CopyFS(dir, os.DirFS(left)); err != nil {
		return more, err
	}
	var took [2]cost
	for i := range took {
		wall, s, err := b.restart(side, dir, l.verify)
		if err != nil {
			return more, err
		}
		cpu, err := proc.CPU(s.pid)
		if err != nil {
			return more, err
		}
		took[i] = cost{cpu, wall}
		if err := b.stop(s); err != nil {
			return more, err
		}
	}
	return cost{took[0].cpu - took[1].cpu, took[0].wall - took[1].wall}, nil
}
