package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProcess_Shutdown: an orderly end leaves Kafka's marker, which the next
// start takes away and goes by; kill -9 leaves none.
func TestProcess_Shutdown(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	dial(t, b.addr).mustProduce("plain", 0, plain("a"))
	marker := filepath.Join(b.dir, ".kafka_cleanshutdown")
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("marker while the server runs: %v", err)
	}
	b.stop()
	text, err := os.ReadFile(marker)
	if err != nil {
		t.Fatalf("marker after an orderly end: %v", err)
	}
	var content struct{ Version, BrokerEpoch *int64 }
	if err := json.Unmarshal(text, &content); err != nil || content.Version == nil || content.BrokerEpoch == nil {
		t.Errorf("marker %q: %v", text, err)
	}
	opened := func(clean string) {
		t.Helper()
		from := b.log.mark()
		b.start()
		b.log.says(t, from, `"clean":`+clean)
		if _, err := os.Stat(marker); !os.IsNotExist(err) {
			t.Errorf("marker after the start: %v", err)
		}
	}
	opened("true")
	b.kill()
	opened("false")
	if end := endOffsets(t, b, "plain")[0]; end != 1 {
		t.Errorf("log ends at %d, want 1", end)
	}
}

// TestProcess_DataDirInUse: a second server on the same data is refused, and the
// first goes on.
func TestProcess_DataDirInUse(t *testing.T) {
	b := startBroker(t)
	second := newBroker(t)
	second.dir = b.dir
	err := second.tryStart()
	if err == nil {
		t.Fatal("a second server runs on the same data directory")
	}
	if text := err.Error(); !strings.Contains(text, "in use") || !strings.Contains(text, b.dir) {
		t.Errorf("the refusal does not say why: %v", err)
	}
	createTopic(t, b, "plain", 1)
	dial(t, b.addr).mustProduce("plain", 0, plain("a"))
}

// TestProcess_PortInUse: a port that is taken is an error, not a hang.
func TestProcess_PortInUse(t *testing.T) {
	b := startBroker(t)
	second := newBroker(t)
	second.addr = b.addr
	err := second.tryStart()
	if err == nil {
		t.Fatal("two servers listen on one port")
	}
	if !strings.Contains(err.Error(), "in use") {
		t.Errorf("the refusal does not say why: %v", err)
	}
}

// TestProcess_Health asks the admin listener.
func TestProcess_Health(t *testing.T) {
	b := startBroker(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
		if code, body := b.get(path); code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, code, body)
		}
	}
	if code, _ := b.get("/none"); code != http.StatusNotFound {
		t.Errorf("unknown path: status %d", code)
	}
	apiRanges(dial(t, b.addr))
	if n := b.metric("sordini_connections_total"); n < 1 {
		t.Errorf("%v connections counted, want 1 or more", n)
	}
}
