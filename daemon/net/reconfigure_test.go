package net

import (
	"slices"
	"testing"
)

// A node that is added to udpu's members is sent to and heard, one that is taken
// out is neither; members of another family change nothing.
func TestUDPUReconfigure(t *testing.T) {
	r := newRig(t, 3)
	all := r.members(false, 5405)
	for i := range 3 {
		cfg := UDPUConfig{PlainConfig: r.plain(i, false), BlockUnlisted: true}
		if i == 0 {
			cfg.Members = all[:2]
		}
		r.start(i, func() (Transport, error) { return NewUDPU(r.p, cfg) })
	}
	first := r.nodes[0].(*UDPU)
	heard := func(by int, text string) func() bool {
		return func() bool {
			for _, n := range r.nodes {
				n.Multicast(clock(), packet(text, 40))
			}
			return slices.Contains(r.got[by], text+"/40")
		}
	}
	r.until("the second node", heard(1, "one"))
	if n := len(first.Links()); n != 1 {
		t.Errorf("%d links", n)
	}
	r.until("a stranger", func() bool { heard(0, "never")(); return first.Stats().Blocked > 0 })
	cfg := UDPUConfig{PlainConfig: r.plain(0, false), BlockUnlisted: true}
	cfg.Members = r.members(true, 5405)
	if first.Reconfigure(cfg) == nil || len(first.Links()) != 1 {
		t.Error("members of another family are taken")
	}
	cfg.Members = all
	if err := first.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	r.until("the third node", heard(2, "two"))
	cfg.Members = all[1:]
	if err := first.Reconfigure(cfg); err != nil || len(first.Links()) != 2 {
		t.Error(err, first.Links())
	}
}
