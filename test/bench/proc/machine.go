//go:build linux

package proc

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Facts are what a result depends on.
type Facts struct {
	Time       string `json:"time"`
	Cores      int    `json:"cores"`
	Processor  string `json:"processor"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	FileSystem string `json:"file_system"`        // type, as mounted
	Congestion string `json:"congestion_control"` // of a connection whose ends do not choose
}

// Machine describes the machine, and the file system that holds a directory.
func Machine(dir string) (Facts, error) {
	f := Facts{Time: time.Now().UTC().Format(time.RFC3339), Cores: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return f, err
	}
	f.Kernel = unix.ByteSliceToString(u.Release[:])
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return f, err
	}
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			f.Processor = strings.TrimSpace(value)
			break
		}
	}
	if f.FileSystem, err = fileSystem(dir); err != nil {
		return f, err
	}
	f.Congestion, err = congestion()
	return f, err
}

// fileSystem is the type of the mount that holds dir: that of the same device.
func fileSystem(dir string) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return "", fmt.Errorf("stat %s: %w", dir, err)
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	device := fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev))
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		if b, a := strings.Fields(before), strings.Fields(after); len(b) > 2 && len(a) > 0 && b[2] == device {
			return a[0], nil
		}
	}
	return "unknown", nil
}

// congestion is what the accepted end of a loopback connection gets by itself.
func congestion() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		return "", err
	}
	defer accepted.Close()
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		return "", err
	}
	var name string
	failed := raw.Control(func(fd uintptr) {
		name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
	if failed != nil {
		err = failed
	}
	return name, err
}

// Meter tells how busy others keep the machine.
type Meter struct {
	began time.Time
	busy  time.Duration
}

// Watch starts a meter.
func Watch() Meter { return Meter{time.Now(), busy()} }

// Foreign is the mean number of cores, since Watch, that worked for others: own
// is the processor time that the measured processes took meanwhile. Time that the
// hypervisor gave to other machines counts as foreign, and so do kernel threads.
func (m Meter) Foreign(own time.Duration) float64 {
	return max(0, (busy()-m.busy-own).Seconds()/time.Since(m.began).Seconds())
}

// busy is the time that all cores of the machine have worked since it started, to
// 10 ms; 0 if it cannot be read.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, f := range strings.Fields(line)[1:] {
		const idle, iowait, guest = 3, 4, 8 // guest time, and what follows, is part of user time
		if i == idle || i == iowait || i >= guest {
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}
