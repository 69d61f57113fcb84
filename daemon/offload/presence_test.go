package offload

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// TestPresence: the token rests early once all nodes of the ring are ours, and with
// the representative last.
func TestPresence(t *testing.T) {
	r := newRing(3)
	if d := cmp.Diff([]totem.NodeID{2, 3, 1}, r.resting); d != "" {
		t.Errorf("all ours (-want +got):\n%s", d)
	}
	r.members = append(r.members, 4)
	r.form()
	if len(r.resting) > 0 {
		t.Errorf("with a node of another kind: %v", r.resting)
	}
	for _, n := range r.nodes {
		m := offload.Present{Ring: n.Service.ring, Step: offload.StepHere}
		m.Ring.Seq-- // said in the ring before
		n.Deliver(4, m.Append(nil))
	}
	r.run()
	if len(r.resting) > 0 {
		t.Errorf("late: %v", r.resting)
	}
	r.members = r.members[:3]
	r.form()
	if d := cmp.Diff([]totem.NodeID{2, 3, 1}, r.resting); d != "" {
		t.Errorf("without it (-want +got):\n%s", d)
	}
}
