package abi

import (
	"errors"
	"strings"
	"testing"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
	"cpgol/wire/wiretest"

	"github.com/google/go-cmp/cmp"
)

func group(s string) exec.GroupName {
	g, ok := exec.NewGroupName([]byte(s))
	if !ok {
		panic("group name too long")
	}
	return g
}

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

// TestChangeOrder: counts are members, joined, left; data members, left,
// joined.
func TestChangeOrder(t *testing.T) {
	var m CPGChange
	if _, err := m.Decode(sample(t, "cpg change")); err != nil {
		t.Fatal(err)
	}
	want := CPGChange{
		Group:   group("g1"),
		Members: []Address{{1, 30433, 0}, {2, 30433, 0}},
		Left:    []Address{{3, 30433, exec.ReasonProcDown}},
		Joined:  []Address{{2, 30433, exec.ReasonJoin}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestCPGCounts(t *testing.T) {
	mcast := sample(t, "cpg mcast")
	mcast[32] = 6
	if _, err := new(CPGMcast).Decode(append(mcast, 0)); err == nil {
		t.Error("message longer than its request accepted")
	}
	partial := sample(t, "cpg partial mcast")
	partial[32] = 4
	if _, err := new(CPGPartial).Decode(partial); err == nil {
		t.Error("fragment longer than its message accepted")
	}
	change := sample(t, "cpg change")
	change[163] = 0xff
	if _, err := new(CPGChange).Decode(change); err == nil {
		t.Error("4 billion members accepted")
	}
	join := sample(t, "cpg join")
	join[16] = 129
	var m CPGJoin
	if _, err := m.Decode(join); !errors.Is(err, ErrNameTooLong) || m.PID != 30433 {
		t.Errorf("name of 129 bytes: %v, pid %d", err, m.PID)
	}
	// The group of an iteration over all is what the client's stack held.
	iter := sample(t, "cpg iteration initialize")
	iter[17], iter[152] = 0xff, byte(CPGIterAll)
	if _, err := new(CPGIterInit).Decode(iter); err != nil {
		t.Errorf("iteration with garbage for a group: %v", err)
	}
}

// TestZeroPath: a path that does not end is none.
func TestZeroPath(t *testing.T) {
	b := sample(t, "cpg zero-copy alloc")
	var m CPGZeroAlloc
	want := CPGZeroAlloc{MapSize: 1056, Path: "/dev/shm/corosync_zerocopy-AbCx12"}
	if _, err := m.Decode(b); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	b[24+40] = 'x' // behind the NUL there is what the stack held
	if _, err := m.Decode(b); err != nil || m != want {
		t.Errorf("with garbage: %+v, %v", m, err)
	}
	for i := 24; i < len(b); i++ {
		b[i] = 'x'
	}
	if _, err := m.Decode(b); err == nil {
		t.Errorf("accepted a path of %d bytes", len(m.Path))
	}
}

// TestClientLimits: no list is longer than a C client's arrays.
func TestClientLimits(t *testing.T) {
	long := make([]Address, 200)
	b := (&CPGMembers{Status: OK, Members: long}).Append(nil)
	if len(b) != CPGMembersLen || b[24] != MaxCPGMembers {
		t.Errorf("membership of 200: %d bytes, count %d", len(b), b[24])
	}
	b = (&CPGRing{Members: make([]totem.NodeID, 200)}).Append(nil)
	if len(b) != ringLen+4*MaxCPGMembers || b[40] != MaxCPGMembers {
		t.Errorf("ring of 200: %d bytes, count %d", len(b), b[40])
	}
	defer func() {
		if recover() == nil {
			t.Error("change of 200 appended")
		}
	}()
	(&CPGChange{Members: long}).Append(nil)
}

func TestHotAllocs(t *testing.T) {
	in, out := sample(t, "cpg mcast"), make([]byte, 0, 1024)
	deliver := CPGDeliver{Group: group("g1"), Node: 1, PID: 2}
	allocs := testing.AllocsPerRun(100, func() {
		var m CPGMcast
		if _, err := m.Decode(in); err != nil {
			t.Fatal(err)
		}
		out = deliver.AppendHead(out[:0], len(m.Message))
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestSmallAnswers(t *testing.T) {
	if b := AppendCPGIterInitRes(nil, OK, 7); len(b) != CPGIterInitResLen {
		t.Errorf("iteration: %x", b)
	} else if h, st, err := CutCPGIterInitRes(b); h != 7 || st != OK || err != nil {
		t.Errorf("iteration: %d, %v, %v", h, st, err)
	}
	if b := AppendCPGLocalRes(nil, 9); len(b) != CPGLocalResLen {
		t.Errorf("local: %x", b)
	} else if n, st, err := CutCPGLocalRes(b); n != 9 || st != OK || err != nil {
		t.Errorf("local: %d, %v, %v", n, st, err)
	}
	if b := AppendQuorumWordRes(nil, QuorumModelRes, InvalidParam, 1); len(b) != QuorumWordResLen {
		t.Errorf("model: %x", b)
	} else if w, st, err := CutQuorumWordRes(b, QuorumModelRes); w != 1 || st != InvalidParam || err != nil {
		t.Errorf("model: %d, %v, %v", w, st, err)
	}
	b := AppendStatus(nil, 14, NotSupported)
	if id, size, st, err := CutResponse(b); id != 14 || size != 24 || st != NotSupported || err != nil {
		t.Errorf("status: %d, %d, %v, %v", id, size, st, err)
	}
}

func TestStatusNames(t *testing.T) {
	for st, want := range map[Status]string{OK: "OK", TryAgain: "TRY_AGAIN", 77: "status 77"} {
		if got := st.String(); got != want {
			t.Errorf("%d: %q", int(st), got)
		}
	}
	if len(statusNames) != 30 || strings.Contains(statusNames[Library], "CS_") {
		t.Error("names")
	}
}
