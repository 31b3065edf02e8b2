package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"sordini/test/clients/broker"
)

// kgoTests are the tests of franz-go that have consumer groups: eager, cooperative,
// static, and of KIP-848. Those of transactions and of share groups are not among
// them.
const kgoTests = `^(TestGroupETL|TestGroupSimple|Test848RegexBrokerResolves|TestUnknownGroupOffsetFetchPinned|TestIssue523)$`

// verdict is what tells of the end of a test, and the errors that its members met: a
// test ends at the first of them, with all checks undone.
var verdict = regexp.MustCompile(`(?m)^\s*(--- (PASS|FAIL|SKIP): \S+ \([\d.]+s\)|testConsumer sendErr .{0,300})`)

// runKgo runs tests of the module franz-go that this module requires.
func (s *settings) runKgo(server *broker.Broker) error {
	tests := kgoTests
	if s.only != "" {
		tests = s.only
	}
	file, err := os.Create(filepath.Join(s.logs, "kgo.log"))
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, cancel := context.WithCancel(context.Background())
	killed := make(chan error, 1)
	go func() { killed <- s.killOften(ctx, server) }()
	began := time.Now()
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout", "30m", "-run", tests, "github.com/twmb/franz-go/pkg/kgo")
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+s.address, "KGO_TEST_RF=1", "KGO_TEST_RECORDS="+strconv.Itoa(s.records))
	if s.chaos {
		cmd.Env = append(cmd.Env, "KGO_TEST_CHAOS=1")
	}
	cmd.Stdout, cmd.Stderr = file, file
	testErr := cmd.Run()
	cancel()
	killErr := <-killed
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return err
	}
	for _, line := range verdict.FindAll(text, -1) {
		fmt.Printf("%s\n", line)
	}
	if bytes.Contains(text, []byte("skipping validation")) {
		testErr = errors.Join(testErr, errors.New("a test passed without having checked anything: see the output"))
	}
	fmt.Printf("franz-go's tests with %d records took %.0f s; output in %s\n", s.records, time.Since(began).Seconds(), file.Name())
	return errors.Join(testErr, killErr)
}

// killOften kills the server and starts it again every killEvery seconds until ctx ends.
// Its socket is held for it: the tests fail at the first connection that is refused, with
// all checks undone.
func (s *settings) killOften(ctx context.Context, server *broker.Broker) error {
	if s.killEvery == 0 {
		return nil
	}
	kills := 0
	for ; ; kills++ {
		select {
		case <-ctx.Done():
			fmt.Printf("the server was killed %d times\n", kills)
			return nil
		case <-time.After(time.Duration(s.killEvery) * time.Second):
		}
		server.Kill()
		if err := server.Start(); err != nil {
			return err
		}
	}
}
