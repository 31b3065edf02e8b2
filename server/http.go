package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sordini/server/admin"
	"sordini/server/config"
	"sordini/server/metrics"
	"sordini/server/wire"
)

// adminName is the name of the HTTP server's socket.
const adminName = "admin"

// startHTTP finds the places of all sockets, and listens and answers over HTTP if the
// settings want it. Nothing else is open yet.
func (s *Server) startHTTP(ctx context.Context) error {
	n := s.opt.Values.Broker().Network
	var names, httpName []string
	for _, l := range n.Listeners {
		names = append(names, l.Name)
	}
	if n.AdminListen != "" {
		httpName = append(httpName, adminName)
	}
	places, err := wire.Places(s.opt.Sockets, names, httpName...)
	if err != nil {
		return err
	}
	s.places = places
	if n.AdminListen == "" {
		return nil
	}
	if place := places[len(n.Listeners)]; place >= 0 {
		s.admin = s.opt.Sockets[place].Listener
	} else if s.admin, err = (&net.ListenConfig{}).Listen(ctx, "tcp", n.AdminListen); err != nil {
		return fmt.Errorf("admin listener: %w", err)
	}
	s.http = admin.NewServer(admin.NewHandler(admin.Options{
		Gatherer: s.metrics.Gatherer(), Kafka: prometheus.GathererFunc(s.gatherKafka), Records: s.records, Trace: s.trace,
		Started: s.open.Load, State: s.state, Ready: s.ready, Healthy: s.healthy,
		Profiling: admin.Loopback(s.admin.Addr().String()),
	}))
	s.serving.Go(func() {
		if err := s.http.Serve(s.admin); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("admin listener: %w", err)
		}
	})
	return nil
}

// gatherKafka is asked only when everything is open.
func (s *Server) gatherKafka() ([]*dto.MetricFamily, error) {
	return metrics.Kafka(kafkaTopics{s.set, s.advertised(s.set.Broker().Network)}, s.groups).Gather()
}

// advertised is the address to show where no client has connected to one.
func (s *Server) advertised(n config.Network) string {
	if len(n.Advertised) > 0 {
		return n.Advertised[0].Address()
	}
	return s.Addresses().Kafka
}

// ready says why the server takes no requests.
func (s *Server) ready() error {
	switch {
	case s.stopping.Load():
		return errors.New("shutting down")
	case !s.open.Load():
		return errors.New("the logs are being opened")
	}
	return nil
}

// state is a word for what the server is at, and how far the start is or what it found.
func (s *Server) state() (word string, recovery any) {
	word = "recovering"
	switch {
	case s.stopping.Load():
		word = "stopping"
	case s.open.Load():
		word = "ready"
	}
	return word, s.opt.Progress.Stage()
}
