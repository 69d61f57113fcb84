package hostile

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/engine"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	daemon "cpgol/daemon/node"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// options say what kind of ring a world has.
type options struct {
	sealed bool   // aes256 and sha256; else clear
	totem  string // further lines of the totem section
}

// A node is a daemon's inside on a host of the world. It is started again when
// it was told to stop, as a service manager would.
type node struct {
	w       *world
	options options
	id      uint32
	dir     string
	inside  *daemon.Inside // nil while it is down
	wire    *wire
	ready   time.Duration // not before: it is busy, or down, until then
	lives   int
	clients []*client
}

func (n *node) start() {
	n.lives++
	c, err := conf.Load("corosync.conf", n.env())
	if err != nil {
		n.w.t.Fatalf("configuration: %v", err)
	}
	log := slog.New(&lineHandler{n.w.log, n})
	n.inside, err = daemon.NewInside(c, log, func() time.Duration { return n.w.now }, func(receive func([]byte), event func(link.Effect)) net.Transport {
		n.wire = newWire(n, c, receive, event)
		return n.wire
	})
	if err != nil {
		n.w.t.Fatalf("node %d: %v", n.id, err)
	}
}

// env is the host of the configuration: three nodes on one link.
func (n *node) env() conf.Env {
	var b strings.Builder
	b.WriteString("totem {\n version: 2\n cluster_name: hostile\n transport: knet\n token: 1000\n")
	if n.options.sealed {
		b.WriteString(" crypto_cipher: aes256\n crypto_hash: sha256\n")
	}
	b.WriteString(n.options.totem + "}\nquorum {\n provider: corosync_votequorum\n}\nlogging {\n to_syslog: no\n}\nnodelist {\n")
	for id := uint32(1); id <= 3; id++ {
		fmt.Fprintf(&b, " node {\n  nodeid: %d\n  name: n%d\n  ring0_addr: %v\n }\n", id, id, addrOf(id).Addr())
	}
	b.WriteString("}\n")
	key := make([]byte, 256)
	for i := range key {
		key[i] = byte(i)
	}
	return conf.Env{
		HostName: fmt.Sprintf("n%d", n.id), Addrs: []netip.Addr{addrOf(n.id).Addr()}, KeyFile: "authkey", StateDir: n.dir,
		TryDir: func(string) error { return nil },
		ReadFile: func(path string, limit int) ([]byte, error) {
			if path == "authkey" {
				return key, nil
			}
			return []byte(b.String()), nil
		},
	}
}

// deadline is when the node must be stepped next.
func (n *node) deadline() time.Duration {
	if n.inside == nil {
		return n.ready
	}
	return max(n.ready, n.inside.Deadline())
}

// down is how long a node stays down that was told to stop.
const down = 3 * time.Second

func (n *node) step() {
	if n.inside == nil {
		n.start()
	}
	n.inside.Step()
	n.ready = n.w.now + work
	n.mayHaveEnded()
}

func (n *node) arrive(from netip.AddrPort, datagram []byte) {
	if n.inside == nil {
		return
	}
	n.wire.arrive(from, datagram)
	n.mayHaveEnded()
}

// mayHaveEnded takes the node down if it was told to stop. Peers may do that
// (cfg's kill, cmap's configuration version), but nothing else may end it.
func (n *node) mayHaveEnded() {
	err := n.inside.Err()
	switch {
	case err != nil && !strings.HasPrefix(err.Error(), "Killed by node"):
		n.w.t.Fatalf("node %d ends: %v", n.id, err)
	case err != nil, n.inside.Stopping():
		n.inside, n.clients = nil, nil
		n.ready = n.w.now + down
	}
}

// say and order are the hostile acts of a node: a packet past its engine, to
// one host or all, and a message of any kind through the ring.
func (n *node) say(to uint32, packet []byte) {
	if n.inside != nil && len(packet) > 0 {
		n.wire.say(to, packet)
	}
}

func (n *node) order(message []byte) {
	if n.inside != nil {
		n.inside.Send(message)
		n.mayHaveEnded()
	}
}

// ring is the node's, none while it is down.
func (n *node) ring() (id totem.RingID) {
	if n.inside != nil {
		id = n.engine().Ring()
	}
	return id
}

func (n *node) engine() *engine.Engine { return n.inside.Engine() }

// inService reports whether the node serves clients in a ring of all three.
func (n *node) inService() bool {
	return n.inside != nil && n.inside.InService() && len(n.engine().Members()) == len(n.w.nodes)
}

func (n *node) describe() string {
	if n.inside == nil {
		return fmt.Sprintf("node %d: down", n.id)
	}
	e := n.engine()
	return fmt.Sprintf("node %d: life %d, %v, ring %v, members %v, in step %v, queue %d%%, links %+v",
		n.id, n.lives, e.State(), e.Ring(), e.Members(), n.inside.InService(), e.QueueLevel(), n.wire.up())
}

// A wire is a transport of knet's links over the world's wire, as net.Knet is
// one over sockets.
type wire struct {
	n       *node
	links   *link.Links
	rx, tx  link.Output
	receive func([]byte)
	event   func(link.Effect)
}

var _ net.Transport = (*wire)(nil)

func newWire(n *node, c *conf.Config, receive func([]byte), event func(link.Effect)) *wire {
	cfg := link.Config{
		Node: uint16(n.id), PMTUDInterval: c.PMTUDInterval, BlockUnlisted: c.BlockUnlistedIPs,
		Rand: seeded{rand.New(rand.NewPCG(uint64(n.id), uint64(n.lives)))},
	}
	if c.Key != nil {
		crypto, err := knet.NewCrypto(c.Cipher, c.Hash, c.Key)
		if err != nil {
			n.w.t.Fatal(err)
		}
		cfg.Crypto = crypto
	}
	l := c.Links[0]
	for _, peer := range c.Nodes {
		if peer.ID != n.id {
			cfg.Hosts = append(cfg.Hosts, link.Host{ID: uint16(peer.ID), Links: []link.Link{{
				Local: addrOf(n.id), Remote: addrOf(peer.ID), Priority: l.Priority, PingInterval: l.PingInterval,
				PongTimeout: l.PingTimeout, PongCount: uint8(l.PongCount), Precision: l.PingPrecision,
			}}})
		}
	}
	return &wire{n: n, links: link.New(cfg), receive: receive, event: event}
}

// seeded is a random source that can be played again.
type seeded struct{ r *rand.Rand }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return len(b), nil
}

func (t *wire) arrive(from netip.AddrPort, datagram []byte) {
	t.links.Receive(t.n.w.now, 0, from, datagram, &t.rx)
	for i := 0; i < len(t.rx.Effects); i++ {
		t.perform(&t.rx.Effects[i])
	}
	t.rx.Reset()
}

func (t *wire) perform(e *link.Effect) {
	switch e.Kind {
	case link.Send:
		for b := range slices.Chunk(e.Bytes, e.Segment) {
			t.n.w.post(addrOf(t.n.id), e.To, b)
		}
	case link.Deliver:
		if t.n.w.record {
			t.n.w.corpus.addPacket(e.Bytes)
		}
		if t.n.w.sniff != nil {
			t.n.w.sniff(e.Bytes)
		}
		t.receive(e.Bytes)
	default:
		t.event(*e)
	}
}

func (t *wire) sent() {
	for i := 0; i < len(t.tx.Effects); i++ {
		t.perform(&t.tx.Effects[i])
	}
	t.tx.Reset()
}

// say sends a packet with any contents to one host or, if to is zero, to all.
func (t *wire) say(to uint32, packet []byte) {
	b := append([]byte(nil), packet...)
	if len(b) >= totem.HeaderLen {
		binary.LittleEndian.PutUint32(b[9:], to) // what the links look at, whatever the magic
	}
	t.links.Send(t.n.w.now, uint16(to), b, &t.tx)
	t.sent()
}

// Multicast implements [net.Transport].
func (t *wire) Multicast(_ time.Duration, packet []byte) { t.say(0, packet) }

// Unicast implements [net.Transport].
func (t *wire) Unicast(_ time.Duration, to totem.NodeID, packet []byte) {
	if to > 0 && to <= 0xffff {
		t.say(uint32(to), packet)
	}
}

// Flush implements [net.Transport].
func (t *wire) Flush(time.Duration) {}

// Tick implements [net.Transport].
func (t *wire) Tick(now time.Duration) {
	t.links.Tick(now, &t.tx)
	t.sent()
}

// Deadline implements [net.Transport].
func (t *wire) Deadline() time.Duration { return t.links.Deadline() }

// Links implements [net.Transport].
func (t *wire) Links() []net.LinkStatus { return nil }

// Close implements [net.Transport].
func (t *wire) Close() error { return nil }

// up lists the hosts that are reachable.
func (t *wire) up() (hosts []uint32) {
	for _, n := range t.n.w.nodes {
		if n != t.n && t.links.Reachable(uint16(n.id)) {
			hosts = append(hosts, n.id)
		}
	}
	return hosts
}
