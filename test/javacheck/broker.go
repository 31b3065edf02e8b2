package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sordini/test/reference/catalogue"
)

// brokerPatience is how long a broker may take to start or to stop.
const brokerPatience = 2 * time.Minute

// broker is a server that runs here.
type broker struct {
	name    string // for people
	address string // host:port
	data    string // its log directory
	log     string // file with what it prints
	cmd     *exec.Cmd
	exited  chan error
}

// settings are what both are started with beside what Kafka's script gives, in Kafka's
// names.
var settings = []string{"log.retention.check.interval.ms=3600000"}

// startSordini starts a binary with all it writes below dir.
func startSordini(binary, dir string) (*broker, error) {
	ports := filepath.Join(dir, "ports.json")
	b := &broker{name: "sordini", data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log")}
	args := []string{"serve", "--data-dir", b.data, "--listen", "127.0.0.1:0", "--admin-listen", "", "--ports-file", ports}
	for _, s := range slices.Concat(catalogue.CommonSettings(), settings) {
		args = append(args, "--set", s)
	}
	b.cmd = exec.Command(binary, args...)
	b.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // not meant for it
		return strings.HasPrefix(v, "KAFKA_") || strings.HasPrefix(v, "SORDINI_")
	})
	return b, b.start(func() bool {
		var bound struct{ Kafka string }
		text, err := os.ReadFile(ports)
		if err != nil || json.Unmarshal(text, &bound) != nil {
			return false
		}
		b.address = bound.Kafka
		return true
	})
}

// startKafka starts Kafka by a script, as "SCRIPT serve DIR PORT key=value ...".
func startKafka(script, dir string) (*broker, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &broker{name: "Kafka", address: fmt.Sprintf("127.0.0.1:%d", port), data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log")}
	b.cmd = exec.Command(script, append([]string{"serve", dir, fmt.Sprint(port)}, settings...)...)
	return b, b.start(func() bool {
		c, err := net.Dial("tcp", b.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// freePort is one that is free together with that of the controller above it.
func freePort() (int, error) {
	free := func(port int) bool {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	for port := 22000; port < 23000; port++ {
		if free(port) && free(port+10000) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free ports for Kafka")
}

// start starts the process and waits until ready holds.
func (b *broker) start(ready func() bool) error {
	out, err := os.Create(b.log)
	if err != nil {
		return err
	}
	defer out.Close()
	b.cmd.Stdout, b.cmd.Stderr = out, out
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.exited = make(chan error, 1)
	go func() { b.exited <- b.cmd.Wait() }()
	for began := time.Now(); !ready(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-b.exited:
			return fmt.Errorf("%s ended before it was ready: %v; see %s", b.name, err, b.log)
		default:
		}
		if time.Since(began) > brokerPatience {
			b.kill()
			return fmt.Errorf("%s is not ready after %v; see %s", b.name, brokerPatience, b.log)
		}
	}
	return nil
}

func (b *broker) kill() {
	_ = b.cmd.Process.Kill() // it may have ended
	<-b.exited
}

// stop ends the process in order.
func (b *broker) stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s: %w; see %s", b.name, err, b.log)
	}
	select {
	case err := <-b.exited:
		if code := b.cmd.ProcessState.ExitCode(); code != 0 && code != 128+int(syscall.SIGTERM) {
			return fmt.Errorf("%s: %w; see %s", b.name, err, b.log)
		}
		return nil
	case <-time.After(brokerPatience):
		b.kill()
		return fmt.Errorf("%s still ran %v after SIGTERM; see %s", b.name, brokerPatience, b.log)
	}
}
