package exec

import (
	"testing"

	"cpgol/wire/totem"
	"cpgol/wire/wiretest"

	"github.com/google/go-cmp/cmp"
)

// sample returns the fixture of the table's row called name.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	for _, c := range codecs {
		if c.name == name {
			return wiretest.Unhex(t, c.sample)
		}
	}
	t.Fatalf("no row %q", name)
	return nil
}

func TestServiceBuild(t *testing.T) {
	b := sample(t, "service build")
	var m ServiceBuild
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	if m.Ring != (totem.RingID{Rep: 1, Seq: 0xd}) {
		t.Errorf("ring %v", m.Ring)
	}
	if diff := cmp.Diff([]int32{0, 2, 3, 5}, m.Services()); diff != "" {
		t.Error(diff)
	}
	for _, count := range []byte{0xff, 0x81} { // -1 of 255, and 129
		b[32], b[33], b[34], b[35] = count, 0, 0, 0
		if count == 0xff {
			b[33], b[34], b[35] = 0xff, 0xff, 0xff
		}
		if _, err := m.Decode(b); err == nil {
			t.Errorf("count %#x accepted", count)
		}
	}
}

func TestBarrier(t *testing.T) {
	b := sample(t, "barrier")
	want := Barrier{Ring: totem.RingID{Rep: 1, Seq: 0xd}}
	if got := want.Append(nil); !cmp.Equal(got, b) {
		t.Errorf("%x, want %x", got, b)
	}
	// The two messages of the group are never taken for each other.
	var m ServiceBuild
	if _, err := m.Decode(append(b, make([]byte, serviceBuildLen)...)); err == nil {
		t.Error("barrier decoded as service build")
	}
}
