package meta

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

var propertiesPath = filepath.Join(testData, PropertiesFile)

func TestProperties_RoundTrip(t *testing.T) {
	disk := newDisk(t)
	if _, err := ReadProperties(disk, testData); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing file: %v", err)
	}
	want := Properties{ClusterID: `a=b:c\d#!`, DirectoryID: topicID(4).String(), NodeID: 7}
	must(t, WriteProperties(disk, testData, want))
	if got, err := ReadProperties(disk.Crash(0, vfs.CrashDropAll), testData); got != want || err != nil {
		t.Fatalf("after a power cut: %+v, %v", got, err)
	}
	if err := WriteProperties(disk, testData, Properties{ClusterID: "c\nd"}); !errors.Is(err, ErrInvalid) {
		t.Fatalf("line break in a value: %v", err)
	}
}

func TestParseProperties(t *testing.T) {
	id := topicID(4).String()
	want := Properties{ClusterID: "M:c", DirectoryID: id, NodeID: 7}
	for name, text := range map[string]string{
		"as Kafka writes":  "#\n#Mon Nov 23 18:00:00 UTC 2026\ncluster.id=M\\:c\ndirectory.id=" + id + "\nnode.id=7\nversion=1\n",
		"other separators": "! c\r\n cluster.id : M\\u003ac\r\n\r\nversion 1\r\nnode.id\t=\t7\r\ndirectory.id=" + id,
		"other keys":       "version=1\ncluster.id=M:c\nnode.id=7\ndirectory.id=" + id + "\nmore=things\n",
	} {
		if got, err := parseProperties(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"empty":           "",
		"version 0":       "version=0\nbroker.id=7\ncluster.id=c\n",
		"version 2":       "version=2\nnode.id=7\ncluster.id=c\n",
		"no cluster":      "version=1\nnode.id=7\n",
		"no node":         "version=1\ncluster.id=c\n",
		"negative node":   "version=1\ncluster.id=c\nnode.id=-1\n",
		"huge node":       "version=1\ncluster.id=c\nnode.id=2147483648\n",
		"bad directory":   "version=1\ncluster.id=c\nnode.id=7\ndirectory.id=x\n",
		"continued line":  "version=1\ncluster.id=c\\\nnode.id=7\n",
		"escape cut":      "version=1\ncluster.id=\\u00\nnode.id=7\n",
		"escape no digit": "version=1\ncluster.id=\\u00zz\nnode.id=7\n",
	} {
		if got, err := parseProperties(text); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func TestIdentify_NewDirectory(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{})
	i, err := s.Identify(testData, -1, seeded(1))
	must(t, err)
	if len(i.ClusterID()) != idLength || len(i.DirectoryID()) != idLength || i.ClusterID() == i.DirectoryID() || i.NodeID() != DefaultNodeID {
		t.Fatalf("image %s", dump(t, i))
	}
	p, err := ReadProperties(disk, testData)
	must(t, err)
	if p != i.identity() {
		t.Fatalf("properties %+v, image %s", p, dump(t, i))
	}
	// The log alone is enough to write the file again.
	must(t, disk.Remove(propertiesPath))
	again, err := s.Identify(testData, 1, seeded(2))
	must(t, err)
	if q, err := ReadProperties(disk, testData); q != p || err != nil || again != i {
		t.Fatalf("written again: %+v, %v", q, err)
	}
}

func TestIdentify_TakesOver(t *testing.T) {
	for name, directory := range map[string]string{"with directory id": topicID(4).String(), "without": ""} {
		t.Run(name, func(t *testing.T) {
			disk := newDisk(t)
			text := "#\nversion=1\nnode.id=3\ncluster.id=Some-Cluster\n"
			if directory != "" {
				text += "directory.id=" + directory + "\n"
			}
			must(t, vfs.WriteSynced(disk, propertiesPath, []byte(text)))
			s, _ := openStore(t, disk, Options{})
			if _, err := s.Identify(testData, 1, seeded(1)); !errors.Is(err, ErrIdentity) || s.Image().Version() != 0 {
				t.Fatalf("other node id: %v", err)
			}
			i, err := s.Identify(testData, 3, seeded(1))
			must(t, err)
			if i.ClusterID() != "Some-Cluster" || i.NodeID() != 3 || directory != "" && i.DirectoryID() != directory {
				t.Fatalf("image %s", dump(t, i))
			}
			if p, err := ReadProperties(disk, testData); p != i.identity() || err != nil {
				t.Fatalf("properties %+v, %v", p, err)
			}
		})
	}
}

func TestIdentify_Mismatch(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{})
	i, err := s.Identify(testData, 1, seeded(1))
	must(t, err)
	good := i.identity()
	for name, change := range map[string]func(*Properties){
		"cluster":   func(p *Properties) { p.ClusterID = "other" },
		"directory": func(p *Properties) { p.DirectoryID = topicID(77).String() },
		"node":      func(p *Properties) { p.NodeID = 2 },
	} {
		p := good
		change(&p)
		must(t, WriteProperties(disk, testData, p))
		if _, err := s.Identify(testData, -1, seeded(1)); !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), propertiesPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, WriteProperties(disk, testData, good))
	if _, err := s.Identify(testData, 2, seeded(1)); !errors.Is(err, ErrIdentity) {
		t.Errorf("configured node: %v", err)
	}
	must(t, vfs.WriteSynced(disk, propertiesPath, make([]byte, maxPropertiesSize+1)))
	if _, err := s.Identify(testData, 1, seeded(1)); !errors.Is(err, ErrIdentity) {
		t.Errorf("huge file: %v", err)
	}
}
