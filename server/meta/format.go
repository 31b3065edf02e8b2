package meta

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// All numbers are big-endian; all checksums are CRC-32C.
//
// A log is a header and frames, one for each record:
//
//	+-----------+-------------+-----------+---------+
//	| magic 8   | version u32 | first u64 | crc u32 |
//	+-----------+-------------+-----------+---------+
//	| frame ...
//
//	magic    "SORDMETA"
//	version  1
//	first    index of the first record, as in the file's name
//	crc      over the 20 bytes before
//
//	+------------+---------+-----------+----------+-------------+------------+-----------+---------+
//	| length u32 | crc u32 | index u64 | type u16 | version u16 | before u32 | after u32 | payload |
//	+------------+---------+-----------+----------+-------------+------------+-----------+---------+
//
//	length   bytes of payload, at most 16 MiB
//	crc      over length, and everything from index on
//	index    number of the record; each frame's is one more than that before
//	type     recordKind
//	version  recordVersion
//	before   frames before this one in its group, which is what one write appended
//	after    frames after this one in its group
//	payload  the record as JSON
//
// The frame's place in its group tells a torn group, whose blocks may have reached
// the disk in any order, from damage to a group that was complete and synced.
//
// A snapshot is a header and one payload that ends the file:
//
//	+---------+-------------+-----------+------------+---------+---------+
//	| magic 8 | version u32 | index u64 | length u64 | crc u32 | payload |
//	+---------+-------------+-----------+------------+---------+---------+
//
//	magic    "SORDSNAP"
//	version  1
//	index    version of the image, as in the file's name
//	length   bytes of payload: all the rest of the file
//	crc      over the 28 bytes before, and the payload
//	payload  the image as JSON (snapshotBody)
//
// Later versions of either file keep the header up to and including crc.
const (
	logMagic      = "SORDMETA"
	snapshotMagic = "SORDSNAP"
	formatVersion = 1

	logHeaderSize      = 8 + 4 + 8 + 4
	frameHeaderSize    = 4 + 4 + 8 + 2 + 2 + 4 + 4
	snapshotHeaderSize = 8 + 4 + 8 + 8 + 4

	// maxPayload bounds a record: large enough for any settings that fit into a
	// request, small enough to read into memory without a thought.
	maxPayload = 16 << 20
	// maxWrite bounds a group, headers included.
	maxWrite = 64 << 20

	logSuffix      = ".log"
	snapshotSuffix = ".snapshot"
	indexDigits    = 20
)

// crcTable is the polynomial; it is never changed.
var crcTable = crc32.MakeTable(crc32.Castagnoli)

// formatName is the name of the log or snapshot with that index.
func formatName(index int64, suffix string) string {
	return fmt.Sprintf("%0*d%s", indexDigits, index, suffix)
}

// parseName is the inverse of formatName.
func parseName(name, suffix string) (index int64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != indexDigits || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	index, err := strconv.ParseInt(digits, 10, 64)
	return index, err == nil
}

// encodeLogHeader is the header of a log that starts with record first.
func encodeLogHeader(first int64) []byte {
	b := make([]byte, 0, logHeaderSize)
	b = append(b, logMagic...)
	b = binary.BigEndian.AppendUint32(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

// checkLogHeader validates the first logHeaderSize bytes of a log.
func checkLogHeader(b []byte, first int64) error {
	if string(b[:8]) != logMagic {
		return fmt.Errorf("magic %q, want %q", b[:8], logMagic)
	}
	if got, want := binary.BigEndian.Uint32(b[20:]), crc32.Checksum(b[:20], crcTable); got != want {
		return fmt.Errorf("header has crc %08x, want %08x", got, want)
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != formatVersion {
		return fmt.Errorf("%w: format version %d, known is %d", ErrNewer, v, formatVersion)
	}
	if got := binary.BigEndian.Uint64(b[12:]); got != uint64(first) {
		return fmt.Errorf("header says first record %d, name says %d", got, first)
	}
	return nil
}

// frameHeader is what precedes a payload. Everything but the checksum.
type frameHeader struct {
	length  uint32
	index   int64
	kind    recordKind
	version uint16
	before  uint32
	after   uint32
}

// appendFrame appends a frame with its payload to b. The length in h is ignored.
func appendFrame(b []byte, h frameHeader, payload []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(h.index))
	b = binary.BigEndian.AppendUint16(b, uint16(h.kind))
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = binary.BigEndian.AppendUint32(b, h.before)
	b = binary.BigEndian.AppendUint32(b, h.after)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[start+4:], frameCRC(b[start:]))
	return b
}

// decodeFrameHeader reads the first frameHeaderSize bytes of a frame and checks
// what can be checked without the payload.
func decodeFrameHeader(b []byte) (frameHeader, error) {
	h := frameHeader{
		length:  binary.BigEndian.Uint32(b),
		kind:    recordKind(binary.BigEndian.Uint16(b[16:])),
		version: binary.BigEndian.Uint16(b[18:]),
		before:  binary.BigEndian.Uint32(b[20:]),
		after:   binary.BigEndian.Uint32(b[24:]),
	}
	index := binary.BigEndian.Uint64(b[8:])
	h.index = int64(index)
	switch {
	case h.length > maxPayload:
		return h, fmt.Errorf("payload of %d bytes, at most %d are legal", h.length, maxPayload)
	case index == 0 || index > math.MaxInt64 || uint64(h.before) >= index:
		return h, fmt.Errorf("record index %d, the %dth of its group", index, h.before)
	}
	return h, nil
}

// checkFrame validates the checksum of a whole frame, which is at least
// frameHeaderSize long.
func checkFrame(frame []byte) error {
	if got, want := binary.BigEndian.Uint32(frame[4:]), frameCRC(frame); got != want {
		return fmt.Errorf("frame has crc %08x, want %08x", got, want)
	}
	return nil
}

// frameCRC is the checksum of a whole frame.
func frameCRC(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:4], crcTable), crcTable, frame[8:])
}

// snapshotBody is an image as JSON. Its version is in the header.
type snapshotBody struct {
	ClusterID      string                       `json:"clusterId"`
	DirectoryID    string                       `json:"directoryId"`
	NodeID         int32                        `json:"nodeId"`
	BrokerEpoch    int64                        `json:"brokerEpoch"`
	UncleanStarts  int64                        `json:"uncleanStarts"`
	NextProducerID int64                        `json:"nextProducerId"`
	Topics         []*Topic                     `json:"topics,omitempty"`
	Deleting       []*Topic                     `json:"deleting,omitempty"`
	BrokerConfigs  map[string]map[string]string `json:"brokerConfigs,omitempty"`
	GroupConfigs   map[string]map[string]string `json:"groupConfigs,omitempty"`
}

// encodeSnapshot returns the header and the payload of i's snapshot.
func encodeSnapshot(i *Image) (header, payload []byte, err error) {
	payload, err = json.Marshal(snapshotBody{
		ClusterID: i.clusterID, DirectoryID: i.directoryID, NodeID: i.nodeID,
		BrokerEpoch: i.brokerEpoch, UncleanStarts: i.uncleanStarts, NextProducerID: i.nextProducerID,
		Topics: slices.Collect(i.Topics()), Deleting: slices.Collect(i.Deleting()), BrokerConfigs: i.brokerConfigs,
		GroupConfigs: i.allGroupConfigs(),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encode snapshot %d: %w", i.version, err)
	}
	b := make([]byte, 0, snapshotHeaderSize)
	b = append(b, snapshotMagic...)
	b = binary.BigEndian.AppendUint32(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(i.version))
	b = binary.BigEndian.AppendUint64(b, uint64(len(payload)))
	return binary.BigEndian.AppendUint32(b, snapshotCRC(b, payload)), payload, nil
}

// decodeSnapshot reads a whole snapshot file.
func decodeSnapshot(b []byte, index int64) (*Image, error) {
	if len(b) < snapshotHeaderSize {
		return nil, fmt.Errorf("%d bytes are no snapshot", len(b))
	}
	header, payload := b[:snapshotHeaderSize-4], b[snapshotHeaderSize:]
	if string(header[:8]) != snapshotMagic {
		return nil, fmt.Errorf("magic %q, want %q", header[:8], snapshotMagic)
	}
	if got, want := binary.BigEndian.Uint32(b[len(header):]), snapshotCRC(header, payload); got != want {
		return nil, fmt.Errorf("snapshot has crc %08x, want %08x", got, want)
	}
	if v := binary.BigEndian.Uint32(header[8:]); v != formatVersion {
		return nil, fmt.Errorf("%w: format version %d, known is %d", ErrNewer, v, formatVersion)
	}
	if got := binary.BigEndian.Uint64(header[12:]); got != uint64(index) {
		return nil, fmt.Errorf("header says version %d, name says %d", got, index)
	}
	if n := binary.BigEndian.Uint64(header[20:]); n != uint64(len(payload)) {
		return nil, fmt.Errorf("header says %d bytes of payload, file has %d", n, len(payload))
	}
	var body snapshotBody
	if err := unmarshalStrict(payload, &body); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return body.image(index)
}

// image builds the image, with the checks that records get.
func (s *snapshotBody) image(version int64) (*Image, error) {
	i := emptyImage()
	i.version = version
	i.clusterID, i.directoryID, i.nodeID = s.ClusterID, s.DirectoryID, s.NodeID
	i.brokerEpoch, i.uncleanStarts, i.nextProducerID = s.BrokerEpoch, s.UncleanStarts, s.NextProducerID
	if s.ClusterID != "" {
		if err := validIdentity(s.ClusterID, s.DirectoryID, s.NodeID); err != nil {
			return nil, err
		}
	}
	for _, t := range s.Topics {
		if err := checkSnapshotTopic(t); err != nil {
			return nil, err
		}
		if err := i.addTopic(t); err != nil {
			return nil, err
		}
	}
	for _, t := range s.Deleting {
		if err := checkSnapshotTopic(t); err != nil {
			return nil, err
		}
		i.deleting = i.deleting.put(t)
	}
	for _, broker := range slices.Sorted(maps.Keys(s.BrokerConfigs)) {
		if err := errors.Join(validBroker(broker), validConfigs(s.BrokerConfigs[broker])); err != nil {
			return nil, err
		}
		i.setBrokerConfigs(broker, s.BrokerConfigs[broker])
	}
	for _, group := range slices.Sorted(maps.Keys(s.GroupConfigs)) {
		if err := validGroupConfigs(group, s.GroupConfigs[group]); err != nil {
			return nil, err
		}
		i.setGroupConfigs(group, s.GroupConfigs[group])
	}
	return i, nil
}

// allGroupConfigs are the settings by group; nil if there are none.
func (i *Image) allGroupConfigs() map[string]map[string]string {
	var all map[string]map[string]string
	for g := range i.groupConfigs.all() {
		if all == nil {
			all = make(map[string]map[string]string, i.groupConfigs.size)
		}
		all[g.group] = g.configs
	}
	return all
}

func checkSnapshotTopic(t *Topic) error {
	if t == nil {
		return errors.New("a topic is null")
	}
	t.Configs = nilIfEmpty(t.Configs)
	return validTopic(t)
}

// snapshotCRC is the checksum of a snapshot's first 28 bytes and its payload.
func snapshotCRC(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, crcTable), crcTable, payload)
}
