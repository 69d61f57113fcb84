package conf

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Config is a validated configuration in the form from which a daemon
// starts: values in use, defaults filled in, names resolved.
type Config struct {
	Name          string // totem.cluster_name
	ConfigVersion uint64 // 0 = not set
	Self          uint32 // own node id
	LocalPos      int    // index of the own entry in Nodes

	Nodes []Node
	Links []Link // those in use, by number

	Transport string // "knet", "udpu", "udp"
	LinkMode  string // "passive", "active", "rr"; knet only

	// Cipher and Hash are names as in corosync.conf, "none" for none. Key is
	// nil if both are none.
	Cipher, Hash string
	Key          []byte
	Compression  Compression

	Totem            Timers
	NetMTU           int           // totem's, before anything is taken off
	KnetMTU          int           // 0 = found out
	PMTUDInterval    time.Duration // knet's
	DSCP             uint8         // of sent packets, 0 = leave alone; TOML only, as 3.1.7 has none
	BlockUnlistedIPs bool

	QuorumProvider string // "corosync_votequorum", or "" for none
	Logging        Logging
	System         System
	StateDir       string
	UIDs, GIDs     []uint32 // who may connect besides root, in ascending order

	// Keys is the map for cmap: the file's keys and those that stock adds
	// when it starts, by name.
	Keys []Key
	// Warnings are findings that do not keep the node from starting.
	Warnings []Problem
}

// A Node is an entry of the nodelist that has an address.
type Node struct {
	ID    uint32
	Name  string // "" if it has none
	Pos   int    // its number in "nodelist.node.<number>"
	Votes uint32
	// By link number; empty and zero where the node has none.
	AddrText [maxLinks]string
	Addrs    [maxLinks]netip.Addr
}

// A Link is a network that the nodes share.
type Link struct {
	Number        int
	Local         netip.Addr // own address
	Port          uint16
	Priority      uint8
	PingInterval  time.Duration
	PingTimeout   time.Duration
	PingPrecision uint32
	PongCount     uint32 // 1..255
	McastAddr     netip.Addr
	Broadcast     bool
	TTL           uint8
}

// Compression is knet's. Model is "none" or a name of libknet's; Threshold is
// in bytes, 0 = libknet's default, 1 = everything.
type Compression struct {
	Model     string
	Level     int
	Threshold uint32
}

// Timers are the totem protocol's times and counts as used.
type Timers struct {
	Token, TokenRetransmit, Hold, Join, SendJoin, Consensus, Merge, Downcheck, MaxNetworkDelay time.Duration

	TokenWarning               int // percent of Token, 0 = off
	TokenRetransmitsBeforeLoss int
	FailToReceive              int
	SeqUnchanged               int
	HeartbeatFailures          int // 0 = off
	WindowSize                 int
	MaxMessages                int
	MissCount                  int
	CancelHoldOnRetransmit     bool
}

// System is the system section.
type System struct {
	IPCType      string // "native", "shm", "socket"
	Realtime     bool   // sched_rr
	Priority     int    // nice value if not Realtime, to be cut to the kernel's range
	RootCgroup   string // "yes", "no", "auto"
	Unprivileged bool   // allow_knet_handle_fallback
}

// config turns a validated reading into the form for starting.
func (r *reading) config() *Config {
	t, k := r.totem, r.keys
	c := &Config{
		Self: t.nodeID, Transport: t.transport, LinkMode: t.linkMode,
		Cipher: t.crypto.cipher, Hash: t.crypto.hash, Key: t.crypto.key,
		Totem: t.timers.durations(), NetMTU: int(t.netMTU), KnetMTU: int(t.timers.knetMTU),
		PMTUDInterval:    time.Duration(t.timers.pmtudInterval) * time.Second,
		BlockUnlistedIPs: t.timers.blockUnlisted,
		Compression: Compression{t.timers.compressionModel, int(t.timers.compressionLevel),
			t.timers.compressionThreshold},
		Logging: r.log, StateDir: r.stateDir, System: systemOf(k), Keys: t.keys.list(),
	}
	if !slices.Contains(compressions, c.Compression.Model) {
		c.Compression.Model = "none" // a dotted line got past the check; libknet refuses and stays without
	}
	c.DSCP, _ = k.u8("totem.ip_dscp")
	c.Name, _ = k.text("totem.cluster_name")
	c.ConfigVersion, _ = k.num("totem.config_version", TypeU64)
	c.QuorumProvider, _ = k.text("quorum.provider")
	c.UIDs = granted(k, "uidgid.config.uid.")
	c.GIDs = granted(k, "uidgid.config.gid.")
	c.Nodes = t.nodes()
	position, _ := t.findLocal()
	c.LocalPos = slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Pos == int(position) })
	for _, n := range t.configured() {
		c.Links = append(c.Links, t.links[n].config(n, t.broadcast))
	}
	return c
}

// nodes collects the members of the links by entry.
func (t *totem) nodes() []Node {
	byPosition := make(map[uint32]*Node)
	for n := range t.links {
		for _, m := range t.links[n].members {
			node := byPosition[m.position]
			if node == nil {
				node = &Node{ID: m.node, Pos: int(m.position), Votes: 1}
				node.Name, _ = t.keys.text(nodeName(m.position, "name"))
				if v, ok := t.keys.u32(nodeName(m.position, "quorum_votes")); ok {
					node.Votes = v
				}
				byPosition[m.position] = node
			}
			node.Addrs[n] = m.addr
			node.AddrText[n], _ = t.keys.text(m.key)
		}
	}
	var nodes []Node
	for _, n := range byPosition {
		nodes = append(nodes, *n)
	}
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Pos, b.Pos) })
	return nodes
}

// Defaults of libknet itself (libknet.h), which stay when it refuses a value.
const (
	libknetPingInterval = 1000
	libknetPingTimeout  = 2000
	libknetPongCount    = 5
)

func (l *link) config(number int, broadcast bool) Link {
	c := Link{Number: number, Local: l.local, Port: l.port, Priority: l.priority,
		PingPrecision: l.pingPrecision, PongCount: l.pongCount & 0xff, // libknet takes 8 bits
		McastAddr: l.multicast, Broadcast: broadcast && number == 0, TTL: l.ttl}
	if c.PongCount == 0 {
		c.PongCount = libknetPongCount
	}
	interval, timeout := l.pingInterval, l.pingTimeout
	if interval == 0 || timeout == 0 || c.PingPrecision == 0 {
		interval, timeout, c.PingPrecision = libknetPingInterval, libknetPingTimeout, pingPrecision
	}
	c.PingInterval, c.PingTimeout = milliseconds(interval), milliseconds(timeout)
	return c
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func (v *timers) durations() Timers {
	return Timers{
		Token: milliseconds(v.token), TokenRetransmit: milliseconds(v.tokenRetransmit), Hold: milliseconds(v.hold),
		Join: milliseconds(v.join), SendJoin: milliseconds(v.sendJoin), Consensus: milliseconds(v.consensus),
		Merge: milliseconds(v.merge), Downcheck: milliseconds(v.downcheck),
		MaxNetworkDelay: milliseconds(v.maxNetworkDelay),

		TokenWarning: int(v.tokenWarning), TokenRetransmitsBeforeLoss: int(v.retransmitsBeforeLoss),
		FailToReceive: int(v.failToReceive), SeqUnchanged: int(v.seqUnchanged),
		HeartbeatFailures: int(v.heartbeatFailures), WindowSize: int(v.windowSize),
		MaxMessages: int(v.maxMessages), MissCount: int(v.missCount), CancelHoldOnRetransmit: v.cancelHold,
	}
}

// systemOf reads the system section. Words that are none of its own, which a
// dotted line can bring, mean what they mean in exec/main.c.
func systemOf(k *keyMap) System {
	s := System{IPCType: "native", Realtime: true, RootCgroup: "auto"}
	if text, ok := k.text("system.qb_ipc_type"); ok && (text == "shm" || text == "socket") {
		s.IPCType = text
	}
	if text, ok := k.text("system.sched_rr"); ok {
		s.Realtime = text == "yes"
	}
	if text, ok := k.text("system.move_to_root_cgroup"); ok && slices.Contains(yesNo, text) {
		s.RootCgroup = text
	}
	text, _ := k.text("system.allow_knet_handle_fallback")
	s.Unprivileged = text == "yes"
	text, _ = k.text("system.priority")
	s.Priority, _ = nice(text)
	return s
}

// granted returns the numbers behind a prefix whose value is 1.
func granted(k *keyMap, prefix string) []uint32 {
	var ids []uint32
	for _, key := range k.prefix(prefix) {
		id, ok := canonical(key[len(prefix):], 1<<32-1)
		if v, _ := k.u8(key); ok && v == 1 {
			ids = append(ids, uint32(id))
		}
	}
	slices.Sort(ids)
	return ids
}
