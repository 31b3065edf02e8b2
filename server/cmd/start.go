package cmd

import (
	"context"
	"log/slog"
	"time"

	"sordini/server"
	"sordini/server/config"
	"sordini/server/partition"
	"sordini/server/wire"
)

// StartOptions say what server to start.
type StartOptions struct {
	Values    config.Values
	PortsFile string // "" for none
	Version   string
	Logger    *slog.Logger
	Started   time.Time           // of the process
	Sockets   []wire.Socket       // that the process was started with
	Progress  *partition.Progress // tells how far the start is
}

// Running is a started server.
type Running interface {
	// Addresses are those bound, host:port: of the first listener for clients, and of the HTTP server, "" if
	// there is none.
	Addresses() (kafka, admin string)
	Recovery() partition.Report
	// Dirs are the data directories.
	Dirs() []partition.Dir
	// Settings are those in force, dynamic ones included.
	Settings() *config.Broker
	// Stop ends the server in order; what is left when ctx ends is cut off.
	Stop(ctx context.Context) error
	// Failed delivers why a listener died.
	Failed() <-chan error
}

// Starter starts a server; it is open and listens when the Starter returns.
type Starter func(context.Context, StartOptions) (Running, error)

// started is the Running of package server.
type started struct{ *server.Server }

func (s started) Addresses() (kafka, admin string) {
	a := s.Server.Addresses()
	return a.Kafka, a.Admin
}

// startServer is the Starter of package server.
func startServer(ctx context.Context, opt StartOptions) (Running, error) {
	s, err := server.Start(ctx, server.Options{
		Values:    opt.Values,
		PortsFile: opt.PortsFile,
		Version:   opt.Version,
		Logger:    opt.Logger,
		Started:   opt.Started,
		Sockets:   opt.Sockets,
		Progress:  opt.Progress,
	})
	if err != nil {
		return nil, err
	}
	return started{s}, nil
}
