package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sordini/segment/vfs"
	"sordini/server/admin"
	"sordini/server/partition"
	"sordini/server/wire"
)

// stopTimeout is how long an orderly stop may wait for requests in progress.
const stopTimeout = 30 * time.Second

type serveOptions struct {
	settingsFlags
	portsFile string
	logFormat string
	logLevel  string
}

func newServeCommand(p *Process) *cobra.Command {
	var opt serveOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until SIGTERM or SIGINT.

Without flags it listens on 127.0.0.1:9092 for Kafka clients and on 127.0.0.1:9644
for HTTP, keeps its data in ./data, and makes topics when clients ask for them.
Settings have Kafka's names and come from flags, from the environment (log.dirs is
SORDINI_LOG_DIRS or KAFKA_LOG_DIRS), and from the file of --config, the first of
them winning; "sordini config docs" lists them. --profile gives other defaults:
reliable (as without), balanced, fast, dev.

The first signal stops the server in order: requests in progress have 30 seconds,
then logs are flushed and closed. A second one ends the process at once. While logs
are still recovered the first one gives that up; the next start begins it anew.

Sockets that systemd, or another supervisor that speaks its protocol (LISTEN_FDS),
hands over are listened on instead of the addresses of --listen: that of the name
"admin" for HTTP, those of the names of listeners (PLAINTEXT), and others in order.

Exit codes: 0 stopped in order, 1 failed, 2 wrong command line or configuration,
130 ended by a second signal.

  $ sordini serve
` + exampleBanner,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return opt.run(c, p) },
	}
	opt.addTo(c)
	flags := c.Flags()
	flags.StringVar(&opt.portsFile, "ports-file", "", "file to write the bound addresses to, as JSON, once they are bound")
	flags.StringVar(&opt.logFormat, "log-format", "", "text or json (default text on a terminal, json otherwise)")
	flags.StringVar(&opt.logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

// newLogger returns the logger that the flags ask for.
func (o *serveOptions) newLogger(w io.Writer, terminal bool) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, usageErrorf("--log-level %q: must be debug, info, warn or error", o.logLevel)
	}
	handler := &slog.HandlerOptions{Level: level}
	switch {
	case o.logFormat == "text", o.logFormat == "" && terminal:
		return slog.New(slog.NewTextHandler(w, handler)), nil
	case o.logFormat == "json", o.logFormat == "":
		return slog.New(slog.NewJSONHandler(w, handler)), nil
	default:
		return nil, usageErrorf("--log-format %q: must be text or json", o.logFormat)
	}
}

// loggerFor returns the logger to standard error, and the screen that it writes to if a
// person looks at it, else nil.
func (o *serveOptions) loggerFor(p *Process) (*screen, *slog.Logger, error) {
	if p.Terminal && o.logFormat != "json" {
		s := &screen{w: p.Stderr}
		logger, err := o.newLogger(s, true)
		return s, logger, err
	}
	logger, err := o.newLogger(p.Stderr, p.Terminal)
	return nil, logger, err
}

func (o *serveOptions) run(c *cobra.Command, p *Process) error {
	stderr, logger, err := o.loggerFor(p)
	if err != nil {
		return err
	}
	values, err := o.load(c, p.Environ)
	if err != nil {
		return err
	}
	sockets, err := wire.Inherit(p.Environ)
	if err != nil {
		return err
	}
	signals, stopSignals := p.Signals()
	defer stopSignals()
	start := StartOptions{
		Values: values, PortsFile: o.portsFile, Version: thisBuild().Version, Logger: logger, Started: p.Started,
		Sockets: sockets, Progress: new(partition.Progress),
	}
	watched := newWatcher(start.Progress, logger, stderr).start()
	running, err := startOrSignal(p.Start, start, signals)
	watched()
	if running == nil {
		return err
	}
	if _, err := io.WriteString(p.Stdout, bannerOf(start, running).String()); err != nil {
		logger.Warn("the banner could not be printed", "err", err)
	}
	return serveUntilSignal(running, signals, logger)
}

// startOutcome is a server or why there is none.
type startOutcome struct {
	running Running
	err     error
}

// startOrSignal starts the server. A signal meanwhile gives it up, and the result is nil; a second one does not
// wait for that.
func startOrSignal(start Starter, opt StartOptions, signals <-chan os.Signal) (Running, error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan startOutcome, 1)
	go func() {
		running, err := start(ctx, opt)
		done <- startOutcome{running, err}
	}()
	interrupted := false
	for {
		select {
		case r := <-done:
			// A listening server does not depend on the context any more.
			cancel()
			switch {
			case r.err != nil && interrupted && errors.Is(r.err, context.Canceled):
				opt.Logger.Info("stopped: the start was given up, the next one recovers anew")
				return nil, nil
			case r.err != nil:
				return nil, r.err
			case interrupted:
				return nil, stopOrSignal(r.running, signals, opt.Logger)
			}
			return r.running, nil
		case s := <-signals:
			if interrupted {
				cancel()
				return nil, &exitError{exitForced, fmt.Errorf("%s: ended before the start was undone", s)}
			}
			interrupted = true
			opt.Logger.Info("signal during the start: stopping", "signal", s.String())
			cancel()
		}
	}
}

// serveUntilSignal waits for a signal or the failure of a listener, then stops the server.
func serveUntilSignal(running Running, signals <-chan os.Signal, logger *slog.Logger) error {
	select {
	case s := <-signals:
		logger.Info("stopping", "signal", s.String())
		return stopOrSignal(running, signals, logger)
	case err := <-running.Failed():
		logger.Error("a listener failed: stopping", "err", err)
		return errors.Join(fmt.Errorf("listener: %w", err), stopOrSignal(running, signals, logger))
	}
}

// stopOrSignal stops the server in order. A signal meanwhile ends the wait.
func stopOrSignal(running Running, signals <-chan os.Signal, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- running.Stop(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("stop: %w", err)
		}
		logger.Info("stopped", "took", time.Since(began))
		return nil
	case s := <-signals:
		return &exitError{exitForced, fmt.Errorf("%s: ended before the stop was complete; the next start recovers", s)}
	}
}

// bannerOf collects what the banner tells.
func bannerOf(opt StartOptions, running Running) banner {
	broker := running.Settings()
	kafka, http := running.Addresses()
	b := banner{
		build:      thisBuild(),
		profile:    opt.Values.Profile(),
		flush:      broker.Topic(nil),
		recovery:   running.Recovery(),
		kafka:      kafka,
		listeners:  broker.Network.Listeners,
		advertised: broker.Network.Advertised,
		autoCreate: broker.AutoCreateTopics,
		admin:      http,
		profiling:  admin.Loopback(http),
		took:       time.Since(opt.Started),
	}
	for _, d := range running.Dirs() {
		dir := bannerDir{Dir: d}
		if usage, err := vfs.OS().Usage(d.Path); err == nil {
			dir.usage = usage
		}
		b.dirs = append(b.dirs, dir)
	}
	return b
}
