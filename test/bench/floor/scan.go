//go:build linux

package floor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"sordini/test/bench/proc"
)

// ScanResult is what a scan has found.
type ScanResult struct {
	Bytes   int64
	Batches int
	CPU     time.Duration
	Wall    time.Duration
}

// Scan reads files of record batches, 1 MiB at a time, and checks the CRC-32C of
// each batch.
func Scan(paths []string) (ScanResult, error) {
	var r ScanResult
	buf := make([]byte, 4<<20) // a batch has at most 1 MiB and some bytes
	cpu, began := proc.Own(), time.Now()
	for _, path := range paths {
		if err := r.file(path, buf); err != nil {
			return r, fmt.Errorf("%s: %w", path, err)
		}
	}
	r.CPU, r.Wall = proc.Own()-cpu, time.Since(began)
	return r, nil
}

func (r *ScanResult) file(path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for have := 0; ; {
		n, err := f.Read(buf[have:min(len(buf), have+1<<20)])
		have += n
		r.Bytes += int64(n)
		at, bad := r.batches(buf[:have])
		if bad != nil {
			return fmt.Errorf("position %d: %w", r.Bytes-int64(have-at), bad)
		}
		have = copy(buf, buf[at:have])
		switch {
		case err == io.EOF && have > 0:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case have == len(buf):
			return errors.New("a batch of more than 4 MiB")
		}
	}
}

// batches checks the whole batches at the start of b and returns where they end.
func (r *ScanResult) batches(b []byte) (at int, err error) {
	const head = 61
	for len(b)-at >= head {
		size := 12 + int(int32(binary.BigEndian.Uint32(b[at+8:])))
		if size < head {
			return at, fmt.Errorf("batch of %d bytes", size)
		}
		if len(b)-at < size {
			break
		}
		if crc32.Checksum(b[at+21:at+size], castagnoli) != binary.BigEndian.Uint32(b[at+17:]) {
			return at, errors.New("wrong checksum")
		}
		at += size
		r.Batches++
	}
	return at, nil
}
