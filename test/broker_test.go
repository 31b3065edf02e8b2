package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a condition that is about to hold.
const patience = time.Minute

// server is the path of the binary that TestMain has built.
var server string

func TestMain(m *testing.M) {
	if order := os.Getenv(crowdVariable); order != "" {
		os.Exit(beCrowd(order))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sordini-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	server = filepath.Join(dir, "sordini")
	args := []string{"build", "-o", server}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = ".." // the root of the module
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, out)
		return 1
	}
	return m.Run()
}

// broker is a server in a process of its own. It is used by one goroutine, apart
// from its addresses.
type broker struct {
	t     testing.TB
	dir   string // of the data
	args  []string
	addr  string     // of the Kafka listener; the same after a restart
	admin string     // of the HTTP listener; the same after a restart
	under []string   // a command that the next start runs the server under
	files []*os.File // that the process gets, from descriptor 3 on

	cmd    *exec.Cmd
	log    *journal
	exited chan struct{} // closed when the process has ended
	err    error         // how it ended; valid once exited is closed
}

// startBroker starts a server on an empty data directory and waits until it is
// ready. It is stopped at the end of the test.
// bySegment are the arguments for a server without a journal, and byJournal of one
// with it.
var (
	bySegment = []string{"--set", "flush.method=segment"}
	byJournal = []string{"--set", "flush.method=journal"}
)

func startBroker(t testing.TB, args ...string) *broker {
	t.Helper()
	b := newBroker(t, args...)
	b.start()
	return b
}

// newBroker prepares a server without starting it.
func newBroker(t testing.TB, args ...string) *broker {
	t.Helper()
	b := &broker{t: t, dir: t.TempDir(), args: args, addr: "127.0.0.1:0", admin: "127.0.0.1:0", log: &journal{}}
	t.Cleanup(b.cleanup)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	if err := b.tryStart(); err != nil {
		b.t.Fatal(err)
	}
}

// tryStart starts the process and waits for the ports file, or for its end.
func (b *broker) tryStart() error {
	ports, err := b.launch()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		if text, err := os.ReadFile(ports); err == nil {
			var a struct{ Kafka, Admin string }
			if err := json.Unmarshal(text, &a); err != nil {
				return fmt.Errorf("ports file %q: %w", text, err)
			}
			if b.addr != a.Kafka || b.admin != a.Admin { // a restart keeps them, and clients may be reading them
				b.addr, b.admin = a.Kafka, a.Admin
			}
			return nil
		}
		select {
		case <-b.exited:
			b.cmd = nil
			return fmt.Errorf("server ended before it was ready: %v\n%s", b.err, b.log.tail())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			b.kill()
			return fmt.Errorf("server not ready after %v\n%s", patience, b.log.tail())
		}
	}
}

// launch starts the process and returns the path of the ports file to come.
func (b *broker) launch() (ports string, err error) {
	ports = filepath.Join(b.t.TempDir(), "ports.json")
	args := []string{"serve", "--data-dir", b.dir, "--listen", b.addr, "--admin-listen", b.admin, "--ports-file", ports,
		"--set", "log.disk.full.ratio=1"} // whatever else is on the disk
	line := append(append(append(b.under[:len(b.under):len(b.under)], server), args...), b.args...)
	cmd, exited := exec.Command(line[0], line[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.ExtraFiles = b.log, b.log, environment(), b.files
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b.cmd, b.exited = cmd, exited
	go func() {
		b.err = cmd.Wait()
		close(exited)
	}()
	return ports, nil
}

// environment is that of a server: without the variables it would take for its
// settings, and with a short wait of the race detector at the end, whose usual
// second is long where there are many restarts.
func environment() []string {
	env := []string{"GORACE=atexit_sleep_ms=50"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SORDINI_") && !strings.HasPrefix(v, "KAFKA_") && !strings.HasPrefix(v, "GORACE=") {
			env = append(env, v)
		}
	}
	return env
}

// stop ends the server in order and demands that it says so by its exit code.
func (b *broker) stop() {
	b.t.Helper()
	if b.cmd == nil {
		return
	}
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Errorf("SIGTERM: %v", err)
	}
	select {
	case <-b.exited:
		if b.err != nil {
			b.t.Errorf("server after SIGTERM: %v", b.err)
		}
		b.cmd = nil
	case <-time.After(patience):
		b.kill()
		b.t.Errorf("server still ran %v after SIGTERM", patience)
	}
}

// kill ends the server by kill -9.
func (b *broker) kill() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Kill()
	<-b.exited
	b.cmd = nil
}

// restart stops the server in order and starts it again at the same addresses.
func (b *broker) restart() {
	b.t.Helper()
	b.stop()
	b.start()
}

// crash kills the server and starts it again at the same addresses.
func (b *broker) crash() {
	b.t.Helper()
	b.kill()
	b.start()
}

// crashTwice kills the server, and once more a time after it began to start.
func (b *broker) crashTwice(after time.Duration) {
	b.t.Helper()
	b.kill()
	if _, err := b.launch(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(after)
	b.crash()
}

func (b *broker) cleanup() {
	b.stop()
	for _, sign := range []string{"WARNING: DATA RACE", "panic"} {
		if b.log.contains(sign) {
			b.t.Errorf("the server's log has %q", sign)
		}
	}
	if b.t.Failed() {
		b.t.Logf("end of the server's log:\n%s", b.log.tail())
	}
}

// get asks the admin listener and returns status and body.
func (b *broker) get(path string) (int, string) {
	b.t.Helper()
	resp, err := http.Get("http://" + b.admin + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// metric returns the value of one line of /metrics, name and labels as there.
func (b *broker) metric(line string) float64 {
	b.t.Helper()
	_, body := b.get("/metrics")
	for l := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(l, line+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return v
		}
	}
	b.t.Fatalf("no metric %s", line)
	return 0
}

// eventually waits until check returns nil.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// journal collects what a process prints. It may be used concurrently.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) contains(s string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Contains(j.text.Bytes(), []byte(s))
}

// mark is the place up to which there is text now, for since.
func (j *journal) mark() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Len()
}

func (j *journal) since(mark int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text.Bytes()[mark:])
}

// says waits until the text behind a mark has a part: it comes through a pipe, and a
// server may be used before what it wrote has been read.
func (j *journal) says(t testing.TB, mark int, part string) {
	t.Helper()
	eventually(t, "the server's log", func() error {
		if text := j.since(mark); !strings.Contains(text, part) {
			return fmt.Errorf("nothing of %s:\n%s", part, text)
		}
		return nil
	})
}

// tail is the end of the text, at most 16 KiB.
func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := j.text.Bytes()
	return string(text[max(0, len(text)-16<<10):])
}

// number reads a positive number from the environment.
func number(t testing.TB, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err == nil && n <= 0 {
		err = errors.New("not positive")
	}
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}
