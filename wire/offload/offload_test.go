package offload

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
	"cpgol/wire/wiretest"
)

type codec interface {
	Decode(b []byte) (n int, err error)
	Append(b []byte) []byte
}

func name(s string) exec.GroupName {
	g, _ := exec.NewGroupName([]byte(s))
	return g
}

var cmpOptions = cmp.Options{cmp.AllowUnexported(Order{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b exec.GroupName) bool { return a == b })}

var zeros = string(bytes.Repeat([]byte("00 "), 128))

var samples = []struct {
	name, hex string
	want      codec
}{
	{"announce", `63 70 67 4f 01 01 00 00  38 01 00 00 00 00 00 00
		02 00 00 00 00 00 00 00  67 31` + zeros[:126*3] + `
		e1 76 00 00 00 00 00 00
		` + string(bytes.Repeat([]byte("aa "), 32)) + `
		73 31 ` + zeros[:62*3] + `
		02 00 00 00 00 00 00 00
		00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 01   39 30  00 00 00 00 00 00
		20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01   01 00  00 00 00 00 00 00`,
		&Announce{Group: name("g1"), PID: 30433, Endpoint: Endpoint{Key: [32]byte(bytes.Repeat([]byte{0xaa}, 32)), Socket: "s1",
			Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:12345"), netip.MustParseAddrPort("[2001:db8::1]:1")}}}},
	{"suspend", `63 70 67 4f 01 02 00 00  b8 00 00 00 00 00 00 00
		02 00 00 00 00 00 00 00  67 31` + zeros[:126*3] + `
		01 00 00 00  e1 76 00 00  0d 00 00 00 00 00 00 00  07 00 00 00 00 00 00 00  03 00 00 00 00 00 00 00`,
		&Suspend{name("g1"), View{totem.RingID{Rep: 1, Seq: 13}, 7}, Member{3, 30433}}},
	{"order", `63 70 67 4f 01 03 00 00  70 00 00 00 00 00 00 00
		01 00 00 00  02 00 00 00  0d 00 00 00 00 00 00 00
		e1 76 00 00  03 00 00 00  07 00 00 00 00 00 00 00  05 00 00 00 00 00 00 00  02 00  00 00  00 00 00 00  67 31 00 00 00 00 00 00
		e1 76 00 00  02 00 00 00  07 00 00 00 00 00 00 00  08 00 00 00 00 00 00 00  02 00  00 00  00 00 00 00  67 31 00 00 00 00 00 00`, nil},
	{"present", `63 70 67 4f 01 04 00 00  20 00 00 00 00 00 00 00
		01 00 00 00  02 00 00 00  0d 00 00 00 00 00 00 00`, &Present{totem.RingID{Rep: 1, Seq: 13}, StepExpects}},
}

// TestSamples: each decodes to what it says, comes out as it went in, and none of
// its prefixes is a message.
func TestSamples(t *testing.T) {
	for _, s := range samples {
		b := wiretest.Unhex(t, s.hex)
		got := newOf(b)
		if n, err := got.Decode(append(slices.Clip(b), 1, 2, 3)); n != len(b) || err != nil {
			t.Fatalf("%s: took %d of %d bytes, %v", s.name, n, len(b), err)
		}
		if d := cmp.Diff(s.want, got, cmpOptions); s.want != nil && d != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, d)
		}
		if d := cmp.Diff(b, got.Append(nil)); d != "" {
			t.Errorf("%s, encoded (-want +got):\n%s", s.name, d)
		}
		for i := range b {
			if n, err := got.Decode(b[:i:i]); err == nil {
				t.Errorf("%s: took %d bytes of a prefix of %d", s.name, n, i)
			}
		}
	}
}

func newOf(b []byte) codec {
	switch b[5] {
	case byte(KindAnnounce):
		return new(Announce)
	case byte(KindSuspend):
		return new(Suspend)
	case byte(KindPresent):
		return new(Present)
	}
	return new(Order)
}

func TestOrder(t *testing.T) {
	want := []Entry{
		{Group: name("g1"), PID: 30433, Count: 3, Epoch: 7, First: 5},
		{Group: name("g1"), PID: 30433, Count: 2, Epoch: 7, First: 8},
	}
	ring := totem.RingID{Rep: 1, Seq: 13}
	b := Begin(nil, ring)
	for i := range want {
		before := len(b)
		if b = want[i].Append(b); len(b)-before != want[i].Len() {
			t.Errorf("entry %d: %d bytes, Len is %d", i, len(b)-before, want[i].Len())
		}
	}
	End(b, len(want))
	if d := cmp.Diff(wiretest.Unhex(t, samples[2].hex), b); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var m Order
	if _, err := m.Decode(b); err != nil || m.Ring != ring {
		t.Fatal(m.Ring, err)
	}
	var got []Entry
	for e := range m.All() {
		got = append(got, *e)
	}
	if d := cmp.Diff(want, got, cmpOptions); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := testing.AllocsPerRun(100, func() {
		m.Decode(b)
		for e := range m.All() {
			b = append(b[:0:cap(b)], b...)
			_ = e
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestUnknown: what a later version may say is passed over.
func TestUnknown(t *testing.T) {
	b := wiretest.Unhex(t, samples[1].hex)
	for _, at := range []int{0, 4, 5} {
		c := slices.Clone(b)
		c[at] += 9
		if _, err := Kind(c); err != ErrUnknown {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	if kind, err := Kind(b); kind != KindSuspend || err != nil {
		t.Error(kind, err)
	}
}

// FuzzMessages: what is accepted comes out as it went in.
func FuzzMessages(f *testing.F) {
	for _, s := range samples {
		f.Add(wiretest.Unhex(f, s.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderLen {
			return
		}
		m := newOf(b)
		n, err := m.Decode(b)
		if err != nil {
			return
		}
		if got := m.Append(nil); !bytes.Equal(got, b[:n]) {
			t.Fatalf(" in %x\nout %x", b[:n], got)
		}
		if o, ok := m.(*Order); ok {
			count := 0
			for range o.All() {
				count++
			}
			if count != o.count {
				t.Fatalf("%d entries, %d said", count, o.count)
			}
		}
	})
}
