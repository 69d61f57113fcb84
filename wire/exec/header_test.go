package exec

import (
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		id                int32
		service, function int
	}{
		{0x00000000, 0, 0}, {0x00020003, 2, 3}, {0x00050001, 5, 1}, {-1, 0xffff, 0xffff},
	} {
		s, f := SplitID(c.id)
		if s != c.service || f != c.function {
			t.Errorf("SplitID(%#x) = %d, %d", c.id, s, f)
		}
		if id := MakeID(s, f); id != c.id {
			t.Errorf("MakeID(%d, %d) = %#x, want %#x", s, f, id, c.id)
		}
	}
}

func TestGroupName(t *testing.T) {
	long := strings.Repeat("x", MaxGroupName)
	g, ok := NewGroupName([]byte(long))
	if !ok || g.String() != long {
		t.Errorf("128 bytes: %v, %q", ok, g.String())
	}
	if _, ok := NewGroupName([]byte(long + "x")); ok {
		t.Error("129 bytes accepted")
	}

	a, _ := NewGroupName([]byte("g1"))
	var b GroupName
	wire := wiretest.Unhex(t, "02000000 fc7f0000 6731"+strings.Repeat("ee", 126))
	if n, err := b.Decode(wire); n != GroupNameLen || err != nil || b != a {
		t.Errorf("Decode = %d, %v: %#v", n, err, b)
	}
	if got := b.Append(nil); len(got) != GroupNameLen || got[4] != 0 || got[10] != 0 {
		t.Errorf("Append = %x", got)
	}
	wire[0] = 129
	if _, err := b.Decode(wire); err == nil {
		t.Error("length 129 accepted")
	}
}

// TestGroupNameOrder: the order of strcmp, made total.
func TestGroupNameOrder(t *testing.T) {
	sorted := []string{"", "\x00", "a", "a\x00", "a\x00b", "aa", "b", "\x80"}
	for i, x := range sorted {
		for j, y := range sorted {
			g, _ := NewGroupName([]byte(x))
			h, _ := NewGroupName([]byte(y))
			if got := g.Compare(&h); sign(got) != sign(i-j) {
				t.Errorf("%q against %q: %d", x, y, got)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }
