package net

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/daemon/link"
)

func (r *rig) startKnet(crypto bool, change func(i int, cfg *KnetConfig)) {
	r.t.Helper()
	for i := range r.nodes {
		cfg := r.knet(i, false, crypto)
		if change != nil {
			change(i, &cfg)
		}
		r.start(i, func() (Transport, error) { return NewKnet(r.p, cfg) })
	}
}

// Messages far above the MTU, to all and to one, with what a node says inside a
// handler in between.
func TestKnetLargeMessages(t *testing.T) {
	for _, crypto := range []bool{false, true} {
		t.Run(fmt.Sprint("crypto ", crypto), func(t *testing.T) {
			r := newRig(t, 3)
			r.startKnet(crypto, nil)
			r.connected()
			before := r.nodes[0].(*Knet).Stats() // the links' probes found the MTU by failing
			r.handle = func(i int, p []byte) {
				if i == 2 && len(p) > 1000 {
					r.nodes[2].Unicast(clock(), 1, packet("thanks", 50))
					r.nodes[2].Flush(clock())
				}
			}
			var want, thanks []string
			for i := range 40 {
				size := 65536 - 1000*i
				r.nodes[0].Multicast(clock(), packet(fmt.Sprint("m", i), size))
				want = append(want, fmt.Sprintf("m%d/%d", i, size))
				thanks = append(thanks, "thanks/50")
			}
			r.nodes[0].Unicast(clock(), 3, packet("token", 70))
			want = append(want, "token/70")
			r.until("all messages", func() bool { return len(r.got[2]) >= 41 && len(r.got[1]) >= 40 && len(r.got[0]) >= 40 })
			if diff := cmp.Diff([][]string{thanks, want[:40], want}, r.got); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
			st := r.nodes[0].(*Knet).Stats()
			if st.Dropped != 0 || st.Failed != before.Failed {
				t.Errorf("counters %+v", st)
			}
			if sent, calls := st.Sent-before.Sent, st.SendCalls-before.SendCalls; calls > 20 {
				t.Errorf("%d datagrams in %d calls, want at most 20", sent, calls)
			}
		})
	}
}

// A peer that stops is noticed by the ICMP error long before the timeout.
func TestKnetRefused(t *testing.T) {
	r := newRig(t, 2)
	var events []string
	r.startKnet(false, func(i int, cfg *KnetConfig) {
		cfg.Hosts[0].Links[0].PongTimeout = time.Hour
		if i == 0 {
			cfg.Event = func(e link.Effect) {
				if e.Kind == link.LinkChanged {
					events = append(events, fmt.Sprint("link ", e.Link, " to ", e.Host, " ", e.Up))
				}
			}
		}
	})
	r.connected()
	r.nodes[1].Close()
	r.nodes[1] = nil
	r.until("link down", func() bool { return !r.nodes[0].Links()[0].Connected })
	if diff := cmp.Diff([]string{"link 0 to 2 true", "link 0 to 2 false"}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The interface's MTU shrinks under a running link: the kernel refuses, the
// link follows, messages pass again.
func TestKnetMTUShrinks(t *testing.T) {
	r := newRig(t, 2)
	r.startKnet(true, nil)
	r.connected()
	before := r.nodes[0].Links()[0].MTU
	r.spaces[0].ip(t, "link set nt0 mtu 1300")
	r.nodes[0].Multicast(clock(), packet("lost", 60000))
	r.until("a smaller MTU", func() bool { m := r.nodes[0].Links()[0].MTU; return m < before && m > 1000 })
	r.nodes[0].Multicast(clock(), packet("fits", 60000))
	r.until("a message", func() bool { return slices.Contains(r.got[1], "fits/60000") })
	if st := r.nodes[0].(*Knet).Stats(); st.Failed == 0 {
		t.Errorf("nothing failed, so nothing was tested: %+v", st)
	}
}

// Two links, each with a socket, and a third one added to the running node.
func TestKnetReconfigure(t *testing.T) {
	r := newRig(t, 2)
	second := func(i int, id uint8, port uint16) link.Link {
		return link.Link{
			ID: id, Local: nodeAddr(true, i+1, port), Remote: nodeAddr(true, 2-i, port), Priority: 1,
			PingInterval: 200 * time.Millisecond, PongTimeout: time.Second, PongCount: 1,
		}
	}
	var configs [2]link.Config
	r.startKnet(false, func(i int, cfg *KnetConfig) {
		cfg.Hosts[0].Links = append(cfg.Hosts[0].Links, second(i, 1, 5406))
		configs[i] = cfg.Config
	})
	r.connected()
	for i, n := range r.nodes {
		configs[i].Hosts = []link.Host{{ID: configs[i].Hosts[0].ID, Links: []link.Link{second(i, 1, 5406), second(i, 5, 5410)}}}
		var err error
		r.spaces[i].in(t, func() { err = n.(*Knet).Reconfigure(clock(), configs[i]) })
		if err != nil {
			t.Fatal(err)
		}
	}
	r.connected()
	var ids []uint8
	for _, l := range r.nodes[0].Links() {
		ids = append(ids, l.Link)
	}
	if diff := cmp.Diff([]uint8{1, 5}, ids); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if n := len(r.nodes[0].(*Knet).sockets); n != 2 {
		t.Errorf("%d sockets, want 2", n)
	}
	bad := configs[0]
	bad.Hosts = append(slices.Clone(bad.Hosts), link.Host{ID: 3, Links: []link.Link{{ID: 1, Local: addrPort("10.9.0.1:9"), Remote: addrPort("10.9.0.3:9")}}})
	if err := r.nodes[0].(*Knet).Reconfigure(clock(), bad); err == nil {
		t.Error("no error for a link with two local addresses")
	}
	r.nodes[0].Multicast(clock(), packet("still", 5000))
	r.until("a message", func() bool { return len(r.got[1]) == 1 })
}

// knet binds an address that is not there, and works as soon as it is.
func TestKnetAddressComesLate(t *testing.T) {
	r := newRig(t, 2)
	r.spaces[1].ip(t, "addr del 10.9.0.2/24 dev nt0")
	r.startKnet(false, nil)
	r.settle()
	r.spaces[1].ip(t, "addr add 10.9.0.2/24 dev nt0")
	r.connected()
}

// Sending and receiving in the steady state must not allocate.
func TestKnetDoesNotAllocate(t *testing.T) {
	for _, crypto := range []bool{false, true} {
		r := newRig(t, 2)
		r.startKnet(crypto, nil)
		r.connected()
		// Not through the rig, which notes names.
		got := 0
		r.nodes[1].(*Knet).cfg.Receive = func([]byte) { got++ }
		small, large := packet("small", 100), packet("large", 60000)
		exchange := func() {
			now := clock()
			for range 5 {
				r.nodes[0].Multicast(now, small)
				r.nodes[0].Multicast(now, large)
			}
			r.nodes[0].Flush(now)
			for want := got + 10; got < want; {
				if err := r.p.Wait(time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 20 {
			exchange()
		}
		if n := testing.AllocsPerRun(100, exchange); n != 0 {
			t.Errorf("crypto %v: %v allocations for ten messages, want none", crypto, n)
		}
	}
}
