package guard

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestTableMatchesKmsg(t *testing.T) {
	for key := int16(-3); key <= kmsg.MaxKey+3; key++ {
		r := kmsg.RequestForKey(key)
		for version := int16(-2); version < 30; version++ {
			known := r != nil && version >= 0 && version <= r.MaxVersion()
			if Known(key, version) != known {
				t.Errorf("Known(%d, %d) = %v", key, version, !known)
			}
			if r == nil {
				continue
			}
			r.SetVersion(version)
			if Flexible(key, version) != r.IsFlexible() {
				t.Errorf("Flexible(%d, %d) = %v", key, version, !r.IsFlexible())
			}
		}
		if r != nil && lookup(key).name != kmsg.NameForKey(key) {
			t.Errorf("key %d is named %s, not %s", key, lookup(key).name, kmsg.NameForKey(key))
		}
	}
	if Flexible(-1, 0) || Flexible(kmsg.MaxKey+1, 0) {
		t.Error("an unknown key counts as flexible")
	}
}

// Whatever kmsg encodes is accepted, to the last byte and no further; every
// part of it that ends early is refused.
func TestAcceptsWhatKmsgEncodes(t *testing.T) {
	const longest = 1 << 10 // bytes of a body that is cut everywhere
	everyRequest(func(key, version int16) {
		for seed := range uint64(2) {
			for _, f := range fillers(seed) {
				body := f.request(key, version).AppendTo(nil)
				c, err := check(key, version, body, MaxNodes)
				if err != nil {
					t.Fatalf("seed %d: %v\n%x", seed, err, cut(body))
				}
				if c.wire != len(body) {
					t.Fatalf("key %d v%d: %d of %d bytes walked", key, version, c.wire, len(body))
				}
				if err := Check(key, version, append(body, 1, 2, 3)); err != nil {
					t.Fatalf("with bytes after the end: %v", err)
				}
				for n := range min(len(body), longest) {
					err := Check(key, version, body[:n])
					if !errors.Is(err, ErrMalformed) {
						t.Fatalf("key %d v%d: the first %d of %d bytes: error %v", key, version, n, len(body), err)
					}
				}
			}
		}
	})
}

// A good request costs the decoder no more than its estimate.
func TestDecodingOfGoodRequestsIsBounded(t *testing.T) {
	everyRequest(func(key, version int16) {
		for _, f := range fillers(7) {
			body := f.request(key, version).AppendTo(nil)
			if !requireSafe(t, key, version, body) {
				t.Fatalf("key %d v%d: refused", key, version)
			}
		}
	})
}

func TestMutationsAreSafe(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	everyRequest(func(key, version int16) {
		for _, f := range fillers(11) {
			body := f.request(key, version).AppendTo(nil)
			if len(body) == 0 {
				continue
			}
			for range 4 {
				i := rnd.IntN(len(body))
				old := body[i]
				body[i] = byte(rnd.Uint32())
				if requireSafe(t, key, version, body) {
					accepted++
				} else {
					refused++
				}
				body[i] = old
			}
		}
	})
	if accepted < 1000 || refused < 300 {
		t.Errorf("%d mutations accepted and %d refused: too few of one kind to mean anything", accepted, refused)
	}
}

// Crowds of tiny elements are where memory outgrows the wire. Each request is
// tried with more and more of them, until the estimate passes the limit.
func TestCrowdsAreSafe(t *testing.T) {
	accepted, refused := 0, 0
	everyRequest(func(key, version int16) {
		if version%3 != 0 && version != kmsg.RequestForKey(key).MaxVersion() {
			return // the neighbours differ little
		}
		for elements := 60; elements <= 3840; elements *= 4 {
			for text := range 3 {
				f := &filler{
					Rand: rand.New(rand.NewPCG(3, 4)), elements: elements, text: text,
					tags: 30 * (text % 2), budget: 2 * elements,
				}
				if requireSafe(t, key, version, f.request(key, version).AppendTo(nil)) {
					accepted++
				} else {
					refused++
				}
			}
		}
	})
	if accepted < 500 || refused < 100 {
		t.Errorf("%d crowds accepted and %d refused: too few of one kind to mean anything", accepted, refused)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	everyRequest(func(key, version int16) {
		f := fillers(5)[1]
		body := f.request(key, version).AppendTo(nil)
		if n := testing.AllocsPerRun(10, func() {
			if err := Check(key, version, body); err != nil {
				t.Fatal(err)
			}
			_ = Known(key, version)
			_ = Flexible(key, version)
		}); n != 0 {
			t.Errorf("key %d v%d: %v allocations", key, version, n)
		}
	})
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	const topic = "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x13a name of 18 bytes\x00"
	for _, c := range []struct {
		name         string
		key, version int16
		body         string
		want         string
		kind         error
	}{
		{
			"a short topic id", 3, 12, "\x05" + topic + topic + topic + topic[:4],
			"guard: Metadata v12: Topics[3].TopicID: needs 16 bytes, 4 remain (at byte 109)", ErrMalformed,
		},
		{
			"a nested name", 1, 4, "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x0aorders",
			"guard: Fetch v4: Topics[0].Topic: needs 10 bytes, 6 remain (at byte 21)", ErrMalformed,
		},
		{
			"null for a list that needs one", 42, 0, "\xff\xff\xff\xff",
			"guard: DeleteGroups v0: Groups: null is not allowed (at byte 0)", ErrMalformed,
		},
		{
			"too many tags", 18, 3, "\x02a\x02b\x41" + string(make([]byte, 130)),
			"guard: ApiVersions v3: tags: 65 tags, at most 64 are allowed (at byte 4)", ErrLimit,
		},
		{
			"an unknown tag cut short", 18, 3, "\x02a\x02b\x01\x09\x07ab",
			"guard: ApiVersions v3: tags[0]: tag 9 needs 7 bytes, 2 remain (at byte 6)", ErrMalformed,
		},
		{
			"a known tag with a wrong size", 1, 12, string(make([]byte, 25)) + "\x01\x01\x01\x01\x00\x03\x02ab",
			"guard: Fetch v12: tags[0].ClusterID: takes 2 bytes, its tag says 3 (at byte 31)", ErrMalformed,
		},
		{
			"an unknown key", 999, 3, "", "guard: key 999 v3: no such request", ErrUnknownKey,
		},
		{
			"an unknown version", 3, 99, "", "guard: Metadata v99: no such version, 0 to 13 are known", ErrUnknownVersion,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(c.key, c.version, []byte(c.body))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
			if !errors.Is(err, c.kind) {
				t.Errorf("%v is no %v", err, c.kind)
			}
		})
	}
}
