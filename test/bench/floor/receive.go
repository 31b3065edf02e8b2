//go:build linux

package floor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Delivery tells a floor that receives what will come on a connection: units of the
// same size, the floor's files taking one each in turn.
type Delivery struct {
	Unit   int  // bytes, 1 to 16 MiB
	Count  int  // units
	Files  int  // 1 to 256
	Answer bool // whether each unit is answered, in Kafka's framing
}

const deliverySize = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// answer is what a unit is answered with: a length and 60 bytes, as long as the
// answer to a produce request.
var answer = [64]byte{3: 60}

// Announce tells the floor of a delivery and waits until its files are ready.
func Announce(c net.Conn, d Delivery) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(d.Unit))
	b = binary.BigEndian.AppendUint32(b, uint32(d.Count))
	b = binary.BigEndian.AppendUint32(b, uint32(d.Files))
	b = append(b, 0, 0, 0, 0)
	if d.Answer {
		b[deliverySize-1] = 1
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	return Done(c)
}

// Done waits for the byte by which the floor says that its files are ready, or
// that it has taken all units which it does not answer.
func Done(c net.Conn) error {
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// receive takes one delivery.
func receive(c *net.TCPConn, dir string) error {
	var b [deliverySize]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	d := Delivery{int(binary.BigEndian.Uint32(b[:])), int(binary.BigEndian.Uint32(b[4:])), int(binary.BigEndian.Uint32(b[8:])), b[15] != 0}
	if d.Unit < 1 || d.Unit > 16<<20 || d.Files < 1 || d.Files > 256 {
		return fmt.Errorf("delivery %+v", d)
	}
	w, err := preallocated(dir, d)
	if err != nil {
		return err
	}
	defer w.remove()
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	if d.Answer {
		err = w.answering(c, d)
	} else if err = w.silently(c, d); err == nil {
		_, err = c.Write([]byte{1})
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c) // until the other side has read the clocks and hangs up
	return err
}

// writer appends units to its files in turn.
type writer struct {
	files []*os.File
	n     int    // units written
	sum   uint32 // over all checksums, so that none of them is in vain
}

// preallocated creates the files with room for all that will come.
func preallocated(dir string, d Delivery) (*writer, error) {
	w := &writer{}
	room := int64(d.Unit) * int64((d.Count+d.Files-1)/d.Files)
	for i := range d.Files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("floor-%d", i)))
		if err == nil {
			w.files = append(w.files, f)
			err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, max(room, 1))
		}
		if err != nil {
			w.remove()
			return nil, err
		}
	}
	return w, nil
}

func (w *writer) remove() {
	for _, f := range w.files {
		f.Close()
		os.Remove(f.Name())
	}
}

func (w *writer) write(unit []byte) error {
	w.sum += crc32.Checksum(unit, castagnoli)
	_, err := w.files[w.n%len(w.files)].WriteAt(unit, int64(w.n/len(w.files))*int64(len(unit)))
	w.n++
	return err
}

// silently takes the units one by one and answers none.
func (w *writer) silently(c *net.TCPConn, d Delivery) error {
	buf := make([]byte, d.Unit)
	for range d.Count {
		if _, err := io.ReadFull(c, buf); err != nil {
			return err
		}
		if err := w.write(buf); err != nil {
			return err
		}
	}
	return nil
}

// answering takes as many units as have come, at least one, and answers them
// together.
func (w *writer) answering(c *net.TCPConn, d Delivery) error {
	buf := make([]byte, max(d.Unit, 64<<10))
	var answers []byte
	for have, left := 0, d.Count; left > 0; {
		n, err := io.ReadAtLeast(c, buf[have:], d.Unit-have)
		if err != nil {
			return err
		}
		have += n
		answers = answers[:0]
		at := 0
		for ; have-at >= d.Unit; at += d.Unit {
			if err := w.write(buf[at : at+d.Unit]); err != nil {
				return err
			}
			answers = append(answers, answer[:]...)
			left--
		}
		have = copy(buf, buf[at:have])
		if _, err := c.Write(answers); err != nil {
			return errors.Join(errors.New("answer"), err)
		}
	}
	return nil
}
