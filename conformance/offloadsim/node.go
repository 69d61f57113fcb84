package offloadsim

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	daemon "cpgol/daemon/node"
	"cpgol/daemon/service"
	"cpgol/wire/totem"
)

// A node is a host. While its daemon runs, inside is not nil.
type node struct {
	w       *world
	id      totem.NodeID
	dir     string
	stock   bool // its clients cannot offload
	inside  *daemon.Inside
	host    service.Host
	cpg     service.Service
	table   []service.Request
	ready   time.Duration // it is busy until then
	lives   int
	conns   []*conn // open ones, in the order they came
	waiting int     // requests that have arrived
	next    int     // conns are served in turns
	stirred bool    // something came that is not a request
	moves   int     // how often its addresses have changed
	answer  []byte
	ring    totem.RingID   // the last that was formed
	formed  []totem.RingID // since clients were told of one
}

// work is how long a node is busy with a step: now and then other programs run.
func (w *world) work() time.Duration {
	if w.storm && w.rnd.IntN(30) == 0 {
		return w.upTo(w.plan.busy)
	}
	return 10 * time.Microsecond
}

func addrOf(id totem.NodeID) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(id)}) }

// start lets the daemon begin.
func (n *node) start() {
	if n.inside != nil {
		return
	}
	n.lives++
	c, err := conf.Load("corosync.conf", n.env())
	if err != nil {
		n.w.fail("configuration: %v", err)
		return
	}
	n.w.tracef("node %d starts its life %d", n.id, n.lives)
	n.inside, err = daemon.NewInside(c, slog.New(slog.DiscardHandler), func() time.Duration { return n.w.now },
		func(receive func([]byte), _ func(link.Effect)) net.Transport {
			return n.w.net.Join(n.id, func(packet []byte) {
				receive(packet)
				n.watch()
			})
		})
	if err != nil {
		n.w.fail("node %d: %v", n.id, err)
		return
	}
	n.host, n.cpg = n.inside.Host(), n.inside.Service(service.CPG)
	n.table = n.cpg.Requests()
	n.ready, n.ring, n.formed = n.w.now, totem.RingID{}, nil
}

// env is the host of the configuration.
func (n *node) env() conf.Env {
	var b strings.Builder
	fmt.Fprintf(&b, "totem {\n version: 2\n cluster_name: offload\n transport: udpu\n token: 1000\n netmtu: %d\n}\n", n.w.plan.mtu)
	if n.w.plan.quorum {
		b.WriteString("quorum {\n provider: corosync_votequorum\n}\n")
	}
	b.WriteString("logging {\n to_syslog: no\n}\nnodelist {\n")
	for _, m := range n.w.nodes {
		fmt.Fprintf(&b, " node {\n  nodeid: %d\n  name: n%d\n  ring0_addr: %v\n }\n", m.id, m.id, addrOf(m.id))
	}
	b.WriteString("}\n")
	return conf.Env{
		HostName: fmt.Sprintf("n%d", n.id), Addrs: []netip.Addr{addrOf(n.id)}, StateDir: n.dir,
		TryDir:   func(string) error { return nil },
		ReadFile: func(string, int) ([]byte, error) { return []byte(b.String()), nil },
	}
}

// kill ends the daemon without a word; with the host its clients end too.
// Otherwise they learn of it.
func (n *node) kill(host bool) {
	if n.inside == nil {
		return
	}
	n.w.tracef("node %d is killed, host %v", n.id, host)
	n.w.counted["nodeKills"]++
	n.w.net.Join(n.id, func([]byte) {}).Close() // takes the old one off the wire
	n.inside, n.host, n.cpg, n.table = nil, nil, nil, nil
	conns := n.conns
	n.conns, n.waiting = nil, 0
	for _, c := range conns {
		c.closed, c.p.orphan = true, true
		if host {
			c.p.die("its host was killed")
		} else {
			c.p.disconnected()
		}
	}
	for _, p := range n.w.live() {
		if host && p.n == n {
			p.die("its host was killed")
		}
	}
}

// renew is a change of the cluster's key, or of the node's addresses as well.
func (n *node) renew(moves bool) {
	if n.inside == nil {
		return
	}
	n.w.tracef("node %d has its processes renew their certificates, moves %v", n.id, moves)
	n.w.counted["renewals"]++
	if moves {
		n.moves++
	}
	n.inside.Renew()
	n.stirred = true
}

// deadline is when the node must be stepped next.
func (n *node) deadline() time.Duration {
	if n.inside == nil {
		return never
	}
	d := n.inside.Deadline()
	if n.stirred || n.waiting > 0 && n.open() {
		d = 0
	}
	return max(n.ready, d)
}

func (n *node) step() {
	n.stirred = false
	n.serve()
	n.inside.Step()
	n.watch()
	n.ready = n.w.now + n.w.work()
	if err := n.inside.Err(); err != nil || n.inside.Stopping() {
		n.w.fail("node %d ends: %v", n.id, err)
	}
}

// watch keeps the rings that are formed.
func (n *node) watch() {
	if r := n.inside.Engine().Ring(); r != n.ring {
		n.ring, n.formed = r, append(n.formed, r)
		n.w.tracef("node %d: ring %v of %v", n.id, r, n.inside.Engine().Members())
	}
}

// tellsRing is called when clients are told of a ring. It is doubtful if others
// were formed before it of which they were not: processes that were apart in those
// are not told as down and up (services.md 3.7), though they were not told the same.
func (n *node) tellsRing(r totem.RingID) {
	if len(n.formed) > 1 {
		n.w.doubtful[r] = true
	}
	n.formed = nil
}

// open reports whether requests are read: not while the queue is nearly full or
// a synchronisation runs (daemon/node/clients.go:level).
func (n *node) open() bool {
	return !n.host.SyncInProgress() && n.inside.Engine().QueueLevel() < 75
}

// serve handles what has arrived, as many requests of one client in a row as the
// queue's level allows (clients.go:pace).
func (n *node) serve() {
	for range n.conns {
		if !n.open() {
			return
		}
		n.next = (n.next + 1) % len(n.conns)
		c := n.conns[n.next]
		pace := 50
		if level := n.inside.Engine().QueueLevel(); level >= 60 {
			pace = 1
		} else if level >= 30 {
			pace = 5
		}
		for ; pace > 0 && c.arrived > 0 && !c.closed && n.open(); pace-- {
			n.request(c, c.take())
		}
	}
}

// request passes a request through the gate (clients.go:door.Request).
func (n *node) request(c *conn, msg []byte) {
	id, size, err := abi.CutRequest(msg)
	if err != nil || int(id) >= len(n.table) || n.table[id].Handle == nil {
		n.w.fail("%s: request %d: %v", c.p.name(), id, err)
		return
	}
	r := &n.table[id]
	switch {
	case size < r.Size || !n.inside.Engine().Fits(size):
		n.w.fail("%s: %s of %d bytes", c.p.name(), r.Name, size)
	case r.Throttled && (n.host.SyncInProgress() || !n.inside.Engine().Room(size)):
		if r.Async {
			n.w.fail("%s: %s of %d bytes was dropped", c.p.name(), r.Name, size)
			return
		}
		n.answer = abi.AppendResponse(n.answer[:0], 0, abi.ResponseLen, abi.TryAgain)
		c.Respond(n.answer)
	default:
		r.Handle(c, msg[:size])
	}
}

// connect makes a connection for a process, if the daemon lets it.
func (n *node) connect(p *process) *conn {
	if n.inside == nil || !n.inside.InService() {
		return nil
	}
	n.w.serial++
	c := &conn{n: n, p: p, serial: n.w.serial}
	if len(n.conns) == 0 {
		n.formed = nil // nobody was there to be told
	}
	n.conns = append(n.conns, c)
	n.cpg.Connected(c)
	n.stirred = true
	return c
}

// close takes the end of a connection, of which the daemon learns now.
func (n *node) close(c *conn) {
	if c.closed {
		return
	}
	c.closed = true
	n.waiting -= c.arrived
	n.conns = slices.DeleteFunc(n.conns, func(o *conn) bool { return o == c })
	n.cpg.Closed(c)
	n.stirred = true
}

func (n *node) describe() string {
	if n.inside == nil {
		return fmt.Sprintf("node %d: down", n.id)
	}
	e := n.inside.Engine()
	return fmt.Sprintf("node %d: %v, ring %v, members %v, synchronising %v, queue %d%%",
		n.id, e.State(), e.Ring(), e.Members(), n.host.SyncInProgress(), e.QueueLevel())
}
