package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sordini/server/config"
)

func options(t *testing.T, dir string) Options {
	t.Helper()
	return optionsWith(t, "log.dirs="+dir)
}

func optionsWith(t *testing.T, flags ...string) Options {
	t.Helper()
	v, err := config.Load(config.Input{Flags: append([]string{"listeners=PLAINTEXT://127.0.0.1:0", "admin.listen=127.0.0.1:0"}, flags...)})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Values: v, Logger: slog.New(slog.DiscardHandler), Started: time.Now()}
}

// A directory of Apache Kafka's is refused, and nothing in it is touched.
func TestStart_RefusesKafkasDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"__cluster_metadata-0", "orders-0"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Start(context.Background(), options(t, dir))
	if err == nil || !strings.Contains(err.Error(), "belongs to Apache Kafka") {
		t.Fatalf("error %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if n := e.Name(); n != "__cluster_metadata-0" && n != "orders-0" && n != lockFile {
			t.Errorf("%s was made", n)
		}
	}
}

// A failed start leaves nothing open: the same directory starts afterwards.
func TestStart_AfterAFailedOne(t *testing.T) {
	dir := t.TempDir()
	opt := options(t, dir)
	opt.PortsFile = filepath.Join(dir, "no such directory", "ports")
	if _, err := Start(context.Background(), opt); err == nil {
		t.Fatal("started although the ports file can't be written")
	}
	s, err := Start(context.Background(), options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Recovery().Clean {
		t.Error("the failed start was not closed in an orderly way")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
