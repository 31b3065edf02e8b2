package main

import (
	"bufio"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sordini/test/javacheck/output"
)

//go:embed jvm/*.java
var sources embed.FS

// toolPatience is how long one tool may take.
const toolPatience = 90 * time.Second

// jvm is one process that runs main classes one after another.
type jvm struct {
	script string
	source string // path of Tools.java
	log    *os.File

	cmd       *exec.Cmd // nil if none runs
	questions io.WriteCloser
	answers   *bufio.Reader
}

// unpack writes the Java sources into a directory.
func unpack(dir string) error {
	files, err := sources.ReadDir("jvm")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := sources.ReadFile("jvm/" + f.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// java is a process with Kafka's jars: of a main class, or of a source file. It lives
// too briefly to earn back what the better of Java's compilers costs.
func java(script, main string, args ...string) *exec.Cmd {
	cmd := exec.Command(script, append([]string{"tool", main}, args...)...)
	cmd.Env = append(os.Environ(), "KAFKA_HEAP=-Xms64m -Xmx512m -XX:TieredStopAtLevel=1")
	return cmd
}

func (j *jvm) start() error {
	cmd := java(j.script, j.source)
	cmd.Stderr = j.log
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	j.cmd, j.questions, j.answers = cmd, in, bufio.NewReader(out)
	return nil
}

// run runs a main class. If it does not end, the process is given up, and the next
// call starts another.
func (j *jvm) run(main string, args []string, stdin string) (output.Output, error) {
	if j.cmd == nil {
		if err := j.start(); err != nil {
			return output.Output{}, err
		}
	}
	question, err := json.Marshal(map[string]any{"main": main, "args": args, "stdin": stdin})
	if err != nil {
		return output.Output{}, err
	}
	late := time.AfterFunc(toolPatience, func() { _ = j.cmd.Process.Kill() }) // it may have ended
	defer late.Stop()
	if _, err := j.questions.Write(append(question, '\n')); err != nil {
		return output.Output{}, j.fail(err)
	}
	line, err := j.answers.ReadBytes('\n')
	if err != nil {
		return output.Output{}, j.fail(err)
	}
	var o output.Output
	if err := json.Unmarshal(line, &o); err != nil {
		return output.Output{}, j.fail(fmt.Errorf("%w: %q", err, line))
	}
	return o, nil
}

func (j *jvm) fail(err error) error {
	j.stop()
	return fmt.Errorf("the JVM, which has at most %v for a tool: %w; see %s", toolPatience, err, j.log.Name())
}

// stop ends the process, if one runs.
func (j *jvm) stop() {
	if j.cmd == nil {
		return
	}
	_ = j.cmd.Process.Kill() // it has nothing to lose
	_ = j.cmd.Wait()         // it was killed
	j.cmd = nil
}
