package meta

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"sordini/segment/vfs"
)

// PropertiesFile is the name of Kafka's identity file in a data directory.
const PropertiesFile = "meta.properties"

// maxPropertiesSize bounds what is read of it, in bytes. Kafka's has about 150.
const maxPropertiesSize = 64 << 10

// Properties are what meta.properties says, in version 1 of Kafka's format
// (MetaProperties): whose directory this is.
type Properties struct {
	ClusterID   string
	DirectoryID string // "" in directories older than Kafka 3.7 (KIP-858)
	NodeID      int32
}

// ReadProperties reads the file from dataDir. A missing file is fs.ErrNotExist,
// one that makes no sense ErrIdentity.
func ReadProperties(fsys vfs.FS, dataDir string) (Properties, error) {
	path := filepath.Join(dataDir, PropertiesFile)
	b, err := vfs.ReadFile(fsys, path, maxPropertiesSize)
	if errors.Is(err, vfs.ErrTooLarge) {
		return Properties{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	} else if err != nil {
		return Properties{}, err
	}
	p, err := parseProperties(string(b))
	if err != nil {
		return Properties{}, fmt.Errorf("%w: %s: %w", ErrIdentity, path, err)
	}
	return p, nil
}

// WriteProperties replaces the file in dataDir, durably and atomically.
func WriteProperties(fsys vfs.FS, dataDir string, p Properties) error {
	if err := validIdentity(p.ClusterID, p.DirectoryID, p.NodeID); err != nil {
		return fmt.Errorf("write %s: %w", PropertiesFile, err)
	}
	var b strings.Builder
	b.WriteString("#\n# Written by sordini in the format of Apache Kafka.\n")
	fmt.Fprintf(&b, "cluster.id=%s\n", escapeProperty(p.ClusterID))
	fmt.Fprintf(&b, "directory.id=%s\n", escapeProperty(p.DirectoryID))
	fmt.Fprintf(&b, "node.id=%d\n", p.NodeID)
	b.WriteString("version=1\n")
	return replaceFile(fsys, dataDir, PropertiesFile, []byte(b.String()))
}

// parseProperties reads the subset of Java's properties format that Java's own
// Properties.store writes: no line goes on in the next.
func parseProperties(text string) (Properties, error) {
	values := make(map[string]string)
	for n, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimLeft(line, " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, err := splitProperty(line)
		if err != nil {
			return Properties{}, fmt.Errorf("non-empty line %d: %w", n+1, err)
		}
		values[key] = value
	}
	if v := values["version"]; v != "1" {
		return Properties{}, fmt.Errorf("version is %q, only 1 is known", v)
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil {
		return Properties{}, fmt.Errorf("node.id is %q, not a number", values["node.id"])
	}
	p := Properties{ClusterID: values["cluster.id"], DirectoryID: values["directory.id"], NodeID: int32(node)}
	directory := p.DirectoryID
	if directory == "" {
		directory = TopicID{0: 1}.String() // any valid one
	}
	return p, validIdentity(p.ClusterID, directory, p.NodeID)
}

// splitProperty splits a line at the first '=', ':' or blank that is not escaped.
func splitProperty(line string) (key, value string, err error) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	if key, err = unescapeProperty(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescapeProperty(rest)
	return key, value, err
}

// unescapeProperty resolves backslashes. Only ASCII can follow: no value of
// interest holds anything else.
func unescapeProperty(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", errors.New("a line that goes on in the next is not supported")
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'f':
			b.WriteByte('\f')
		case 'r':
			b.WriteByte('\r')
		case 'u':
			if len(s)-i <= 4 {
				return "", errors.New("\\u without 4 digits")
			}
			r, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf("\\u: %w", err)
			}
			b.WriteRune(rune(r))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// escapeProperty writes printable ASCII the way Properties.store does.
func escapeProperty(s string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`, `:`, `\:`, `#`, `\#`, `!`, `\!`).Replace(s)
}

// DefaultNodeID is the node id of a new data directory if the caller has no wish.
const DefaultNodeID = 1

// Identify makes the store and meta.properties in dataDir agree about whose they
// are, and returns the image that says it. A new store adopts the ids of a
// meta.properties that is there, so that a directory of Kafka's can be taken over,
// and draws those that are missing. meta.properties is written if missing or
// without a directory id.
//
// The node id that is found must be nodeID, unless that is negative, which stands
// for "as found, or DefaultNodeID". Any disagreement is ErrIdentity.
func (s *Store) Identify(dataDir string, nodeID int32, random io.Reader) (*Image, error) {
	found, err := ReadProperties(s.fs, dataDir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	want := s.Image().identity()
	if want.ClusterID == "" {
		if want, err = newIdentity(found, missing, nodeID, random); err != nil {
			return nil, err
		}
	}
	if nodeID >= 0 && want.NodeID != nodeID {
		return nil, fmt.Errorf("%w: %s belongs to node %d, configured is %d", ErrIdentity, dataDir, want.NodeID, nodeID)
	}
	incomplete := missing || found.DirectoryID == ""
	if found.DirectoryID == "" {
		found.DirectoryID = want.DirectoryID
	}
	if !missing && found != want {
		return nil, fmt.Errorf("%w: %s has %+v, the metadata log %+v",
			ErrIdentity, filepath.Join(dataDir, PropertiesFile), found, want)
	}
	// The log comes first: a crash in between leaves ids that the next start finds.
	if s.Image().ClusterID() == "" {
		if _, err := s.Apply(want.record()); err != nil {
			return nil, err
		}
	}
	if incomplete {
		if err := WriteProperties(s.fs, dataDir, want); err != nil {
			return nil, err
		}
	}
	return s.Image(), nil
}

// CheckProperties says whether a data directory, beside the one that Identify was
// called for, is this server's by what its meta.properties says. The error is
// ErrIdentity.
func (i *Image) CheckProperties(dataDir string, p Properties) error {
	if p.ClusterID != i.clusterID || p.NodeID != i.nodeID {
		return fmt.Errorf("%w: %s belongs to node %d of cluster %s, this is node %d of cluster %s",
			ErrIdentity, dataDir, p.NodeID, p.ClusterID, i.nodeID, i.clusterID)
	}
	return nil
}

// AdoptDir makes a data directory, beside the one that Identify was called for, this
// server's, durably: it writes meta.properties with a directory id of its own.
func (s *Store) AdoptDir(dataDir string, random io.Reader) (Properties, error) {
	p := s.Image().identity()
	id, err := NewTopicID(random)
	if err != nil {
		return p, fmt.Errorf("directory id: %w", err)
	}
	p.DirectoryID = id.String()
	return p, WriteProperties(s.fs, dataDir, p)
}

// identity is what meta.properties should say.
func (i *Image) identity() Properties {
	return Properties{ClusterID: i.clusterID, DirectoryID: i.directoryID, NodeID: i.nodeID}
}

func (p Properties) record() ClusterCreated {
	return ClusterCreated{ClusterID: p.ClusterID, DirectoryID: p.DirectoryID, NodeID: p.NodeID}
}

// newIdentity completes what meta.properties says, which may be nothing.
func newIdentity(found Properties, missing bool, nodeID int32, random io.Reader) (Properties, error) {
	p := found
	if missing {
		id, err := NewTopicID(random)
		if err != nil {
			return p, fmt.Errorf("cluster id: %w", err)
		}
		p.ClusterID, p.NodeID = id.String(), DefaultNodeID
		if nodeID >= 0 {
			p.NodeID = nodeID
		}
	}
	if p.DirectoryID == "" {
		id, err := NewTopicID(random)
		if err != nil {
			return p, fmt.Errorf("directory id: %w", err)
		}
		p.DirectoryID = id.String()
	}
	return p, nil
}
