package exec

import (
	"bytes"
	"strings"
	"testing"

	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

func group(s string) GroupName {
	g, ok := NewGroupName([]byte(s))
	if !ok {
		panic("group name too long")
	}
	return g
}

func TestProcChange(t *testing.T) {
	join := ProcChange{Group: group("g1"), PID: 30433, Reason: ReasonJoin}
	if diff := cmp.Diff(sample(t, "procjoin"), join.Append(nil)); diff != "" {
		t.Error(diff)
	}
	var m ProcChange
	if _, err := m.Decode(sample(t, "procleave")); err != nil {
		t.Fatal(err)
	}
	if !m.Leave || m.Group != group("g1") || m.PID != 30433 || m.Reason != ReasonProcDown {
		t.Errorf("procleave: %+v", m)
	}
	b := sample(t, "procjoin")
	b[16] = 129
	if _, err := m.Decode(b); err == nil {
		t.Error("group name of 129 bytes accepted")
	}
}

func TestJoinList(t *testing.T) {
	var m JoinList
	b := sample(t, "joinlist")
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	if len(m.Entries) != 2 || m.Entries[0].PID != 30433 || m.Entries[0].Group != group("g1") ||
		m.Entries[1].PID != 30434 || m.Entries[1].Group != group(strings.Repeat("x", 128)) {
		t.Errorf("%+v", m.Entries)
	}
	b[8]++ // not a whole number of entries
	if _, err := m.Decode(append(b, 0)); err == nil {
		t.Error("size 24 + 2*144 + 1 accepted")
	}
	empty := (&JoinList{}).Append(nil)
	if n, err := m.Decode(empty); n != ResponseHeaderLen || err != nil || len(m.Entries) != 0 {
		t.Errorf("empty list: %d, %v, %d entries", n, err, len(m.Entries))
	}
}

func TestMcast(t *testing.T) {
	var m Mcast
	b := sample(t, "mcast")
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	if m.Group != group("g1\x00") || m.PID != 30433 || m.Source.Node != 1 ||
		m.Source.Conn != 0x55554a2e0e10 || string(m.Data) != "hello" {
		t.Errorf("%+v", m)
	}
	// msglen is what C receivers read beyond; it must agree with the size.
	for _, size := range []byte{4, 6} {
		b[152] = size
		if _, err := m.Decode(append(b[:len(b):len(b)], 0)); err == nil {
			t.Errorf("msglen %d with 5 bytes accepted", size)
		}
	}
	b[152], b[155] = 5, 0xff
	if _, err := m.Decode(b); err == nil {
		t.Error("msglen of 4 GB accepted")
	}
}

func TestPartialMcast(t *testing.T) {
	var m PartialMcast
	b := sample(t, "partial mcast")
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	if m.Total != 7 || m.PID != 30433 || m.Part != PartLast || string(m.Data) != "hello" {
		t.Errorf("%+v", m)
	}
	b[152] = 4
	if _, err := m.Decode(b); err == nil {
		t.Error("fragment longer than its message accepted")
	}
}

func TestDownlist(t *testing.T) {
	var m Downlist
	b := sample(t, "downlist")
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]totem.NodeID{3}, m.Left()); m.OldMembers != 3 || diff != "" {
		t.Errorf("old members %d, left %s", m.OldMembers, diff)
	}
	b[24], b[25] = 0x81, 0x01
	if _, err := m.Decode(b); err == nil {
		t.Error("385 nodes accepted")
	}
}

// TestHotAllocs: a message in and out again costs no allocation.
func TestHotAllocs(t *testing.T) {
	for name, m := range map[string]codec{"mcast": new(Mcast), "partial mcast": new(PartialMcast)} {
		b, out := sample(t, name), make([]byte, 0, 1024)
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
			out = m.Append(out[:0])
		})
		if allocs != 0 || !bytes.Equal(out, b) {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func BenchmarkMcast(b *testing.B) {
	in := sample(b, "mcast")
	var m Mcast
	out := make([]byte, 0, 1024)
	for b.Loop() {
		m.Decode(in)
		out = m.Append(out[:0])
	}
}
