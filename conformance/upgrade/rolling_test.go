package upgrade

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// TestRolling replaces stock's Corosync by ours on one node of a Pacemaker cluster
// after the other, with the README's commands, and goes back likewise. After each
// step everything is well, the resources have run without a restart except one
// whose own node was serviced, and nobody's fencing was asked for.
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
	moves := map[string]int{}
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
				for _, resource := range moved {
					moves[resource]++
				}
			}
		}
	}
	c.tellLives()
	for _, resource := range resources {
		lives, err := c.timeline(resource)
		if err != nil {
			t.Error(err)
		}
		if len(lives) != 1+moves[resource] {
			t.Errorf("%s had %d lives; it was moved %d times", resource, len(lives), moves[resource])
		}
	}
	if reasons := c.fencing(); len(reasons) > 0 {
		t.Errorf("fencing was asked for: %q", reasons)
	}
}

// service stops a node's Pacemaker, has the administrator type commands and starts it
// again. It says which resources moved, being on that node, and what went wrong.
func (c *cluster) service(n *node, commands []string) (moved []string, err error) {
	begin, from, before := time.Now(), n.Kind, map[string]life{}
	for _, resource := range resources {
		if before[resource], err = c.life(resource); err != nil {
			return nil, err
		}
	}
	for _, line := range slices.Concat([]string{"systemctl stop pacemaker"}, commands, []string{"systemctl start pacemaker"}) {
		if err := n.do(line); err != nil {
			return nil, err
		}
		if line == "systemctl restart corosync" { // the next lines ask the ring
			if err := c.WaitRing(20*time.Second, 1, 2, 3); err != nil {
				return nil, err
			}
		}
	}
	if err := c.wait(60*time.Second, c.whole); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if !n.Quorate() {
			return nil, fmt.Errorf("node %d is not quorate", n.ID)
		}
	}
	if reasons := c.fencing(); len(reasons) > 0 {
		return nil, fmt.Errorf("fencing was asked for: %q", reasons)
	}
	var words []string
	for _, resource := range resources {
		was := before[resource]
		is, err := c.life(resource)
		if err != nil {
			return nil, err
		}
		if (is.pid != was.pid) != (was.node == n.ID) {
			return nil, fmt.Errorf("before, %s %v; after, it %v", resource, was, is)
		}
		word := "runs on"
		if is.pid != was.pid {
			moved = append(moved, resource)
			word = "moved off"
		}
		words = append(words, fmt.Sprintf("%s %s (n%d, process %d, since %v)", resource, word, is.node, is.pid, is.first.Round(time.Millisecond)))
	}
	c.t.Logf("%v: node %d from %s to %s in %v; all online, quorate, nobody fenced; %s", time.Since(c.begin).Round(time.Millisecond),
		n.ID, from, n.Kind, time.Since(begin).Round(time.Millisecond), strings.Join(words, "; "))
	return moved, nil
}
