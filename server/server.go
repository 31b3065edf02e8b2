package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sordini/segment/vfs"
	"sordini/server/admin"
	"sordini/server/api"
	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/group"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Options of a Server. Values and Logger are required.
type Options struct {
	Values    config.Values
	PortsFile string // where to write the addresses as JSON; "" for nowhere
	Version   string
	Logger    *slog.Logger
	Started   time.Time // start of the process, for the metric
	// Sockets are listened on instead of the addresses of the listeners of their names;
	// see [wire.Places]. The HTTP server's is called "admin". The server closes them.
	Sockets []wire.Socket
	// Progress tells meanwhile how far the start is; nil for nobody.
	Progress *partition.Progress
}

// Addresses are the addresses that are listened on, as host:port.
type Addresses struct {
	Kafka string `json:"kafka"`           // of the first listener
	Admin string `json:"admin,omitempty"` // "" if there is none
}

// Server is a running server.
type Server struct {
	opt      Options
	fs       vfs.FS
	locks    []io.Closer
	dirs     []*dataDir
	store    *meta.Store
	set      *partition.Set
	audit    *audit.Recorder
	groups   *group.Coordinator
	metrics  *metrics.Metrics
	wire     *wire.Server
	http     *http.Server
	recovery partition.Report

	listeners []net.Listener
	names     []string
	admin     net.Listener
	places    []int // of the sockets, as wire.Places gives them
	failed    chan error
	serving   sync.WaitGroup
	open      atomic.Bool // everything is; until then HTTP requests may not touch set and groups
	stopping  atomic.Bool
}

// Start opens everything and listens. On an error nothing is left open. When ctx ends
// meanwhile, opening the logs is given up: the next start recovers as after a crash.
func Start(ctx context.Context, opt Options) (*Server, error) {
	if opt.Progress == nil {
		opt.Progress = new(partition.Progress)
	}
	s := &Server{opt: opt, fs: vfs.OS(), failed: make(chan error, 8)}
	if err := s.start(ctx); err != nil {
		if cerr := s.closeAll(); cerr != nil {
			opt.Logger.Error("closing after a failed start", "err", cerr)
		}
		return nil, err
	}
	return s, nil
}

// start opens the HTTP server first, which tells how far the rest is, and the listeners
// for clients last.
func (s *Server) start(ctx context.Context) error {
	if err := s.lockData(); err != nil {
		return err
	}
	s.metrics = metrics.New(s.opt.Version, api.Name)
	s.metrics.ObserveRecovery(s.opt.Progress.Recovery)
	if err := s.startHTTP(ctx); err != nil {
		return err
	}
	s.opt.Progress.GiveUp = ctx.Done()
	if err := s.openData(lookAtSpace); err != nil {
		return err
	}
	broker := s.set.Broker()
	s.groups = group.Start(group.Options{Set: s.set, Store: s.store, Logger: s.opt.Logger, Random: rand.Reader, Audit: s.audit})
	_, routes := api.New(api.Options{Set: s.set, Groups: groups{s.groups}, Audit: s.audit, Metrics: s.metrics, Logger: s.opt.Logger, Advertised: broker.Network.Advertised})
	n := broker.Network
	s.wire = wire.NewServer(wire.Options{
		Routes: routes, Metrics: s.metrics, Logger: s.opt.Logger, Congestion: n.Congestion,
		Limits: wire.Limits{
			RequestBytes: n.MaxRequestBytes, QueuedBytes: n.MaxQueuedRequestBytes, Connections: n.MaxConnections,
			ConnectionsPerIP: n.MaxConnectionsPerIP, ConnectionsOverride: n.MaxConnectionsByHost, Idle: n.MaxIdle,
			Elements: s.elements,
		},
	})
	if err := s.listen(ctx, n); err != nil {
		return err
	}
	s.open.Store(true)
	if err := s.writePorts(); err != nil {
		return err
	}
	s.serve()
	s.set.Probe()
	s.set.Warm()
	s.metrics.StartSeconds.Set(time.Since(s.opt.Started).Seconds())
	return nil
}

// elements bounds the array elements of one request: nobody asks for much more
// than there is, and answering an element costs more than sending it.
func (s *Server) elements() int {
	const always, perPartition = 50_000, 4
	return always + perPartition*s.set.Len()
}

// lockData takes the locks of the data directories.
func (s *Server) lockData() (err error) {
	if s.dirs, err = s.openDirs(); err != nil {
		return err
	}
	return s.refuseKafkas(s.opt.Values.Broker().MetadataDir)
}

func lockError(dir string, err error) error {
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("data directory %s is in use by another process", dir)
	}
	return fmt.Errorf("data directory: %w", err)
}

// lookAtSpace is how often a running server looks how full the disk is.
const lookAtSpace = time.Second

// openData opens the metadata and all partitions. spaceInterval is that of
// [partition.Options].
func (s *Server) openData(spaceInterval time.Duration) error {
	if err := s.openMetadata(s.dirs); err != nil {
		return err
	}
	dirs := s.dirs[:len(s.opt.Values.Broker().LogDirs)] // the metadata's may come behind them
	clean, err := s.endedClean(dirs)
	if err != nil {
		return err
	}
	if _, err := s.store.Start(clean); err != nil {
		return err
	}
	s.audit = audit.New(audit.Options{Metrics: s.metrics, Logger: s.opt.Logger, Now: time.Now})
	opt := partition.Options{
		FS: s.fs, Store: s.store, Values: s.opt.Values, Metrics: s.metrics, Logger: s.opt.Logger,
		Now: time.Now, Random: rand.Reader, SpaceInterval: spaceInterval, Progress: s.opt.Progress, Observer: s.audit,
	}
	for _, d := range dirs {
		opt.Dirs = append(opt.Dirs, d.Dir)
	}
	if s.set, s.recovery, err = partition.Open(opt); err != nil {
		return err
	}
	s.metrics.ObserveStorage(s.set.Storage)
	s.audit.Start(s.set, s.recovery.Clean)
	s.noteRecovery()
	return nil
}

// openMetadata opens the metadata and finds out which directories belong to it.
func (s *Server) openMetadata(dirs []*dataDir) error {
	home := s.opt.Values.Broker().MetadataDir
	if err := s.refuseUnmounted(dirs); err != nil {
		return err
	}
	for _, d := range dirs {
		if d.Err == nil {
			partition.ThrowBallast(s.fs, d.Path, s.opt.Logger)
		}
	}
	store, report, err := meta.Open(s.fs, filepath.Join(home, metadataDir), meta.Options{Log: s.opt.Logger})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	s.store = store
	if report.CutBytes > 0 {
		s.opt.Logger.Warn("torn end of the metadata log cut", "bytes", report.CutBytes, "aside", report.CutFile)
	}
	if _, err := store.Identify(home, s.nodeID(), rand.Reader); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return s.adopt(dirs)
}

// nodeID is the configured one, -1 to take what the directory says.
func (s *Server) nodeID() int32 {
	if s.opt.Values.Origin("node.id") == s.defaultOrigin() {
		return -1
	}
	return s.opt.Values.Broker().NodeID
}

func (s *Server) defaultOrigin() string { return config.Defaults().Origin("node.id") }

func (s *Server) noteRecovery() {
	r := s.recovery
	s.metrics.RecoveryScanned.Set(float64(r.Bytes))
	s.metrics.RecoveryCut.Set(float64(r.Cut))
	s.opt.Logger.Info("logs opened", "clean", r.Clean, "checkpoint", r.Checkpoint, "topics", r.Topics, "partitions", r.Partitions, "offline", r.Offline,
		"segments", r.Segments, "scanned", r.Scanned, "batches", r.Batches, "records", r.Records, "bytes", r.Bytes,
		"cut", r.Cut, "damaged", r.Damaged, "journal_entries", r.JournalEntries, "journal_bytes", r.JournalBytes, "took", r.Took)
}

// listen opens the listeners for clients.
func (s *Server) listen(ctx context.Context, n config.Network) error {
	for i, l := range n.Listeners {
		nl, err := s.listenOn(ctx, s.places[i], l.Address())
		if err != nil {
			return err
		}
		s.listeners, s.names = append(s.listeners, nl), append(s.names, l.Name)
	}
	return nil
}

// listenOn opens a listener for clients: the socket at a place, or one of its own if
// that is negative.
func (s *Server) listenOn(ctx context.Context, place int, address string) (net.Listener, error) {
	if place < 0 {
		return s.wire.Listen(ctx, address)
	}
	l := s.opt.Sockets[place].Listener
	return l, s.wire.Adopt(l)
}

// healthy says whether the server can still do its work: not if every log has
// failed, or the metadata can't be written. A data directory that is offline alone is
// told of.
func (s *Server) healthy() error {
	if !s.open.Load() {
		return nil
	}
	offline, all := 0, s.set.All()
	var last error
	for _, p := range all {
		if _, err := p.Offsets(); err != nil {
			offline++
			last = err
		}
	}
	if offline > 0 && offline == len(all) {
		return fmt.Errorf("all %d partitions are offline: %w", offline, last)
	}
	var failed error
	for _, d := range s.set.Dirs() {
		if d.Err != nil {
			failed = errors.Join(failed, fmt.Errorf("the data directory %s is offline: %w", d.Path, d.Err))
		}
	}
	if failed != nil {
		return &admin.Degraded{Err: failed}
	}
	return nil
}

func (s *Server) serve() {
	for i, l := range s.listeners {
		s.serving.Go(func() {
			if err := s.wire.Serve(l, s.names[i]); err != nil {
				s.failed <- err
			}
		})
	}
}

// writePorts tells other programs the addresses, all at once.
func (s *Server) writePorts() error {
	if s.opt.PortsFile == "" {
		return nil
	}
	b, err := json.Marshal(s.Addresses())
	if err != nil {
		return err
	}
	temp := s.opt.PortsFile + ".tmp"
	if err := os.WriteFile(temp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("ports file: %w", err)
	}
	if err := os.Rename(temp, s.opt.PortsFile); err != nil {
		return fmt.Errorf("ports file: %w", err)
	}
	return nil
}

// Addresses returns the addresses that are listened on.
func (s *Server) Addresses() Addresses {
	var a Addresses
	if len(s.listeners) > 0 {
		a.Kafka = s.listeners[0].Addr().String()
	}
	if s.admin != nil {
		a.Admin = s.admin.Addr().String()
	}
	return a
}

// Settings are the settings in force, dynamic ones included.
func (s *Server) Settings() *config.Broker { return s.set.Broker() }

// Dirs are the data directories.
func (s *Server) Dirs() []partition.Dir { return s.set.Dirs() }

// Recovery tells what opening the data found.
func (s *Server) Recovery() partition.Report { return s.recovery }

// Failed delivers the errors of listeners that died.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop shuts down in order. When ctx ends before the requests in progress are
// done they are cut off; the logs are flushed and closed all the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	err := s.wire.Shutdown(ctx)
	if cerr := s.closeAll(); cerr != nil {
		err = cerr
	}
	return err
}

// closeAll closes what is open: the logs in an orderly way, then the metadata and
// the lock.
func (s *Server) closeAll() error {
	wire.CloseSockets(s.opt.Sockets)
	for _, l := range s.listeners {
		l.Close()
	}
	if s.http != nil {
		s.http.Close()
	}
	if s.admin != nil {
		s.admin.Close()
	}
	s.serving.Wait()
	if s.groups != nil {
		s.groups.Stop()
	}
	s.audit.Stop()
	var err error
	if s.set != nil {
		err = s.set.Close()
	}
	if s.store != nil {
		if cerr := s.store.Close(); err == nil {
			err = cerr
		}
	}
	for _, l := range s.locks {
		l.Close()
	}
	return err
}
