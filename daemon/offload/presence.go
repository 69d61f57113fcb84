package offload

import (
	"slices"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A presence finds out whether the ring is all ours, and then lets its token
// rest early: every node says that it is here; when all are, each expects the
// token to rest and says so; when all do, the representative lets it. A node of
// the reference's says nothing, and nothing changes.
type presence struct {
	steps map[totem.NodeID]uint32
	told  bool // that we expect it
	rests bool
}

// formed begins anew.
func (s *Service) formed() {
	s.presence = presence{steps: make(map[totem.NodeID]uint32)}
	s.sendPresent(offload.StepHere)
}

func (s *Service) sendPresent(step uint32) {
	m := offload.Present{Ring: s.ring, Step: step}
	s.send(unsent{msg: m.Append(nil)})
}

// present takes what a node says.
func (s *Service) present(from totem.NodeID, m *offload.Present) {
	p := &s.presence
	if m.Ring != s.ring || p.steps == nil {
		return // of an earlier ring
	}
	p.steps[from] = max(p.steps[from], m.Step)
	if !p.told && s.reached(offload.StepHere) {
		p.told = true
		if s.ring.Rep != s.host.Self() {
			s.host.RestEarly(s.ring)
		}
		s.sendPresent(offload.StepExpects)
	}
	if !p.rests && s.ring.Rep == s.host.Self() && s.reached(offload.StepExpects) {
		p.rests = true
		s.host.RestEarly(s.ring)
	}
}

// reached reports whether all members of the ring have come to a step.
func (s *Service) reached(step uint32) bool {
	return !slices.ContainsFunc(s.host.RingMembers(), func(n totem.NodeID) bool { return s.presence.steps[n] < step })
}
