package replay

import (
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A round is one synchronisation as one node goes through it: all members list
// their services, then pass one barrier for each service in the union of the
// lists (exec/sync.c).
type round struct {
	running  bool
	ring     totem.RingID
	members  []totem.NodeID
	services []int32
	building bool
	at       int // the service being synchronised
	have     map[totem.NodeID]bool
}

func (r *round) start(ring totem.RingID, members []totem.NodeID) {
	*r = round{running: true, ring: ring, members: members, building: true, have: make(map[totem.NodeID]bool)}
}

// build takes a list of services; lists of other rounds count for nothing.
func (r *round) build(from totem.NodeID, m *exec.ServiceBuild) {
	if !r.running || !r.building || m.Ring != r.ring {
		return
	}
	for _, s := range m.Services() {
		if i, ok := slices.BinarySearch(r.services, s); !ok {
			r.services = slices.Insert(r.services, i, s)
		}
	}
	if r.passed(from) {
		r.building = false
	}
}

// barrier takes a barrier. done is the service that all members have now gone
// through, -1 if none; finished tells that it was the last.
func (r *round) barrier(from totem.NodeID, m *exec.Barrier) (done int32, finished bool) {
	if !r.running || r.building || m.Ring != r.ring || r.at >= len(r.services) || !r.passed(from) {
		return -1, false
	}
	done = r.services[r.at]
	r.at++
	return done, r.at == len(r.services)
}

// passed notes a member and reports whether it was the last one missing.
func (r *round) passed(from totem.NodeID) bool {
	r.have[from] = true
	for _, n := range r.members {
		if !r.have[n] {
			return false
		}
	}
	clear(r.have)
	return true
}
