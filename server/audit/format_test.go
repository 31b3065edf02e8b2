package audit

import (
	"encoding/binary"
	"reflect"
	"testing"

	"sordini/server/meta"
	"sordini/server/partition"
)

func TestFormat_Page(t *testing.T) {
	base := pageBase{epoch: 7, offset: 1000, time: 1_700_000_000_000_000}
	want := []fact{
		{span: span{1000, 1016, base.time, base.time}, client: 0},
		{span: span{990, 991, base.time - 5, base.time + 9000}, client: 12345},
		{span: span{0, 1016, base.time + 100, base.time + 100}, client: -1, by: partition.ByJournal},
		{span: span{1 << 60, 1<<60 + 1, 0, 0}, client: -1, by: partition.ByStop},
	}
	b := appendPage(nil, base)
	for i := range want {
		b = appendFact(b, &base, &want[i])
	}
	var got []fact
	err := readPage(b, func(epoch int32, f fact) {
		if epoch != 7 {
			t.Errorf("epoch %d", epoch)
		}
		got = append(got, f)
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
	for n := range len(b) {
		_ = readPage(b[:n], func(int32, fact) {}) // shorter pages may be pages too; they must not panic
	}
}

func TestFormat_Rest(t *testing.T) {
	p := place{topic: meta.TopicID{1, 2, 3}, index: 1<<31 - 1}
	for _, kind := range []byte{kindPage, kindCommits} {
		if k, got := parseKey(appendKey(nil, kind, p)); k != kind || got != p {
			t.Errorf("key: %d %v", k, got)
		}
	}
	if k, _ := parseKey([]byte{formatVersion + 1, kindGap}); k != 0 {
		t.Errorf("a later version: kind %d", k)
	}
	g := Gap{From: 5, To: 9, Appends: 1, Flushes: 2, Commits: 3}
	if got, err := readGap(appendGap(nil, g)); err != nil || got != g {
		t.Errorf("gap: %+v %v", got, err)
	}
	e := extent{p, 3, 100, 50}
	b := binary.AppendUvarint(nil, 2)
	b = appendExtent(b, &extent{place{index: 4}, 1, 2, 2})
	b = appendExtent(b, &e)
	if got, found, err := readCheckpoint(b, p); err != nil || !found || got != e {
		t.Errorf("checkpoint: %+v %v %v", got, found, err)
	}
	if _, found, err := readCheckpoint(b, place{index: 5}); err != nil || found {
		t.Errorf("checkpoint without the partition: %v %v", found, err)
	}
	b = binary.AppendVarint(nil, 1000)
	b = appendCommit(b, 1000, "g", 5, 900, 2)
	err := readCommits(b, func(c commit) {
		if string(c.group) != "g" || c.offset != 5 || c.at != 900 || c.client != 2 {
			t.Errorf("commit: %+v", c)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	base := pageBase{epoch: 1, offset: 10, time: 1000}
	f.Add(byte(kindPage), appendFact(appendPage(nil, base), &base, &fact{span: span{10, 11, 1000, 1001}, client: 3}))
	f.Add(byte(kindClients), append([]byte{1}, "\x01c\x00\x01l"...))
	f.Add(byte(kindCommits), appendCommit(binary.AppendVarint(nil, 9), 9, "g", 1, 9, 0))
	f.Add(byte(kindGap), appendGap(nil, Gap{From: 1, To: 2, Appends: 3}))
	f.Add(byte(kindCheckpoint), appendExtent([]byte{1}, &extent{place{index: 1}, 1, 2, 3}))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		parseKey(b)
		switch kind {
		case kindPage:
			_ = readPage(b, func(_ int32, f fact) {
				if f.to <= f.from || f.last < f.at || f.client > maxClients {
					t.Errorf("%+v", f)
				}
			})
		case kindClients:
			if all, err := readClients(b); err == nil && len(all) > len(b) {
				t.Errorf("%d clients in %d bytes", len(all), len(b))
			}
		case kindCommits:
			_ = readCommits(b, func(c commit) {
				if c.at < 0 || len(c.group) > len(b) {
					t.Errorf("%+v", c)
				}
			})
		case kindGap:
			if g, err := readGap(b); err == nil && g.To < g.From {
				t.Errorf("%+v", g)
			}
		case kindCheckpoint:
			_, _, _ = readCheckpoint(b, place{})
		}
	})
}
