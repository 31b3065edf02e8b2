package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes; see the package comment.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitDamage  = 2
	exitForced  = 130
)

// Process is what commands may touch of the process that they run in.
type Process struct {
	Args     []string // without the name of the program
	Environ  []string // NAME=value, as os.Environ gives it
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // Stderr is read by a person
	Started  time.Time
	// Signals begins to deliver the signals that ask the process to end, until stop is called.
	Signals func() (c <-chan os.Signal, stop func())
	// Start starts the server.
	Start Starter
}

// Main runs the command that the arguments of the process name and returns the exit code.
func Main() int {
	return Run(Process{
		Args:     os.Args[1:],
		Environ:  os.Environ(),
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Terminal: isTerminal(os.Stderr),
		Started:  time.Now(),
		Signals:  endSignals,
		Start:    startServer,
	})
}

// endSignals delivers SIGINT and SIGTERM. There is room for both an orderly and a forced end.
func endSignals() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

// isTerminal tells whether a file is a character device, as terminals are.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// env returns the value of a variable of the process's environment, "" if it is not set.
func (p *Process) env(name string) string {
	found := ""
	for _, entry := range p.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			found = value // of several, the last one counts
		}
	}
	return found
}

// exitError is an error that decides the exit code. A nil err prints nothing: all was said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// Run runs one command and returns the exit code. Errors are printed.
func Run(p Process) int {
	root := newRootCommand(&p)
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	began := false // whatever fails before the command begins is a fault of the command line
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	command, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	code := exitFailure
	if !began {
		code = exitUsage
	}
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(p.Stderr, "%s: %v\n", command.CommandPath(), err)
	if !began {
		fmt.Fprintf(p.Stderr, "Run '%s --help' for usage.\n", command.CommandPath())
	}
	return code
}
