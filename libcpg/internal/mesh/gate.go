package mesh

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"cpgol/wire/offload"
)

// A gate bounds the connections whose other end is not known. Where there are
// too many of a source, or of strangers in all, one of them by chance makes
// place for the new one: whoever keeps a place without using it loses it, and a
// member, whose handshake takes few milliseconds, gets through a flood before
// long. Sources that are present members' addresses have places of their own.
//
// Strangers cost no more than [strangerRate] handshakes' work each second either: who
// comes to the view before this process does tries again, and is soon none.
type gate struct {
	strangers int // places
	each      int // places of a source

	mu      sync.Mutex
	budget  float64 // strangers that may enter now
	at      time.Time
	closed  bool
	all     map[*pending]struct{} // strangers
	sources map[source]map[*pending]struct{}
	known   map[source]int // members there
}

// strangerRate is how many strangers may enter in a second, on the average: a few
// percent of a core.
const strangerRate = 100

// A source is where a connection comes from: an address (of IPv6, the network), or
// a process.
type source struct {
	addr netip.Addr
	pid  uint32
}

// A pending connection has a place.
type pending struct {
	conn   net.Conn
	source source
	gone   chan struct{} // closed when it lost its place
}

func newGate(strangers, each int) *gate {
	return &gate{strangers: strangers, each: each, budget: float64(strangers), at: time.Now(), all: make(map[*pending]struct{}), sources: make(map[source]map[*pending]struct{})}
}

// sourceOf is a TCP connection's.
func sourceOf(a netip.Addr) source {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		a = p.Addr()
	}
	return source{addr: a}
}

// know takes the present members.
func (g *gate) know(peers map[offload.Member]*peer) {
	known := make(map[source]int)
	for _, p := range peers {
		known[source{pid: p.PID}]++
		for _, a := range p.endpoint.Addresses {
			known[sourceOf(a.Addr())]++
		}
	}
	g.mu.Lock()
	g.known = known
	g.mu.Unlock()
}

// enter gives a connection a place, for which another may lose its own; crowded says
// so. It returns nil, and closes the connection, if the gate is closed or too many
// strangers came lately.
func (g *gate) enter(c net.Conn, s source) (p *pending, crowded bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.Close()
		return nil, false
	}
	members := g.known[s]
	if members == 0 && !g.afford() {
		c.Close()
		return nil, true
	}
	if set := g.sources[s]; len(set) >= g.each+2*members {
		g.push(set)
		crowded = true
	}
	if members == 0 && len(g.all) >= g.strangers {
		g.push(g.all)
		crowded = true
	}
	p = &pending{conn: c, source: s, gone: make(chan struct{})}
	if g.sources[s] == nil {
		g.sources[s] = make(map[*pending]struct{})
	}
	g.sources[s][p] = struct{}{}
	if members == 0 {
		g.all[p] = struct{}{}
	}
	return p, crowded
}

// afford pays for a stranger.
func (g *gate) afford() bool {
	now := time.Now()
	g.budget = min(g.budget+now.Sub(g.at).Seconds()*strangerRate, float64(g.strangers))
	g.at = now
	if g.budget < 1 {
		return false
	}
	g.budget--
	return true
}

// push takes the place of one of a set, by chance.
func (g *gate) push(set map[*pending]struct{}) {
	for p := range set {
		g.remove(p)
		p.conn.Close()
		close(p.gone)
		return
	}
}

func (g *gate) remove(p *pending) (was bool) {
	set := g.sources[p.source]
	if _, was = set[p]; !was {
		return false
	}
	delete(g.all, p)
	if delete(set, p); len(set) == 0 {
		delete(g.sources, p.source)
	}
	return true
}

// leave gives a place back: the connection ended, or its other end is known. It
// reports whether the connection still had it.
func (g *gate) leave(p *pending) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.remove(p)
}

// close closes all that have a place, and lets nobody in any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, set := range g.sources {
		for len(set) > 0 {
			g.push(set)
		}
	}
}
