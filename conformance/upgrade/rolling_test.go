package upgrade

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// TestRolling replaces stock's Corosync by ours on one node of a Pacemaker cluster
// after the other, with the README's commands, and goes back likewise. After each
// step everything is well, the resource has run without a restart
// except where its own node was serviced, and nobody's fencing was asked for.
func TestRolling(t *testing.T) {
	there, back, err := lab.MovingPage("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, "sss")
	t.Parallel()
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	moves := 0
	for round := range *repeat {
		if round > 0 { // what was migrated before, migrate doesn't overwrite
			for _, n := range c.nodes {
				if err := n.do("rm /etc/corosync/cpgold.toml"); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, way := range []struct {
			kind     string
			commands []string
		}{{"cpgold", there}, {"corosync", back}} {
			for _, n := range c.nodes {
				moved, err := c.service(n, way.commands)
				if err == nil && n.Kind != way.kind {
					err = fmt.Errorf("it runs %s", n.Kind)
				}
				if err != nil {
					t.Fatalf("round %d: node %d to %s: %v", round+1, n.ID, way.kind, err)
				}
				if moved {
					moves++
				}
			}
		}
	}
	lives, err := c.timeline()
	if err != nil {
		t.Error(err)
	}
	for _, l := range lives {
		t.Logf("the resource %v", l)
	}
	if len(lives) != 1+moves {
		t.Errorf("the resource had %d lives; it was moved %d times", len(lives), moves)
	}
	if reasons := c.fencing(); len(reasons) > 0 {
		t.Errorf("fencing was asked for: %q", reasons)
	}
}

// service stops a node's Pacemaker, has the administrator type commands and starts it again. It
// says whether the resource moved, and what went wrong.
func (c *cluster) service(n *node, commands []string) (moved bool, err error) {
	begin := time.Now()
	before, err := c.life()
	if err != nil {
		return false, err
	}
	from := n.Kind
	for _, line := range slices.Concat([]string{"systemctl stop pacemaker"}, commands, []string{"systemctl start pacemaker"}) {
		if err := n.do(line); err != nil {
			return false, err
		}
		if line == "systemctl restart corosync" { // the next lines ask the ring
			if err := c.WaitRing(20*time.Second, 1, 2, 3); err != nil {
				return false, err
			}
		}
	}
	if err := c.wait(60*time.Second, c.whole); err != nil {
		return false, err
	}
	for _, n := range c.nodes {
		if !n.Quorate() {
			return false, fmt.Errorf("node %d is not quorate", n.ID)
		}
	}
	if reasons := c.fencing(); len(reasons) > 0 {
		return false, fmt.Errorf("fencing was asked for: %q", reasons)
	}
	after, err := c.life()
	if err != nil {
		return false, err
	}
	moved = after.pid != before.pid
	if moved != (before.node == n.ID) {
		return moved, fmt.Errorf("before, the resource %v; after, it %v", before, after)
	}
	c.t.Logf("%v: node %d from %s to %s in %v; all online, quorate; the resource, on n%d since %v as process %d, %s", time.Since(c.begin).Round(time.Millisecond),
		n.ID, from, n.Kind, time.Since(begin).Round(time.Millisecond), after.node, after.first.Round(time.Millisecond), after.pid,
		map[bool]string{true: "was moved off the node", false: "ran on"}[moved])
	return moved, nil
}

// life is the keeper's present life.
func (c *cluster) life() (life, error) {
	lives, err := c.timeline()
	if err != nil {
		return life{}, err
	}
	id, err := c.where()
	if err != nil {
		return life{}, err
	}
	if len(lives) == 0 || lives[len(lives)-1].node != id {
		return life{}, fmt.Errorf("Pacemaker has the resource on n%d, but it had the lives %v", id, lives)
	}
	return lives[len(lives)-1], nil
}
