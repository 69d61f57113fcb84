package lab

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStockRing shows that the lab itself works, with the reference alone: three
// stock daemons form a ring and their clients see one order.
func TestStockRing(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	l, err := New(Options{Prefix: "labt", Nodes: 3, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	binary, err := BuildClient(t.TempDir(), "cpgclient")
	if err != nil {
		t.Fatal(err)
	}
	conf := l.Conf(Ring{Transport: "udpu", Token: 1000})
	for _, h := range l.Hosts {
		if err := h.StartStock(conf, Key()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.WaitRing(15*time.Second, 1, 2, 3); err != nil {
		t.Fatal(err, l.Hosts[0].Tail(20))
	}
	var clients []*Client
	for _, h := range l.Hosts {
		c, err := h.StartClient(binary, "g")
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		for i, c := range clients {
			if err := c.WaitCount(5*time.Second, "confchg", len(clients)-i); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range clients {
		c.Send(100, 500)
	}
	for _, c := range clients {
		if err := c.WaitCount(10*time.Second, "deliver", 300); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(clients[0].Lines("deliver"), c.Lines("deliver")); d != "" {
			t.Errorf("different orders:\n%s", d)
		}
	}
	if got := clients[2].Lines("ring"); !slices.ContainsFunc(got, func(s string) bool { return len(s) > 0 }) {
		t.Errorf("no ring event in %q", clients[2].Lines())
	}
	if err := l.Hosts[1].Stop(); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitRing(10*time.Second, 1, 3); err != nil {
		t.Fatal(err)
	}
}
