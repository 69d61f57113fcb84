package link

import (
	"net/netip"
	"slices"
	"time"

	"cpgol/wire/knet"
)

// Links are all links of one node. Not safe for concurrent use. Methods that
// take an Output append to it; they keep no reference to the bytes they are
// given.
type Links struct {
	node   HostID
	policy Policy
	hosts  []*host // ascending by ID
	byID   map[HostID]*host

	blockUnlisted bool
	compression   Compression
	pmtudInterval time.Duration
	manualMTU     int

	keys  keys
	txSeq uint16 // of the last message sent, 0: none yet (tx_seq_num)
	mtu   int    // bytes in a fragment, for all hosts

	nextCycle time.Duration
	wasLate   bool // the last cycle came so late that it did not judge the links
	cycles    int

	pool     pool
	plain    []byte // scratch: a packet before sealing
	squeezed []byte // scratch: a message compressed
	unpacked []byte // scratch: a message decompressed
	stats    Stats
	loop     LinkStats // what was sent to all nodes
}

// A host is a peer (struct knet_host).
type host struct {
	id        HostID
	links     [MaxLinks]*link // nil: not configured
	usable    []*link         // up and of sound MTU; in the order they are used
	reachable bool

	window   window
	defrag   defrag
	gotData  bool // data came since the last forced ping
	lastData time.Duration
	timed    uint16 // last sequence number in a periodic ping, and
	untimed  uint16 // in a forced one: the copies on other links are ignored
	sendNext int    // round robin: index in usable
}

// A link is one path to a host (struct knet_link).
type link struct {
	Link
	host     *host
	addr     netip.Addr // Remote's, without zone
	overhead int        // IP and UDP headers

	up      bool
	refused bool // the kernel told that nobody is there (transport_connected = 0)
	beat    heartbeat
	probe   prober
	stats   LinkStats
}

// New makes the links, all down. The first Tick sends the first pings.
func New(cfg Config) *Links {
	l := &Links{
		node:   cfg.Node,
		policy: cfg.Policy,
		byID:   make(map[HostID]*host),
		plain:  make([]byte, 0, knet.MaxMessage+knet.HeaderAllLen),
		loop:   newLoopStats(),
	}
	l.keys.rand = cfg.Rand
	if cfg.Crypto != nil {
		l.keys.load(1, cfg.Crypto)
		l.keys.inUse = 1
	} else {
		l.keys.allowClear = true
	}
	l.mtu = l.floor()
	l.configure(cfg)
	for _, h := range cfg.Hosts {
		l.setHost(0, h, nil)
	}
	return l
}

// Reconfigure takes over a changed configuration: hosts and links that are new,
// gone or have other addresses, their timers and priorities, compression, MTU and
// access lists. Node, Policy, Crypto and Rand stay as they are (they cannot
// change at run time; for keys see [Links.SetCrypto]). Links that stay keep
// their state.
func (l *Links) Reconfigure(now time.Duration, cfg Config, out *Output) {
	manual := l.manualMTU
	l.configure(cfg)
	for _, h := range slices.Clone(l.hosts) {
		if !slices.ContainsFunc(cfg.Hosts, func(c Host) bool { return c.ID == h.id }) {
			l.setHost(now, Host{ID: h.id}, out)
			delete(l.byID, h.id)
			l.hosts = slices.DeleteFunc(l.hosts, func(o *host) bool { return o == h })
		}
	}
	for _, h := range cfg.Hosts {
		l.setHost(now, h, out)
	}
	if l.manualMTU != manual {
		l.eachLink(func(k *link) {
			if k.up {
				l.beginProbing(now, k, out)
			}
		})
	}
	l.adjustMTU(out)
}

func (l *Links) configure(cfg Config) {
	l.blockUnlisted = cfg.BlockUnlisted
	l.compression = cfg.Compression
	if l.compression.Threshold <= 0 {
		l.compression.Threshold = defaultThreshold
	}
	l.pmtudInterval = cfg.PMTUDInterval
	if l.pmtudInterval <= 0 {
		l.pmtudInterval = defaultPMTUDInterval
	}
	l.manualMTU = cfg.MTU
}

// setHost adds a host or brings its links in line with cfg. out may be nil for
// a new one.
func (l *Links) setHost(now time.Duration, cfg Host, out *Output) {
	if cfg.ID == l.node {
		return // nothing for ourselves goes through here
	}
	h := l.byID[cfg.ID]
	if h == nil {
		h = &host{id: cfg.ID}
		h.defrag.pool = &l.pool
		l.byID[cfg.ID] = h
		at, _ := slices.BinarySearchFunc(l.hosts, cfg.ID, func(h *host, id HostID) int { return int(h.id) - int(id) })
		l.hosts = slices.Insert(l.hosts, at, h)
	}
	var keep [MaxLinks]bool
	for _, c := range cfg.Links {
		c = c.withDefaults()
		keep[c.ID] = true
		old := h.links[c.ID]
		if old != nil && old.Local == c.Local && old.Remote == c.Remote {
			old.Link = c
			continue
		}
		if old != nil {
			l.linkDown(old, out)
		}
		h.links[c.ID] = newLink(h, c)
	}
	for id, k := range h.links {
		if k != nil && !keep[id] {
			l.linkDown(k, out)
			h.links[id] = nil
		}
	}
	l.choose(h, out)
}

func newLink(h *host, c Link) *link {
	k := &link{Link: c, host: h, addr: plainAddr(c.Remote.Addr()), overhead: 20 + 8, stats: newLinkStats()}
	if k.addr.Is6() {
		k.overhead = 40 + 8
	}
	k.beat.backoff = maxBackoff
	return k
}

// plainAddr is what addresses are compared by: no zone, no IPv4 in IPv6 clothes.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (l *Links) eachLink(f func(k *link)) {
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k != nil {
				f(k)
			}
		}
	}
}

// Tick does what has become due by now. It may be called at any time.
func (l *Links) Tick(now time.Duration, out *Output) {
	l.followPeers(now, out)
	if now >= l.nextCycle {
		l.cycle(now, out)
	}
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k != nil && k.probe.running && now >= k.probe.deadline {
				l.probeTimeout(now, k, out)
			}
		}
	}
}

// Deadline is when Tick must be called next, at the latest 200 ms after the
// last time.
func (l *Links) Deadline() time.Duration {
	due := l.nextCycle
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k != nil && k.probe.running {
				due = min(due, k.probe.deadline)
			}
		}
	}
	return due
}

// drop counts a packet that is refused, and tells of it if that is unusual.
func (l *Links) drop(c Cause, host HostID, id LinkID, from netip.AddrPort, out *Output) {
	l.stats.Dropped[c]++
	if !c.Everyday() {
		out.add(Effect{Kind: Dropped, Cause: c, Host: host, Link: id, To: from})
	}
}
