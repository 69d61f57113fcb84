package nettest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/daemon/net"
	"cpgol/wire/totem"
)

const ms = time.Millisecond

// trio is three nodes that note what they receive.
func trio(seed uint64) (n *Network, nodes [4]*Node, got *[4][]string) {
	n, got = New(seed), new([4][]string)
	for id := 1; id <= 3; id++ {
		nodes[id] = n.Join(totem.NodeID(id), func(p []byte) { got[id] = append(got[id], string(p)) })
	}
	return n, nodes, got
}

func tickAll(nodes [4]*Node, now time.Duration) {
	for _, n := range nodes[1:] {
		n.Tick(now)
	}
}

func TestDelivery(t *testing.T) {
	n, nodes, got := trio(1)
	n.MinDelay, n.MaxDelay = 5*ms, 5*ms
	b := []byte("a")
	nodes[1].Multicast(0, b)
	b[0] = 'x' // the caller's again
	nodes[1].Unicast(0, 2, []byte("b"))
	nodes[1].Unicast(0, 1, []byte("to myself"))
	nodes[1].Unicast(0, 9, []byte("to nobody"))
	if d := nodes[2].Deadline(); d != 5*ms {
		t.Errorf("deadline %v, want 5ms", d)
	}
	tickAll(nodes, 5*ms-1)
	if diff := cmp.Diff([4][]string{}, *got); diff != "" {
		t.Errorf("received too early (-want +got):\n%s", diff)
	}
	tickAll(nodes, 5*ms)
	if diff := cmp.Diff([4][]string{2: {"a", "b"}, 3: {"a"}}, *got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if d := nodes[2].Deadline(); d != net.Never {
		t.Errorf("deadline %v with nothing on its way", d)
	}
}

func TestPartition(t *testing.T) {
	n, nodes, got := trio(1)
	n.MinDelay, n.MaxDelay = ms, ms
	nodes[1].Multicast(0, []byte("cut off on its way"))
	n.Partition([]totem.NodeID{1, 2})
	nodes[1].Multicast(0, []byte("inside"))
	nodes[3].Multicast(0, []byte("from outside"))
	if links := nodes[1].Links(); !links[0].Connected || links[1].Connected {
		t.Errorf("links of node 1: %+v", links)
	}
	tickAll(nodes, ms)
	n.Heal()
	nodes[3].Multicast(2*ms, []byte("together"))
	tickAll(nodes, 3*ms)
	want := [4][]string{1: {"together"}, 2: {"cut off on its way", "inside", "together"}}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// faulty runs a lossy, reordering wire.
func faulty(seed uint64) [4][]string {
	n, nodes, got := trio(seed)
	n.Loss, n.Duplicate, n.MinDelay, n.MaxDelay = 0.2, 0.2, ms, 9*ms
	for i := range 500 {
		nodes[1+i%3].Multicast(time.Duration(i)*ms, fmt.Append(nil, i))
		tickAll(nodes, time.Duration(i)*ms)
	}
	tickAll(nodes, time.Hour)
	return *got
}

func TestFaults(t *testing.T) {
	first := faulty(7)
	if diff := cmp.Diff(first, faulty(7)); diff != "" {
		t.Errorf("one seed, two outcomes:\n%s", diff)
	}
	if cmp.Equal(first, faulty(8)) {
		t.Error("two seeds, one outcome")
	}
	times := map[string]int{}
	late := 0
	last := -1
	for _, text := range first[2] {
		times[text]++
		var i int
		fmt.Sscan(text, &i)
		if i < last {
			late++
		}
		last = i
	}
	twice := 0
	for _, n := range times {
		twice += n - 1
	}
	// 333 were sent to node 2.
	if lost := 333 - len(times); lost < 30 || lost > 110 {
		t.Errorf("%d of 333 lost, want about 67", lost)
	}
	if twice < 20 || twice > 110 {
		t.Errorf("%d repeated, want about 53", twice)
	}
	if late < 20 {
		t.Errorf("%d overtaken", late)
	}
}

func TestDrop(t *testing.T) {
	n, nodes, got := trio(1)
	n.Drop = func(from, to totem.NodeID, packet []byte) bool {
		return from == 1 && to == 3 && string(packet) == "token"
	}
	nodes[1].Multicast(0, []byte("token"))
	nodes[1].Multicast(0, []byte("other"))
	tickAll(nodes, 0)
	if diff := cmp.Diff([4][]string{2: {"token", "other"}, 3: {"other"}}, *got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestRestart(t *testing.T) {
	n, nodes, got := trio(1)
	n.MinDelay, n.MaxDelay = ms, ms
	nodes[1].Multicast(0, []byte("to the old"))
	if err := nodes[2].Close(); err != nil {
		t.Fatal(err)
	}
	nodes[2].Multicast(0, []byte("from the dead"))
	nodes[2] = n.Join(2, func(p []byte) { got[2] = append(got[2], "again:"+string(p)) })
	nodes[1].Multicast(0, []byte("to the new"))
	tickAll(nodes, ms)
	want := [4][]string{2: {"again:to the new"}, 3: {"to the old", "to the new"}}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// A receiver may close its transport and send.
func TestReceiverSends(t *testing.T) {
	n, nodes, got := trio(1)
	nodes[2].receive = func(p []byte) {
		nodes[2].Unicast(0, 1, []byte("answer"))
		nodes[2].Close()
	}
	nodes[1].Multicast(0, []byte("first"))
	nodes[1].Multicast(0, []byte("second"))
	tickAll(nodes, 0)
	tickAll(nodes, 0)
	if diff := cmp.Diff([]string{"answer"}, got[1]); diff != "" {
		t.Errorf("node 1 received (-want +got):\n%s", diff)
	}
	_ = n
}
