package net

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/daemon/link"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// A rig is several nodes, each in a namespace of its own on one wire, driven by
// one poller.
type rig struct {
	t      testing.TB
	p      *Poller
	spaces []*namespace
	nodes  []Transport
	got    [][]string                    // names of the packets, by receiver
	handle func(node int, packet []byte) // before it is noted
}

// newRig makes n namespaces on a bridge: node i has 10.9.0.i/24 and fd09::i/64
// on "nt0".
func newRig(t testing.TB, n int) *rig {
	t.Helper()
	r := &rig{t: t, p: newPoller(t), nodes: make([]Transport, n), got: make([][]string, n)}
	hub := newNamespace(t)
	hub.ip(t, "link add hub type bridge mcast_snooping 0")
	hub.ip(t, "link set hub up")
	for i := range n {
		ns := newNamespace(t)
		port := fmt.Sprintf("port%d", i+1)
		hub.ip(t, fmt.Sprintf("link add %s type veth peer name nt0 netns %s", port, ns.path()))
		hub.ip(t, fmt.Sprintf("link set %s master hub up", port))
		ns.ip(t, fmt.Sprintf("addr add 10.9.0.%d/24 dev nt0", i+1))
		ns.ip(t, fmt.Sprintf("addr add fd09::%d/64 dev nt0 nodad", i+1))
		ns.ip(t, "link set nt0 up")
		r.spaces = append(r.spaces, ns)
	}
	t.Cleanup(func() {
		for _, n := range r.nodes {
			if n != nil {
				n.Close()
			}
		}
	})
	return r
}

// members are all nodes at their addresses, with the port.
func (r *rig) members(v6 bool, port uint16) (all []Member) {
	for i := range r.nodes {
		all = append(all, Member{Node: totem.NodeID(i + 1), Addr: nodeAddr(v6, i+1, port)})
	}
	return all
}

func nodeAddr(v6 bool, node int, port uint16) netip.AddrPort {
	if v6 {
		return addrPort(fmt.Sprintf("[fd09::%d]:%d", node, port))
	}
	return addrPort(fmt.Sprintf("10.9.0.%d:%d", node, port))
}

// plain is what the plain transports of node i have in common.
func (r *rig) plain(i int, v6 bool) PlainConfig {
	return PlainConfig{
		Node: totem.NodeID(i + 1), Local: nodeAddr(v6, i+1, 5405), Members: r.members(v6, 5405),
		DownCheck: 20 * time.Millisecond, Clock: clock, Receive: r.receive(i),
	}
}

func (r *rig) receive(i int) func([]byte) {
	return func(packet []byte) {
		if r.handle != nil {
			r.handle(i, packet)
		}
		r.got[i] = append(r.got[i], name(packet))
	}
}

// start opens node i's transport in its namespace.
func (r *rig) start(i int, open func() (Transport, error)) {
	r.t.Helper()
	var err error
	r.spaces[i].in(r.t, func() { r.nodes[i], err = open() })
	if err != nil {
		r.t.Fatal(err)
	}
}

// until drives all nodes until done.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for limit := clock() + 15*time.Second; !done(); {
		now, next := clock(), clock()+10*time.Millisecond
		if now > limit {
			r.t.Fatalf("waited in vain for %s; received %v", what, r.got)
		}
		for i, n := range r.nodes {
			if n == nil {
				continue
			}
			if n.Deadline() <= now {
				// Sockets are opened in Tick too.
				r.spaces[i].in(r.t, func() { n.Tick(now) })
			}
			n.Flush(now)
			next = min(next, n.Deadline())
		}
		wait(r.t, r.p, max(next-clock(), 0))
	}
}

// settle gives packets that should not come the time to.
func (r *rig) settle() {
	end := clock() + 30*time.Millisecond
	r.until("nothing", func() bool { return clock() > end })
}

// packet makes a packet with a totem header, a name and size bytes in all.
func packet(name string, size int) []byte {
	b := make([]byte, max(size, totem.HeaderLen+2+len(name)))
	b[0], b[1], b[2], b[3] = 0x70, 0xc0, 3, 1
	binary.BigEndian.PutUint16(b[totem.HeaderLen:], uint16(len(name)))
	copy(b[totem.HeaderLen+2:], name)
	for i := totem.HeaderLen + 2 + len(name); i < len(b); i++ {
		b[i] = byte(i)
	}
	return b
}

// name is the inverse of packet; it tells a damaged one.
func name(b []byte) string {
	if len(b) < totem.HeaderLen+2 {
		return fmt.Sprintf("% x", b)
	}
	n := int(binary.BigEndian.Uint16(b[totem.HeaderLen:]))
	if totem.HeaderLen+2+n > len(b) {
		return fmt.Sprintf("% x", b)
	}
	text := string(b[totem.HeaderLen+2:][:n])
	for i := totem.HeaderLen + 2 + n; i < len(b); i++ {
		if b[i] != byte(i) {
			return fmt.Sprintf("%s damaged at %d", text, i)
		}
	}
	return fmt.Sprintf("%s/%d", text, len(b))
}

// kinds are the transports as a node's configuration would make them.
var kinds = []struct {
	name string
	open func(r *rig, i int) (Transport, error)
}{
	{"udpu", func(r *rig, i int) (Transport, error) {
		return NewUDPU(r.p, UDPUConfig{PlainConfig: r.plain(i, false), BlockUnlisted: true})
	}},
	{"udpu IPv6", func(r *rig, i int) (Transport, error) {
		return NewUDPU(r.p, UDPUConfig{PlainConfig: r.plain(i, true), BlockUnlisted: true})
	}},
	{"udp multicast", func(r *rig, i int) (Transport, error) {
		return NewUDP(r.p, UDPConfig{PlainConfig: r.plain(i, false), Group: netip.MustParseAddr("239.192.24.204")})
	}},
	{"udp multicast IPv6", func(r *rig, i int) (Transport, error) {
		return NewUDP(r.p, UDPConfig{PlainConfig: r.plain(i, true), Group: netip.MustParseAddr("ff15::18cd")})
	}},
	{"udp broadcast", func(r *rig, i int) (Transport, error) {
		return NewUDP(r.p, UDPConfig{PlainConfig: r.plain(i, false), Broadcast: true})
	}},
	{"knet", func(r *rig, i int) (Transport, error) { return NewKnet(r.p, r.knet(i, false, false)) }},
	{"knet aes256 sha256", func(r *rig, i int) (Transport, error) { return NewKnet(r.p, r.knet(i, false, true)) }},
	{"knet IPv6", func(r *rig, i int) (Transport, error) { return NewKnet(r.p, r.knet(i, true, false)) }},
}

func (r *rig) knet(i int, v6, crypto bool) KnetConfig {
	cfg := KnetConfig{Clock: clock, Receive: r.receive(i), Config: link.Config{Node: uint16(i + 1), BlockUnlisted: true}}
	if crypto {
		key := make([]byte, 128)
		c, err := knet.NewCrypto("aes256", "sha256", key)
		if err != nil {
			r.t.Fatal(err)
		}
		cfg.Crypto, cfg.Rand = c, counting{}
	}
	for j := range r.nodes {
		if j != i {
			cfg.Hosts = append(cfg.Hosts, link.Host{ID: uint16(j + 1), Links: []link.Link{{
				Local: nodeAddr(v6, i+1, 5405), Remote: nodeAddr(v6, j+1, 5405), Priority: 1,
				PingInterval: 200 * time.Millisecond, PongTimeout: time.Second, PongCount: 1,
			}}})
		}
	}
	return cfg
}

// counting is random enough for a test.
type counting struct{}

func (counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

// connected waits until every node thinks that it reaches every other, at full
// size, and does: a new interface drops packets for a while, and the neighbours'
// addresses must be found.
func (r *rig) connected() {
	r.t.Helper()
	r.until("the links", func() bool {
		for _, n := range r.nodes {
			if n == nil {
				continue
			}
			for _, l := range n.Links() {
				if _, ok := n.(*Knet); !l.Connected || ok && l.MTU < 1300 {
					return false
				}
			}
		}
		return true
	})
	for i, n := range r.nodes {
		if n == nil {
			continue
		}
		hello := fmt.Sprint("hello ", i)
		next := time.Duration(0)
		r.until(hello, func() bool {
			if now := clock(); now >= next {
				n.Multicast(now, packet(hello, 30))
				for _, m := range n.Links() {
					n.Unicast(now, m.Node, packet("token "+hello, 40))
				}
				next = now + 100*time.Millisecond
			}
			for j := range r.nodes {
				heard := slices.Contains(r.got[j], hello+"/30") && slices.Contains(r.got[j], "token "+hello+"/40")
				if j != i && r.nodes[j] != nil && !heard {
					return false
				}
			}
			return true
		})
	}
	r.settle()
	for i := range r.got {
		r.got[i] = nil
	}
}

func TestTransports(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			r := newRig(t, 3)
			for i := range r.nodes {
				r.start(i, func() (Transport, error) { return kind.open(r, i) })
			}
			r.connected()
			var want [3][]string
			send := func(from, to int, text string, size int) {
				b := packet(text, size)
				if to == 0 {
					r.nodes[from-1].Multicast(clock(), b)
				} else {
					r.nodes[from-1].Unicast(clock(), totem.NodeID(to), b)
				}
				clear(b) // the caller's again
				for i := range want {
					if i+1 != from && (to == 0 || to == i+1) {
						want[i] = append(want[i], fmt.Sprintf("%s/%d", text, size))
					}
				}
				// One sender at a time, so that the order is one's own.
				r.nodes[from-1].Flush(clock())
				r.until(text, func() bool {
					return len(r.got[0])+len(r.got[1])+len(r.got[2]) == len(want[0])+len(want[1])+len(want[2])
				})
			}
			send(1, 0, "to all", 100)
			send(2, 0, "to all but 2", 1400)
			send(3, 1, "token", 70)
			send(3, 2, "token", 71)
			send(1, 3, "token", 1400)
			send(2, 2, "to myself", 70)
			send(2, 9, "to nobody", 70)
			r.settle()
			for i := range want {
				if diff := cmp.Diff(want[i], r.got[i]); diff != "" {
					t.Errorf("node %d received (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

// Link-local addresses mean nothing without an interface, which nobody
// configures: it is found by the local address.
func TestTransportsLinkLocal(t *testing.T) {
	open := map[string]func(r *rig, cfg PlainConfig) (Transport, error){
		"udpu": func(r *rig, cfg PlainConfig) (Transport, error) {
			return NewUDPU(r.p, UDPUConfig{PlainConfig: cfg, BlockUnlisted: true})
		},
		"udp": func(r *rig, cfg PlainConfig) (Transport, error) {
			return NewUDP(r.p, UDPConfig{PlainConfig: cfg, Group: netip.MustParseAddr("ff02::4:5")})
		},
		"knet": func(r *rig, cfg PlainConfig) (Transport, error) {
			k := r.knet(int(cfg.Node)-1, true, false)
			l := &k.Hosts[0].Links[0]
			l.Local, l.Remote = cfg.Local, cfg.Members[2-cfg.Node].Addr
			return NewKnet(r.p, k)
		},
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2)
			var members []Member
			for i, ns := range r.spaces {
				// Numbers apart from the other node's, and not the reference's 2.
				for j := range 3 + i {
					ns.ip(t, fmt.Sprintf("link add more%d type veth peer name end%d", j, j))
				}
				ns.ip(t, fmt.Sprintf("addr add fe80::9:%d/64 dev nt0 nodad", i+1))
				members = append(members, Member{Node: totem.NodeID(i + 1), Addr: addrPort(fmt.Sprintf("[fe80::9:%d]:5405", i+1))})
			}
			for i := range r.nodes {
				cfg := r.plain(i, true)
				cfg.Local, cfg.Members = members[i].Addr, members
				r.start(i, func() (Transport, error) { return open(r, cfg) })
			}
			r.connected()
			r.nodes[0].Multicast(clock(), packet("to all", 100))
			r.nodes[1].Unicast(clock(), 1, packet("token", 70))
			r.until("both", func() bool { return len(r.got[0]) > 0 && len(r.got[1]) > 0 })
			if diff := cmp.Diff([][]string{{"token/70"}, {"to all/100"}}, r.got); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// What a node does in one turn of a rotation: many multicasts, then the token.
func TestTransportBurstInOrder(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			r := newRig(t, 2)
			for i := range r.nodes {
				r.start(i, func() (Transport, error) { return kind.open(r, i) })
			}
			r.connected()
			var want []string
			for i := range 300 {
				size := 1400
				if i%7 == 0 {
					size = 60 + i
				}
				r.nodes[0].Multicast(clock(), packet(fmt.Sprint("m", i), size))
				want = append(want, fmt.Sprintf("m%d/%d", i, size))
			}
			r.nodes[0].Unicast(clock(), 2, packet("token", 70))
			r.nodes[0].Flush(clock())
			want = append(want, "token/70")
			r.until("the token", func() bool { return len(r.got[1]) > 0 && r.got[1][len(r.got[1])-1] == "token/70" })
			if diff := cmp.Diff(want, r.got[1]); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}
