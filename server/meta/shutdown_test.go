package meta

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

var markerPath = filepath.Join(testData, CleanShutdownFile)

func TestClean_SurvivesPowerCutOnce(t *testing.T) {
	disk := newDisk(t)
	must(t, WriteClean(disk, testData, 17))
	disk = disk.Crash(0, vfs.CrashDropAll)
	b, err := vfs.ReadFile(disk, markerPath, 100)
	must(t, err)
	if string(b) != `{"version":0,"brokerEpoch":17}` {
		t.Errorf("marker is %s", b)
	}
	if clean, epoch, err := TakeClean(disk, testData); !clean || epoch != 17 || err != nil {
		t.Errorf("first: %v, %d, %v", clean, epoch, err)
	}
	disk = disk.Crash(0, vfs.CrashDropAll)
	if clean, _, err := TakeClean(disk, testData); clean || err != nil {
		t.Errorf("after a power cut: %v, %v", clean, err)
	}
}

// A process that dies between the removal and its sync leaves a marker that a
// power cut may bring back; the next process must prevent that.
func TestClean_RemovalIsSyncedByNextStart(t *testing.T) {
	disk := newDisk(t)
	must(t, WriteClean(disk, testData, 1))
	must(t, disk.Remove(markerPath))
	if clean, _, err := TakeClean(disk, testData); clean || err != nil {
		t.Fatalf("take: %v, %v", clean, err)
	}
	if _, err := disk.Crash(0, vfs.CrashDropAll).Stat(markerPath); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("marker came back: %v", err)
	}
}

func TestClean_Unreadable(t *testing.T) {
	for _, text := range []string{"", "{}", "{", `{"version":0}`, `{"brokerEpoch":3}`, `{"version":1,"brokerEpoch":3}`,
		`{"version":0,"brokerEpoch":"3"}`, `{"version":0,"brokerEpoch":3}x`, strings.Repeat(" ", maxCleanShutdownSize+1)} {
		disk := newDisk(t)
		must(t, vfs.WriteSynced(disk, markerPath, []byte(text)))
		if clean, _, err := TakeClean(disk, testData); clean || err != nil {
			t.Errorf("%.40q: %v, %v", text, clean, err)
		}
		if _, err := disk.Stat(markerPath); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%.40q is still there: %v", text, err)
		}
	}
}

func TestStart(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{})
	for n, c := range []struct {
		marker int64 // epoch in the marker; 0 is none
		clean  bool
	}{{0, false}, {1, true}, {2, true}, {2, false}, {4, true}, {99, false}, {0, false}} {
		if c.marker != 0 {
			must(t, WriteClean(disk, testData, c.marker))
		}
		before := s.Image()
		clean, err := s.EndedClean(testData)
		must(t, err)
		i, err := s.Start(clean)
		must(t, err)
		unclean := before.UncleanStarts()
		if !c.clean {
			unclean++
		}
		if clean != c.clean || i.BrokerEpoch() != int64(n+1) || i.UncleanStarts() != unclean {
			t.Errorf("start %d: clean %v, epoch %d, unclean %d", n+1, clean, i.BrokerEpoch(), i.UncleanStarts())
		}
		if _, err := disk.Stat(markerPath); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("start %d left the marker: %v", n+1, err)
		}
	}
}
