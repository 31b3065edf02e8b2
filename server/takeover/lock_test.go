//go:build unix && !aix

package takeover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sordini/segment/vfs"
)

// lockVariable makes this program a process that takes a lock as Java does.
const lockVariable = "TAKEOVER_TEST_LOCK"

func TestMain(m *testing.M) {
	if name := os.Getenv(lockVariable); name != "" {
		os.Exit(beJava(name))
	}
	os.Exit(m.Run())
}

// beJava takes the lock, says so, and holds it until its input ends.
func beJava(name string) int {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}); err != nil {
		fmt.Println("refused")
		return 0
	}
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// startJava returns what the process says, and ends it.
func startJava(t *testing.T, name string) (said string, end func()) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), lockVariable+"="+name)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return said, func() {
		in.Close()
		cmd.Wait()
	}
}

func TestLockKafka(t *testing.T) {
	name := filepath.Join(t.TempDir(), lockFile)
	if _, err := LockKafka(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	said, end := startJava(t, name)
	if said != "locked\n" {
		t.Fatalf("the other process said %q", said)
	}
	if _, err := LockKafka(name); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("while Kafka runs: %v", err)
	}
	end()
	lock, err := LockKafka(name)
	must(t, err)
	said, end = startJava(t, name)
	end()
	if said != "refused\n" {
		t.Errorf("while the lock is held Kafka's process said %q", said)
	}
	must(t, lock.Close())
	if said, end = startJava(t, name); said != "locked\n" {
		t.Errorf("after the lock was given back Kafka's process said %q", said)
	}
	end()
}
