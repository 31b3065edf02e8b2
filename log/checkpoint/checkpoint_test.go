package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

const dir = "data"

func sample(epoch int64, clean bool) *Checkpoint {
	return &Checkpoint{BrokerEpoch: epoch, Clean: clean, Partitions: map[Partition]Entry{
		{"orders", 0}:    {Topic: [16]byte{1, 2, 15: 0xff}, Start: 5, Recovery: 100, High: 90, End: 120, Segment: 80, Size: 4711},
		{"orders", 10}:   {},
		{"a.b_c-d-1", 2}: {Start: 1 << 62, Recovery: epoch},
	}}
}

func newDir(t *testing.T) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := mem.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestFormat(t *testing.T) {
	c := sample(7, true)
	want := `sordini-checkpoint 1
epoch 7 clean true partitions 3
a.b_c-d-1 2 00000000000000000000000000000000 4611686018427387904 7 0 0 0 0
orders 0 010200000000000000000000000000ff 5 100 90 120 80 4711
orders 10 00000000000000000000000000000000 0 0 0 0 0 0
crc32c `
	got := string(c.Format())
	if !strings.HasPrefix(got, want) || len(got) != len(want)+9 {
		t.Errorf("%s", got)
	}
	parsed, err := Parse([]byte(got))
	if err != nil || !reflect.DeepEqual(parsed, c) {
		t.Errorf("%+v %v", parsed, err)
	}
}

func TestParse_EveryByteCounts(t *testing.T) {
	b := sample(7, true).Format()
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := Parse(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, err := Parse(b[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func damage(t *testing.T, fsys vfs.FS, name string) {
	t.Helper()
	f, err := fsys.OpenFile(dir+"/"+name, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("X"), 3); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestRead_FallsBackToTheOneBefore(t *testing.T) {
	mem := newDir(t)
	if c, err := Read(mem, dir); err != nil || len(c.Partitions) != 0 || c.Clean {
		t.Fatalf("nothing there: %+v %v", c, err)
	}
	for epoch := range int64(3) {
		if err := Write(mem, dir, sample(epoch, true)); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Read(mem, dir); err != nil || c.BrokerEpoch != 2 || !c.Clean {
		t.Fatalf("%+v %v", c, err)
	}
	damage(t, mem, File)
	if c, err := Read(mem, dir); !errors.Is(err, ErrDamaged) || c.BrokerEpoch != 1 || c.Clean {
		t.Fatalf("newest damaged: %+v %v", c, err)
	}
	damage(t, mem, OldFile)
	if c, err := Read(mem, dir); !errors.Is(err, ErrDamaged) || len(c.Partitions) != 0 {
		t.Fatalf("both damaged: %+v %v", c, err)
	}
}

// TestWrite_PowerCutAnywhere cuts after every operation; what is read is the old
// or the new, never none.
func TestWrite_PowerCutAnywhere(t *testing.T) {
	for cut := int64(0); ; cut++ {
		mem := newDir(t)
		for epoch := range int64(2) {
			if err := Write(mem, dir, sample(epoch, false)); err != nil {
				t.Fatal(err)
			}
		}
		faulty := vfs.NewFaulty(mem, nil)
		faulty.CutAfter(cut)
		err := Write(faulty, dir, sample(2, true))
		for seed := range uint64(20) {
			c, rerr := Read(mem.Crash(seed, vfs.CrashRandom), dir)
			if rerr != nil || c.BrokerEpoch < 1 || err == nil && c.BrokerEpoch != 2 {
				t.Fatalf("cut after %d (%v), seed %d: epoch %d %v", cut, err, seed, c.BrokerEpoch, rerr)
			}
			if c.Clean != (c.BrokerEpoch == 2) {
				t.Fatalf("cut after %d: epoch %d clean %v", cut, c.BrokerEpoch, c.Clean)
			}
		}
		if err == nil {
			return
		}
	}
}

func TestKafkaFiles(t *testing.T) {
	mem := newDir(t)
	if err := Write(mem, dir, sample(1, false)); err != nil {
		t.Fatal(err)
	}
	b, err := contents(mem, dir+"/"+KafkaRecovery)
	if want := "0\n3\na.b_c-d-1 2 1\norders 0 100\norders 10 0\n"; err != nil || string(b) != want {
		t.Errorf("%q %v", b, err)
	}
	starts, err := ReadKafka(mem, dir+"/"+KafkaStart)
	if err != nil || starts[Partition{"orders", 0}] != 5 || len(starts) != 3 {
		t.Errorf("%v %v", starts, err)
	}
	if starts, err := ReadKafka(mem, dir+"/none"); starts != nil || err != nil {
		t.Errorf("missing file: %v %v", starts, err)
	}
	damage(t, mem, KafkaStart)
	if _, err := ReadKafka(mem, dir+"/"+KafkaStart); err == nil {
		t.Error("damaged file accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(7, true).Format())
	f.Add((&Checkpoint{}).Format())
	f.Add([]byte("crc32c 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(c.Format()); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%q: %+v, then %+v %v", b, c, again, err)
		}
	})
}
