//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

const (
	startPatience = 5 * time.Minute
	stopPatience  = 5 * time.Minute
)

// server is a running server, of sordini or Kafka.
type server struct {
	side    string
	dir     string // of all its files
	data    string // of its partitions
	addr    string // once it is ready
	pid     int    // of the process that serves, once it is ready
	process *proc.Process
	address func() (string, error) // where it will listen; an error while that is unknown
}

// sides are the servers to compare.
func (b *bench) sides() []string {
	if b.kafka == "" {
		return []string{sordini}
	}
	return []string{sordini, report.Kafka}
}

// launch starts a server and does not wait for it.
func (b *bench) launch(side, dir string) (*server, error) {
	s := &server{side: side, dir: dir, data: dir}
	var err error
	switch side {
	case report.Kafka:
		err = b.launchKafka(s)
	case bySegment:
		err = b.launchSordini(s, "--set", "flush.method=segment")
	default:
		err = b.launchSordini(s)
	}
	return s, err
}

func (b *bench) launchSordini(s *server, more ...string) error {
	ports := filepath.Join(b.dir, b.name("ports"))
	env := environment("SORDINI_", "KAFKA_") // it would take such variables for its settings
	var err error
	args := []string{"serve", "--data-dir", s.dir, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--ports-file", ports, "--log-level", "warn", "--set", "socket.tcp.congestion=" + pinned}
	s.process, err = b.run(false, env, b.server, append(args, more...)...)
	s.address = func() (string, error) {
		text, err := os.ReadFile(ports)
		if err != nil {
			return "", err
		}
		var a struct{ Kafka string }
		err = json.Unmarshal(text, &a)
		return a.Kafka, err
	}
	return err
}

// environment is that of this process, without the variables that begin so.
func environment(prefixes ...string) []string {
	var env []string
next:
	for _, v := range os.Environ() {
		for _, p := range prefixes {
			if strings.HasPrefix(v, p) {
				continue next
			}
		}
		env = append(env, v)
	}
	return env
}

func (b *bench) launchKafka(s *server) error {
	port, err := kafkaPort()
	if err != nil {
		return err
	}
	s.address = func() (string, error) { return fmt.Sprintf("127.0.0.1:%d", port), nil }
	s.data = filepath.Join(s.dir, "data")
	s.process, err = b.run(false, nil, b.kafka, "serve", s.dir, fmt.Sprint(port), "log.dirs="+s.data, "log.segment.delete.delay.ms=100")
	return err
}

// kafkaPort finds a free port whose sum with 10,000, where Kafka's controller
// listens, is free too. Both are below those that systems give to clients.
func kafkaPort() (int, error) {
	for port := 21000; port < 22700; port++ {
		a, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		c, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port+10000))
		a.Close()
		if err == nil {
			c.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free port for Kafka")
}

// await waits until a server does what ready asks for at its address, and returns
// how long that took from its start.
func (b *bench) await(s *server, ready func(addr string) error) (time.Duration, error) {
	for {
		addr, err := s.address()
		if err == nil {
			err = ready(addr)
		}
		took := time.Since(s.process.Began)
		if err == nil {
			s.addr, s.pid = addr, s.process.Pid()
			if s.side == report.Kafka {
				s.pid = s.process.Find("java")
			}
			return took, nil
		}
		select {
		case <-s.process.Exited():
			b.forget(s.process)
			return 0, fmt.Errorf("%s ended: %v\n%s", s.side, s.process.Err(), s.process.Log())
		case <-time.After(500 * time.Microsecond):
		}
		if took > startPatience {
			return 0, fmt.Errorf("%s is not ready after %v: %w\n%s", s.side, took, err, s.process.Log())
		}
	}
}

// open starts a server and waits until it answers.
func (b *bench) open(side, dir string) (*server, error) {
	s, err := b.launch(side, dir)
	if err != nil {
		return nil, err
	}
	_, err = b.await(s, raw.Ready)
	return s, err
}

// openNew is open in a new directory.
func (b *bench) openNew(side string) (*server, error) {
	dir, err := b.newDir(side)
	if err != nil {
		return nil, err
	}
	return b.open(side, dir)
}

// stop ends a server in order.
func (b *bench) stop(s *server) error {
	b.forget(s.process)
	return s.process.Stop(stopPatience)
}

// kill ends a server by kill -9.
func (b *bench) kill(s *server) {
	b.forget(s.process)
	s.process.Kill()
}

// discard ends a server and removes its data.
func (b *bench) discard(s *server) error {
	b.kill(s)
	return os.RemoveAll(s.dir)
}

// servers returns the servers that scenarios share, started and warm.
func (b *bench) servers() ([]*server, error) {
	if b.shared != nil {
		return b.shared, nil
	}
	for _, side := range b.sides() {
		s, err := b.openNew(side)
		if err != nil {
			return nil, err
		}
		if side == report.Kafka {
			b.say("kafka: warm-up")
			if err := b.warm(s); err != nil {
				return nil, fmt.Errorf("warm-up of Kafka: %w", err)
			}
		}
		b.shared = append(b.shared, s)
	}
	return b.shared, nil
}

// alone ends the servers that scenarios share, so that one is measured alone.
func (b *bench) alone() error {
	var failed error
	for _, s := range b.shared {
		failed = errors.Join(failed, b.discard(s))
	}
	b.shared = nil
	return failed
}

// warm moves some data through a server, 1 GiB in all that is not quick: half of it
// in batches of 1 MiB, half in batches of 16 KiB, and reads it.
func (b *bench) warm(s *server) error {
	for _, unit := range []int{1 << 20, 16 << 10} {
		size := int64(512 << 20)
		if b.quick {
			size = quickSize
		}
		l, err := b.fill(s, unit, size, 1, flushNever)
		if err != nil {
			return err
		}
		if err := l.fetchAll(s); err != nil {
			return err
		}
		if err := b.remove(s, l.topic); err != nil {
			return err
		}
	}
	return nil
}
