package net

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cpgol/wire/totem"
)

// The local address is not there at the start, comes, goes, comes on a new
// interface.
func TestAddressComesAndGoes(t *testing.T) {
	open := map[string]func(r *rig, cfg PlainConfig) (Transport, error){
		"udpu": func(r *rig, cfg PlainConfig) (Transport, error) { return NewUDPU(r.p, UDPUConfig{PlainConfig: cfg}) },
		"udp": func(r *rig, cfg PlainConfig) (Transport, error) {
			return NewUDP(r.p, UDPConfig{PlainConfig: cfg, Group: netip.MustParseAddr("239.192.1.1")})
		},
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2)
			late := r.spaces[1]
			late.ip(t, "addr del 10.9.0.2/24 dev nt0")
			var changes []string
			r.start(0, func() (Transport, error) { return open(r, r.plain(0, false)) })
			r.start(1, func() (Transport, error) {
				cfg := r.plain(1, false)
				cfg.Changed = func(up bool, err error) { changes = append(changes, fmt.Sprint(up, err)) }
				return open(r, cfg)
			})
			down := func() bool { return !r.nodes[1].Links()[0].Connected }
			exchange := func(text string) {
				t.Helper()
				r.got[0], r.got[1] = nil, nil
				// The neighbour's address may take its first datagrams.
				r.until(text, func() bool {
					r.nodes[0].Multicast(clock(), packet(text, 40))
					r.nodes[1].Multicast(clock(), packet(text, 41))
					return len(r.got[0]) > 0 && len(r.got[1]) > 0
				})
			}
			if !down() {
				t.Fatal("connected without an address")
			}
			r.nodes[1].Multicast(clock(), packet("into the void", 40))
			r.settle()
			late.ip(t, "addr add 10.9.0.2/24 dev nt0")
			exchange("late")
			late.ip(t, "addr del 10.9.0.2/24 dev nt0")
			r.until("the loss", down)
			late.ip(t, "addr add 10.9.0.2/24 dev nt0")
			exchange("again")
			// The same address on another interface, so quickly that no look falls
			// in between.
			late.ip(t, "link set nt0 name old")
			late.ip(t, "addr flush dev old")
			late.ip(t, "link add nt0 type veth peer name end")
			late.ip(t, "addr add 10.9.0.2/24 dev nt0")
			late.ip(t, "link set end up")
			late.ip(t, "link set nt0 up")
			r.until("the new interface", func() bool { return len(changes) >= 5 })
			want := []string{"true <nil>", "false <nil>", "true <nil>", "false <nil>", "true <nil>"}
			if diff := cmp.Diff(want, changes[:5]); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	r := newRig(t, 1)
	r.start(0, func() (Transport, error) { return NewUDPU(r.p, UDPUConfig{PlainConfig: r.plain(0, false)}) })
	var err error
	r.spaces[0].in(t, func() { _, err = NewUDPU(r.p, UDPUConfig{PlainConfig: r.plain(0, false)}) })
	if err == nil {
		t.Error("no error for an address in use")
	}
}

func TestPlainRefuses(t *testing.T) {
	p := newPoller(t)
	good := PlainConfig{Node: 1, Local: addrPort("127.0.0.1:5405"), DownCheck: time.Second, Clock: clock, Receive: func([]byte) {}}
	for name, change := range map[string]func(*UDPConfig){
		"no address":           func(c *UDPConfig) { c.Local = netip.AddrPort{} },
		"any address":          func(c *UDPConfig) { c.Local = addrPort("0.0.0.0:5405") },
		"no port":              func(c *UDPConfig) { c.Local = addrPort("127.0.0.1:0") },
		"no port before":       func(c *UDPConfig) { c.Local = addrPort("127.0.0.1:1") },
		"no downcheck":         func(c *UDPConfig) { c.DownCheck = 0 },
		"no group":             func(c *UDPConfig) { c.Group = netip.Addr{} },
		"a group that is none": func(c *UDPConfig) { c.Group = netip.MustParseAddr("10.0.0.1") },
		"a group of the other": func(c *UDPConfig) { c.Group = netip.MustParseAddr("ff15::1") },
		"a member of the other": func(c *UDPConfig) {
			c.Members = []Member{{Node: 2, Addr: addrPort("[::1]:5405")}}
		},
	} {
		cfg := UDPConfig{PlainConfig: good, Group: netip.MustParseAddr("239.1.1.1")}
		change(&cfg)
		if u, err := NewUDP(p, cfg); err == nil {
			u.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUDPUBlocksUnlisted(t *testing.T) {
	for _, block := range []bool{true, false} {
		r := newRig(t, 3)
		var refused []netip.Addr
		r.start(0, func() (Transport, error) {
			cfg := r.plain(0, false)
			cfg.Members = cfg.Members[:2]
			cfg.Refused = func(from netip.AddrPort) { refused = append(refused, from.Addr()) }
			return NewUDPU(r.p, UDPUConfig{PlainConfig: cfg, BlockUnlisted: block})
		})
		want := []string{"listed/40"}
		if !block {
			want = append(want, "stranger/40")
		}
		for i, text := range []string{"listed", "stranger"} {
			// Any port will do.
			s := r.spaces[i+1].open(t, r.p, SocketConfig{Bind: nodeAddr(false, i+2, 0)})
			s.Send(nodeAddr(false, 1, 5405), packet(text, 40), 0, 0)
			s.Flush()
			if i == 0 || !block {
				r.until(text, func() bool { return len(r.got[0]) > i })
			}
		}
		u := r.nodes[0].(*UDPU)
		if block {
			r.until("the stranger", func() bool { return u.Stats().Blocked == 1 })
			if len(refused) != 1 || refused[0] != nodeAddr(false, 3, 0).Addr() {
				t.Errorf("told that %v are refused", refused)
			}
		}
		if diff := cmp.Diff(want, r.got[0]); diff != "" {
			t.Errorf("block %v: received (-want +got):\n%s", block, diff)
		}
	}
}

func TestUDPUManyMembers(t *testing.T) {
	const n = 300
	ns := newNamespace(t)
	r := &rig{t: t, p: newPoller(t), spaces: []*namespace{ns}, nodes: make([]Transport, 1), got: make([][]string, n)}
	var members []Member
	for i := range n {
		addr := addrPort(fmt.Sprintf("127.1.%d.%d:5405", i/100, i%100+1))
		members = append(members, Member{Node: totem.NodeID(i + 1), Addr: addr})
		if i > 0 {
			ns.open(t, r.p, SocketConfig{Bind: addr, inbox: newInbox(1), Datagram: func(_ netip.AddrPort, b []byte) { r.receive(i)(b) }})
		}
	}
	r.start(0, func() (Transport, error) {
		return NewUDPU(r.p, UDPUConfig{PlainConfig: PlainConfig{
			Node: 1, Local: members[0].Addr, Members: members, DownCheck: time.Second, Clock: clock, Receive: r.receive(0),
		}})
	})
	for i := range 20 {
		r.nodes[0].Multicast(clock(), packet(fmt.Sprint(i), 1400))
	}
	r.nodes[0].Flush(clock())
	r.until("everybody", func() bool {
		for _, got := range r.got[1:] {
			if len(got) < 20 {
				return false
			}
		}
		return true
	})
	// A run of 28 kB to each of 299, a megabyte a call.
	if st := r.nodes[0].(*UDPU).Stats(); st.SendCalls > 8 || st.Sent != 20*(n-1) {
		t.Errorf("counters %+v", st)
	}
	r.nodes[0].Close()
}

// Whatever the poller reports first: multicasts that came before a token are
// taken before it.
func TestUDPTokenComesLast(t *testing.T) {
	r := newRig(t, 2)
	for i := range r.nodes {
		r.start(i, func() (Transport, error) {
			return NewUDP(r.p, UDPConfig{PlainConfig: r.plain(i, false), Group: netip.MustParseAddr("239.192.1.1")})
		})
	}
	r.connected()
	var want []string
	for i := range 200 {
		r.nodes[0].Multicast(clock(), packet(fmt.Sprint("m", i), 100+i)) // sizes that do not join
		want = append(want, fmt.Sprintf("m%d/%d", i, 100+i))
	}
	r.nodes[0].Unicast(clock(), 2, packet("token", 70))
	r.nodes[0].Flush(clock())
	// All are in the sockets when the token, sent last, is.
	token := r.nodes[1].(*UDP).sockets[1]
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(token.fd), Events: unix.POLLIN}}, 5000); err != nil {
		t.Fatal(err)
	}
	token.ready(unix.EPOLLIN)
	if diff := cmp.Diff(append(want, "token/70"), r.got[1]); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// A handler may close the transport at any point.
func TestCloseInHandler(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			r := newRig(t, 2)
			for i := range r.nodes {
				r.start(i, func() (Transport, error) { return kind.open(r, i) })
			}
			r.connected()
			r.handle = func(i int, _ []byte) { r.nodes[i].Close() }
			for i := range 20 {
				r.nodes[0].Multicast(clock(), packet(fmt.Sprint(i), 100))
			}
			r.nodes[0].Unicast(clock(), 2, packet("token", 70))
			r.until("a packet", func() bool { return len(r.got[1]) > 0 })
			r.settle()
			if len(r.got[1]) != 1 {
				t.Errorf("received after Close: %v", r.got[1][1:])
			}
			n := r.nodes[1]
			n.Multicast(clock(), packet("late", 40))
			n.Unicast(clock(), 1, packet("late", 40))
			n.Flush(clock())
			n.Tick(clock())
			if n.Deadline() != Never {
				t.Error("closed, and still a deadline")
			}
			if err := n.Close(); err != nil {
				t.Errorf("second close: %v", err)
			}
		})
	}
}

// What udp sends: from the port before, as far as it may go, and multicasts
// not back to itself.
func TestUDPSockets(t *testing.T) {
	for _, tc := range []struct {
		name      string
		v6        bool
		group     string
		broadcast bool
	}{
		{"multicast", false, "239.192.1.1", false},
		{"multicast IPv6", true, "ff15::1:1", false},
		{"broadcast", false, "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 2)
			for i := range r.nodes {
				r.start(i, func() (Transport, error) {
					cfg := UDPConfig{PlainConfig: r.plain(i, tc.v6), Broadcast: tc.broadcast, TTL: 5}
					if tc.group != "" {
						cfg.Group = netip.MustParseAddr(tc.group)
					}
					return NewUDP(r.p, cfg)
				})
			}
			r.connected()
			u := r.nodes[0].(*UDP)
			if own := u.Stats().Own; (own > 0) != tc.broadcast {
				t.Errorf("%d packets came back", own)
			}
			var got [3]netip.AddrPort
			for i, s := range u.sockets {
				got[i] = s.Local()
			}
			group := netip.AddrPortFrom(limitedBroadcast, 5405)
			if !tc.broadcast {
				group = netip.AddrPortFrom(netip.MustParseAddr(tc.group), 5405)
			}
			want := [3]netip.AddrPort{nodeAddr(tc.v6, 1, 5404), nodeAddr(tc.v6, 1, 5405), group}
			if diff := cmp.Diff(want, got, comparable); diff != "" {
				t.Errorf("bound to (-want +got):\n%s", diff)
			}
			level, ttl, loop := unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, unix.IP_MULTICAST_LOOP
			if tc.v6 {
				level, ttl, loop = unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, unix.IPV6_MULTICAST_LOOP
			}
			options := map[string][4]int{
				"SO_BROADCAST": {unix.SOL_SOCKET, unix.SO_BROADCAST, 0, 1},
				"SO_SNDBUF":    {unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * udpBuffer, 2 * udpBuffer},
				"SO_REUSEADDR": {unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, 1},
			}
			if !tc.broadcast {
				options["multicast TTL"] = [4]int{level, ttl, 5}
				options["multicast loop"] = [4]int{level, loop, 0}
			}
			for name, o := range options {
				want := o[2]
				if tc.broadcast {
					want = o[3]
				}
				if v, err := unix.GetsockoptInt(u.sockets[0].fd, o[0], o[1]); err != nil || v != want {
					t.Errorf("%s = %d (%v), want %d", name, v, err, want)
				}
			}
		})
	}
}
