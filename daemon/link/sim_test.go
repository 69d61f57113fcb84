package link

import (
	"container/heap"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// A sim joins nodes by a simulated wire in virtual time. Everything that is
// random comes from one seed.
type sim struct {
	t       *testing.T
	now     time.Duration
	rand    *rand.Rand
	nodes   []*simNode // nodes[i] has number i+1
	flights flights
	serial  int

	// What the wire does to each datagram, and who is cut from whom.
	loss, twice  float64
	delay        time.Duration
	jitter       time.Duration
	cut          func(link LinkID, from, to HostID) bool
	pathMTU      func(link LinkID) int // larger IP packets vanish on the way
	localMTU     func(link LinkID) int // larger ones are refused, with this as reason
	silentKernel bool                  // ... without telling the MTU
}

type simNode struct {
	*Links
	cfg   Config
	id    HostID
	dead  bool
	out   Output
	got   [][]byte
	links map[[2]int]bool
	hosts map[HostID]bool
	log   []string
	sent  map[knet.Type]int
}

type flight struct {
	at       time.Duration
	serial   int
	link     LinkID
	from, to HostID
	bytes    []byte
	refused  bool // an ICMP error, back to the sender
}

type flights []flight

func (f flights) Len() int      { return len(f) }
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f flights) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].serial < f[j].serial
}
func (f *flights) Push(x any) { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	*f = (*f)[:last]
	return x
}

func simAddr(link LinkID, n HostID, six bool) netip.AddrPort {
	if six {
		return netip.MustParseAddrPort(fmt.Sprintf("[fd00:%d::%d]:%d", link, n, 5405+int(link)))
	}
	return netip.MustParseAddrPort(fmt.Sprintf("10.%d.0.%d:%d", link, n, 5405+int(link)))
}

// seeded is a random source for tests.
type seeded struct{ r *rand.Rand }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return len(b), nil
}

func testRand(seed uint64) io.Reader { return seeded{rand.New(rand.NewPCG(seed, 7))} }

var testKey = pattern(256, 3)

func testCrypto(tb testing.TB, cipher, hash string) *knet.Crypto {
	tb.Helper()
	c, err := knet.NewCrypto(cipher, hash, testKey)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// simConfig is a node's configuration in a cluster with the two-node timers of a
// stock daemon.
func simConfig(id HostID, nodes, links int) Config {
	cfg := Config{Node: id, BlockUnlisted: true, Rand: testRand(uint64(id))}
	for n := HostID(1); n <= HostID(nodes); n++ {
		if n == id {
			continue
		}
		h := Host{ID: n}
		for k := range LinkID(links) {
			h.Links = append(h.Links, Link{
				ID: k, Local: simAddr(k, id, false), Remote: simAddr(k, n, false), Priority: 1,
				PingInterval: 750 * time.Millisecond, PongTimeout: 1500 * time.Millisecond, PongCount: 2, Precision: 2048,
			})
		}
		cfg.Hosts = append(cfg.Hosts, h)
	}
	return cfg
}

func newSim(t *testing.T, nodes, links int, change func(cfg *Config)) *sim {
	s := &sim{t: t, rand: rand.New(rand.NewPCG(1, uint64(nodes*10+links))), delay: 200 * time.Microsecond}
	s.cut = func(LinkID, HostID, HostID) bool { return false }
	s.localMTU = func(LinkID) int { return 1500 }
	s.pathMTU = func(LinkID) int { return 65535 }
	for id := HostID(1); id <= HostID(nodes); id++ {
		cfg := simConfig(id, nodes, links)
		if change != nil {
			change(&cfg)
		}
		n := &simNode{id: id, cfg: cfg}
		s.nodes = append(s.nodes, n)
		n.start()
	}
	return s
}

func (n *simNode) start() {
	n.Links = New(n.cfg)
	n.links, n.hosts, n.sent = map[[2]int]bool{}, map[HostID]bool{}, map[knet.Type]int{}
	n.got, n.dead = nil, false
}

func (s *sim) node(id HostID) *simNode { return s.nodes[id-1] }

// perform carries out and checks a node's effects.
func (s *sim) perform(n *simNode) {
	for len(n.out.Effects) > 0 {
		var again Output
		for i := range n.out.Effects {
			e := &n.out.Effects[i]
			switch e.Kind {
			case Send:
				n.sent[e.Type]++
				s.send(n, e, &again)
			case Deliver:
				n.got = append(n.got, append([]byte(nil), e.Bytes...))
			case LinkChanged:
				key := [2]int{int(e.Host), int(e.Link)}
				if n.links[key] == e.Up {
					s.t.Errorf("node %d: link %v told to be %v again", n.id, key, e.Up)
				}
				n.links[key] = e.Up
				n.log = append(n.log, fmt.Sprintf("%v link %d-%d %v", s.now, e.Host, e.Link, e.Up))
			case HostChanged:
				n.hosts[e.Host] = e.Up
				n.log = append(n.log, fmt.Sprintf("%v host %d %v", s.now, e.Host, e.Up))
			case MTUChanged:
				n.log = append(n.log, fmt.Sprintf("%v mtu %d", s.now, e.MTU))
			}
		}
		n.out.Reset()
		n.out.Effects = append(n.out.Effects, again.Effects...)
	}
}

// send puts the datagrams of an effect on the wire. What the kernel refuses
// leads to more effects in again.
func (s *sim) send(n *simNode, e *Effect, again *Output) {
	to := s.owner(e.Link, e.To)
	ip := 28
	if e.To.Addr().Is6() {
		ip = 48
	}
	if e.Segment <= 0 || len(e.Bytes) == 0 {
		s.t.Fatalf("node %d: send of %d bytes by %d", n.id, len(e.Bytes), e.Segment)
	}
	for b := e.Bytes; len(b) > 0; {
		d := b[:min(e.Segment, len(b))]
		b = b[len(d):]
		size := len(d) + ip
		if size > s.localMTU(e.Link) {
			mtu := s.localMTU(e.Link)
			if s.silentKernel {
				mtu = 0
			}
			n.SendFailed(e, false, true)
			n.TooBig(s.now, e.Link, e.To.Addr(), mtu, again)
			return
		}
		if size > s.pathMTU(e.Link) || s.cut(e.Link, n.id, to) || s.rand.Float64() < s.loss {
			continue
		}
		s.fly(flight{link: e.Link, from: n.id, to: to, bytes: append([]byte(nil), d...)})
		if s.rand.Float64() < s.twice {
			s.fly(flight{link: e.Link, from: n.id, to: to, bytes: append([]byte(nil), d...)})
		}
	}
}

func (s *sim) fly(f flight) {
	f.at = s.now + s.delay
	if s.jitter > 0 {
		f.at += time.Duration(s.rand.Int64N(int64(s.jitter)))
	}
	s.serial++
	f.serial = s.serial
	heap.Push(&s.flights, f)
}

func (s *sim) owner(link LinkID, addr netip.AddrPort) HostID {
	for _, n := range s.nodes {
		for _, six := range []bool{false, true} {
			if simAddr(link, n.id, six) == addr {
				return n.id
			}
		}
	}
	s.t.Fatalf("datagram to %v", addr)
	return 0
}

// run lets time pass.
func (s *sim) run(d time.Duration) {
	end := s.now + d
	for {
		next := end
		var who *simNode
		for _, n := range s.nodes {
			if !n.dead && n.Deadline() < next {
				next, who = n.Deadline(), n
			}
		}
		if len(s.flights) > 0 && s.flights[0].at <= next {
			f := heap.Pop(&s.flights).(flight)
			s.now = max(s.now, f.at)
			s.land(f)
			continue
		}
		if who == nil {
			s.now = end
			return
		}
		s.now = max(s.now, next)
		who.Tick(s.now, &who.out)
		s.perform(who)
	}
}

func (s *sim) land(f flight) {
	n := s.node(f.to)
	six := s.node(f.from).cfg.Hosts[0].Links[0].Local.Addr().Is6()
	switch {
	case f.refused:
		n.Refused(s.now, f.link, simAddr(f.link, f.from, six).Addr(), &n.out)
	case n.dead:
		s.fly(flight{link: f.link, from: f.to, to: f.from, refused: true})
		return
	default:
		n.Receive(s.now, f.link, simAddr(f.link, f.from, six), f.bytes, &n.out)
	}
	s.perform(n)
}

// message makes a totem message of at least 13 bytes, to one node or to all.
func message(target HostID, size, salt int) []byte {
	b := pattern(size, salt)
	copy(b, []byte{0x70, 0xc0, 3, 1, 2, 0, 0, 0, 0})
	totem.SetTarget(b, totem.NodeID(target))
	return b
}

func (s *sim) say(from, target HostID, m []byte) {
	n := s.node(from)
	n.Send(s.now, target, m, &n.out)
	s.perform(n)
}

// wantUp checks that every node has every link up, and every host reachable.
func (s *sim) wantUp(links int) {
	s.t.Helper()
	for _, n := range s.nodes {
		if n.dead {
			continue
		}
		for _, m := range s.nodes {
			if m == n || m.dead {
				continue
			}
			if !n.hosts[m.id] {
				s.t.Errorf("%v: node %d does not reach %d\n%v", s.now, n.id, m.id, n.log)
			}
			for k := range links {
				if !n.links[[2]int{int(m.id), k}] {
					s.t.Errorf("%v: node %d: link %d to %d is down\n%v", s.now, n.id, k, m.id, n.log)
				}
			}
		}
	}
}
