package live

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// page returns the commands of the README's page about moving a cluster: those
// for the way there, and for the way back.
func page(t *testing.T) (there, back []string) {
	t.Helper()
	there, back, err := lab.MovingPage("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return there, back
}

// TestMovingACluster moves a cluster of stock daemons to ours, node by node, and
// back again, with the README's commands; clients on all nodes but the one that is
// being moved miss nothing.
func TestMovingACluster(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if *which == "stock" {
		t.Skip("there is nothing to move to")
	}
	t.Parallel()
	there, back := page(t)
	r := newRing(t, casts[0], kinds[1])
	var admins []lab.Admin
	for _, h := range r.Hosts {
		a := lab.Admin{Host: h, Binary: daemonBinary}
		r.must(a.Install(r.conf, lab.Key()), "install")
		_, err := a.Do("systemctl start corosync")
		r.must(err, "start")
		admins = append(admins, a)
	}
	r.form(1, 2, 3)
	for _, way := range []struct {
		commands []string
		kind     string
	}{{there, "cpgold"}, {back, "corosync"}} {
		for i, a := range admins {
			r.move(a, way.commands)
			if a.Kind != way.kind {
				t.Fatalf("node %d runs %s, not %s", i+1, a.Kind, way.kind)
			}
		}
	}
}

// move runs the commands on one node while clients beside the others send.
func (r *ring) move(a lab.Admin, commands []string) {
	r.t.Helper()
	var others []int
	for i := range r.Hosts {
		if i != a.ID-1 {
			others = append(others, i)
		}
	}
	r.group = fmt.Sprintf("while node %d moves", a.ID)
	for _, i := range others {
		c, err := r.Hosts[i].StartClient(clientBinary, r.group)
		r.must(err, "client")
		r.clients[i] = c
	}
	r.everybodySees(len(others), others...)
	const each = 100
	for _, line := range commands {
		for _, i := range others {
			r.must(r.clients[i].Send(each, 200), "send")
		}
		out, err := a.Do(line)
		r.must(err, "%s", out)
		if strings.HasPrefix(line, "systemctl ") { // the next lines ask the ring
			r.must(r.WaitRing(20*time.Second, 1, 2, 3), "whole ring after %s", line)
		}
	}
	var told [][]string
	for _, i := range others {
		r.must(r.clients[i].WaitCount(20*time.Second, "deliver", each*len(commands)*len(others)), "messages on node %d", i+1)
		told = append(told, r.clients[i].Lines("deliver"))
		r.must(r.clients[i].Quit(), "client on node %d leaves", i+1)
		if !r.Hosts[i].Quorate() {
			r.t.Errorf("node %d is not quorate", i+1)
		}
	}
	if !slices.Equal(told[0], told[1]) {
		r.t.Errorf("different orders: %s", difference(told[0], told[1]))
	}
}
