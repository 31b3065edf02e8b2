package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/partition"
)

// onMessage calls do when something is logged.
type onMessage struct {
	slog.Handler
	message string
	do      func()
}

func (h onMessage) Enabled(context.Context, slog.Level) bool { return true }

func (h onMessage) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h onMessage) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.do()
	}
	return nil
}

// TestStart_GivenUpWhileRecovering: a context that ends while logs are recovered ends the
// start, and the next one finds what the one before had to recover.
func TestStart_GivenUpWhileRecovering(t *testing.T) {
	dir, killed := t.TempDir(), filepath.Join(t.TempDir(), "killed")
	s, err := Start(context.Background(), options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	_, errs := s.set.CreateTopics([]partition.Topic{{Name: "orders", Partitions: 40}})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	for _, p := range s.set.Topic("orders") {
		var b batch.Builder
		b.Add(1_700_000_000_000, nil, []byte("value"))
		a := log.NewAppend()
		a.Batch, _ = b.Bytes()
		a.Header, _ = batch.ParseHeader(a.Batch)
		if p.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		if err := p.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	opt := options(t, killed)
	opt.Logger = slog.New(onMessage{Handler: slog.DiscardHandler, message: "recovered partition", do: cancel})
	if _, err := Start(ctx, opt); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s, err = Start(context.Background(), options(t, killed))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Recovery(); r.Clean || r.Batches != 40 || r.Damaged+r.Offline > 0 {
		t.Errorf("%+v", r)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
