package zerocopy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { check(t, listener.Close()) }()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	check(t, err)
	accepted, err := listener.Accept()
	check(t, err)
	t.Cleanup(func() {
		_ = dialed.Close()
		_ = accepted.Close()
	})
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// randomFile makes a file of the given size and returns its name and contents.
func randomFile(t testing.TB, size int) (string, []byte) {
	t.Helper()
	contents := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(contents)
	name := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(name, contents, 0o600))
	return name, contents
}

func open(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	check(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// receive reads n bytes from the connection in the background. The function it
// returns waits for them.
func receive(client net.Conn, n int64) (wait func() ([]byte, error)) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b := make([]byte, n)
		_, err := io.ReadFull(client, b)
		done <- result{b, err}
	}()
	return func() ([]byte, error) {
		r := <-done
		return r.b, r.err
	}
}

func TestSend_Ranges(t *testing.T) {
	name, contents := randomFile(t, 3<<20)
	client, server := pair(t)
	src := open(t, name)
	conn, err := NewConn(server)
	check(t, err)
	for _, r := range []struct{ pos, n int64 }{
		{0, 3 << 20}, {0, 1}, {1, 100}, {4095, 2}, {1 << 20, 2 << 20}, {3<<20 - 1, 1}, {0, 0}, {3 << 20, 0},
	} {
		want := contents[r.pos : r.pos+r.n]
		for what, send := range map[string]func() (int64, Path, error){
			"Send":         func() (int64, Path, error) { return Send(server, src, r.pos, r.n) },
			"Conn.Send":    func() (int64, Path, error) { return conn.Send(src, r.pos, r.n) },
			"SendReaderAt": func() (int64, Path, error) { return SendReaderAt(server, src, r.pos, r.n) },
		} {
			wait := receive(client, r.n)
			sent, path, err := send()
			if err != nil || sent != r.n {
				t.Fatalf("%s %d+%d: sent %d, %v", what, r.pos, r.n, sent, err)
			}
			wantPath := Sendfile
			if what == "SendReaderAt" {
				wantPath = Copy
			}
			if path != wantPath {
				t.Errorf("%s %d+%d: path %v, want %v", what, r.pos, r.n, path, wantPath)
			}
			if got, err := wait(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %d+%d: wrong bytes, %v", what, r.pos, r.n, err)
			}
		}
	}
}

func TestSend_ConcurrentSendersOfOneFile(t *testing.T) {
	const senders, rounds, size = 8, 4, 8 << 20
	name, contents := randomFile(t, size)
	var wg sync.WaitGroup
	for i := range int64(senders) {
		client, server := pair(t)
		src := open(t, name)
		wg.Go(func() {
			for round := range int64(rounds) {
				pos := i*12345 + round*777
				n := size - pos - i*999
				wait := receive(client, n)
				if sent, path, err := Send(server, src, pos, n); err != nil || sent != n || path != Sendfile {
					t.Errorf("sender %d: sent %d of %d by %v, %v", i, sent, n, path, err)
					return
				}
				if got, err := wait(); err != nil || !bytes.Equal(got, contents[pos:pos+n]) {
					t.Errorf("sender %d, round %d: wrong bytes, %v", i, round, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSend_FileEndsEarly(t *testing.T) {
	name, contents := randomFile(t, 1000)
	client, server := pair(t)
	src := open(t, name)
	for what, send := range map[string]func(pos, n int64) (int64, Path, error){
		"Send":         func(pos, n int64) (int64, Path, error) { return Send(server, src, pos, n) },
		"SendReaderAt": func(pos, n int64) (int64, Path, error) { return SendReaderAt(server, src, pos, n) },
	} {
		wait := receive(client, 600)
		sent, _, err := send(400, 601)
		if sent != 600 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: sent %d, %v; want 600, unexpected EOF", what, sent, err)
		}
		if got, err := wait(); err != nil || !bytes.Equal(got, contents[400:]) {
			t.Errorf("%s: wrong bytes, %v", what, err)
		}
		if sent, _, err := send(5000, 1); sent != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s beyond the end: sent %d, %v", what, sent, err)
		}
		for _, r := range [][2]int64{{-1, 1}, {0, -1}, {1 << 62, 1 << 62}} {
			if sent, _, err := send(r[0], r[1]); sent != 0 || !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s %d+%d: sent %d, %v", what, r[0], r[1], sent, err)
			}
		}
	}
	check(t, src.Close())
	if _, _, err := Send(server, src, 0, 1); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed file: %v", err)
	}
}

// A peer that does not read must not hold a sender beyond its deadline.
func TestSend_Deadline(t *testing.T) {
	const size = 64 << 20 // more than the buffers of the two sockets hold
	name := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(name, nil, 0o600))
	check(t, os.Truncate(name, size))
	for what, send := range map[string]func(*Conn) (int64, error){
		"Send": func(c *Conn) (int64, error) {
			sent, _, err := c.Send(open(t, name), 0, size)
			return sent, err
		},
		"WriteMore": func(c *Conn) (int64, error) {
			sent, err := c.WriteMore(make([]byte, size))
			return int64(sent), err
		},
		"SendReaderAt": func(c *Conn) (int64, error) {
			sent, _, err := SendReaderAt(c, open(t, name), 0, size)
			return sent, err
		},
	} {
		_, server := pair(t)
		conn, err := NewConn(server)
		check(t, err)
		check(t, server.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
		if sent, err := send(conn); !errors.Is(err, os.ErrDeadlineExceeded) || sent >= size {
			t.Errorf("%s: sent %d, %v; want deadline exceeded", what, sent, err)
		}
		check(t, server.Close())
		if _, err := send(conn); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s on a closed connection: %v", what, err)
		}
	}
}

func TestConn_WriteMore(t *testing.T) {
	name, contents := randomFile(t, 1<<20)
	client, server := pair(t)
	src := open(t, name)
	conn, err := NewConn(server)
	check(t, err)
	header := bytes.Repeat([]byte("header"), 700_000) // needs several writes
	wait := receive(client, int64(2*len(header)+len(contents)+len("end")))
	for range 2 {
		if n, err := conn.WriteMore(header); n != len(header) || err != nil {
			t.Fatalf("wrote %d of %d, %v", n, len(header), err)
		}
	}
	if n, err := conn.WriteMore(nil); n != 0 || err != nil {
		t.Errorf("wrote nothing: %d, %v", n, err)
	}
	_, _, err = conn.Send(src, 0, int64(len(contents)))
	check(t, err)
	_, err = conn.Write([]byte("end"))
	check(t, err)
	got, err := wait()
	check(t, err)
	if want := bytes.Join([][]byte{header, header, contents, []byte("end")}, nil); !bytes.Equal(got, want) {
		t.Error("wrong bytes")
	}
}

// writerFunc is an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// readerFunc is an io.ReaderAt.
type readerFunc func(p []byte, pos int64) (int, error)

func (f readerFunc) ReadAt(p []byte, pos int64) (int, error) { return f(p, pos) }

func TestSendReaderAt_Failures(t *testing.T) {
	broken := errors.New("broken")
	zeros := readerFunc(func(p []byte, _ int64) (int, error) { return len(p), io.EOF })
	for _, test := range []struct {
		name string
		dst  io.Writer
		src  io.ReaderAt
		sent int64
		want error
	}{
		{"none, EOF with the last byte", io.Discard, zeros, 1 << 20, nil},
		{"writer", writerFunc(func([]byte) (int, error) { return 7, broken }), zeros, 7, broken},
		{"short writer", writerFunc(func([]byte) (int, error) { return 7, nil }), zeros, 7, io.ErrShortWrite},
		{"reader", io.Discard, readerFunc(func([]byte, int64) (int, error) { return 9, broken }), 9, broken},
		{"reader that ends", io.Discard, strings.NewReader("0123456789abc"), 3, io.ErrUnexpectedEOF},
	} {
		sent, path, err := SendReaderAt(test.dst, test.src, 10, 1<<20)
		if sent != test.sent || path != Copy || !errors.Is(err, test.want) {
			t.Errorf("%s: sent %d by %v, %v; want %d, %v", test.name, sent, path, err, test.sent, test.want)
		}
	}
}

func TestPath_String(t *testing.T) {
	for path, want := range map[Path]string{Sendfile: "sendfile", Copy: "copy", 7: "Path(7)"} {
		if got := path.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// drain reads the connection to its end in the background.
func drain(client *net.TCPConn) {
	go func() {
		b := make([]byte, 1<<20)
		for {
			if _, err := client.Read(b); err != nil {
				return
			}
		}
	}()
}

func BenchmarkSend(b *testing.B) {
	const size = 1 << 20
	name, _ := randomFile(b, size)
	client, server := pair(b)
	drain(client)
	src := open(b, name)
	conn, err := NewConn(server)
	check(b, err)
	header := make([]byte, 100)
	for what, send := range map[string]func() error{
		"sendfile": func() error {
			_, _, err := conn.Send(src, 0, size)
			return err
		},
		"copy": func() error {
			_, _, err := SendReaderAt(conn, src, 0, size)
			return err
		},
	} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				_, err := conn.WriteMore(header)
				check(b, err)
				check(b, send())
			}
		})
	}
}
