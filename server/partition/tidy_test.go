package partition

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// TestTidy_SaysWhatToDo: a directory that belongs to no topic is named with advice, which
// for what came from Kafka is to repeat the import.
func TestTidy_SaysWhatToDo(t *testing.T) {
	const ofKafka = "repeat it"
	id := meta.TopicID{6: 0x40, 8: 0x80, 15: 9}
	for _, c := range []struct {
		what     string
		metadata []byte
		kafka    bool
	}{
		{"an interrupted import", []byte("version: 0\ntopic_id: " + id.String()), true},
		{"ours", topicIDFile(id), false},
		{"half of ours", topicIDFile(id)[:20], false},
		{"no file", nil, false},
	} {
		disk := newDisk(t)
		b := mustOpen(t, disk)
		var told bytes.Buffer
		b.volumes[0].logger = slog.New(slog.NewTextHandler(&told, nil))
		dir := filepath.Join(dataDir, "gone-0")
		files := map[string][]byte{segment.FileName(0, segment.LogSuffix): []byte("a record")}
		if c.metadata != nil {
			files[metadataFile] = c.metadata
		}
		if err := disk.Mkdir(dir); err != nil {
			t.Fatal(err)
		}
		for name, contents := range files {
			if err := vfs.WriteSynced(disk, filepath.Join(dir, name), contents); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.tidy(make(whereabouts)); err != nil {
			t.Fatal(err)
		}
		aside := directories(t, disk, "gone")
		if len(aside) != 1 || !strings.HasSuffix(aside[0], straySuffix) {
			t.Fatalf("%s: %v", c.what, aside)
		}
		for name, contents := range files {
			if b, err := vfs.ReadFile(disk, filepath.Join(dataDir, aside[0], name), 1000); err != nil || !bytes.Equal(b, contents) {
				t.Errorf("%s: %s is %q, %v", c.what, name, b, err)
			}
		}
		says := told.String()
		if !strings.Contains(says, aside[0]) || !strings.Contains(says, "advice=") || strings.Contains(says, ofKafka) != c.kafka {
			t.Errorf("%s: %s", c.what, says)
		}
		b.close(t)
	}
}
