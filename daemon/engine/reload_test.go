package engine

import (
	"testing"

	"cpgol/wire/totem"
)

// A member that a reload took out of one node's configuration goes as it does for
// the others, whose joins name it: they agree on the ring without it at once. Then
// it is a stranger.
func TestMemberTakenOut(t *testing.T) {
	r := formRing(t, 3, func(c *Config) { c.Nodes = []totem.NodeID{1, 2, 3} })
	cfg := testConfig(2)
	cfg.Nodes = []totem.NodeID{1, 2}
	r.nodes[2].Reconfigure(cfg)
	if r.nodes[2].State() != StateOperational || !r.nodes[2].knows(3) {
		t.Fatal("the ring is left, or its member not known")
	}
	r.remove(3)
	gone := r.now + cfg.Token + 2*cfg.Consensus
	r.until(r.together)
	if r.now > gone {
		t.Errorf("a ring only at %v, after %v", r.now, gone)
	}
	if r.nodes[2].knows(3) || !r.nodes[1].knows(3) {
		t.Error("who is known?")
	}
}
