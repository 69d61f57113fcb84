package net

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"cpgol/wire/totem"
)

// A PlainConfig is what udpu and udp have in common.
type PlainConfig struct {
	Node  totem.NodeID
	Local netip.AddrPort // where this node receives
	// Members are the configured nodes; this one may be among them. A token can
	// only be sent to a member.
	Members []Member
	// DownCheck is how often to look whether Local's address is there (downcheck).
	DownCheck time.Duration
	Clock     Clock
	// Receive gets each packet; see [Transport].
	Receive func(packet []byte)
	// Refused, if not nil, tells of a packet from an address that is no member's;
	// each is counted in any case.
	Refused func(from netip.AddrPort)
	// Changed, if not nil, tells that the sockets were opened (up), closed because
	// the address went away (not up, nil), or could not be opened although the
	// address is there (not up, the error). It is called again only when that
	// changes.
	Changed func(up bool, err error)
}

// PlainStats counts what a plain transport did not pass on.
type PlainStats struct {
	SocketStats        // of all its sockets, those closed included
	Blocked     uint64 // packets from addresses that are no member's
	Own         uint64 // packets of this node that came back
	NoSuchNode  uint64 // unicasts to nodes that are no members
	Down        uint64 // packets to send while the address was not there
}

// plain is the part of udpu and udp that knows members and the state of the
// local address. Its owner says how to open sockets and how to send a run.
type plain struct {
	cfg      PlainConfig
	poller   *Poller
	presence presence
	others   []Member // all but this node
	out      bundle
	sockets  []*Socket
	open     func(on iface) ([]*Socket, error)
	send     func(run)
	failure  string // last error told
	counts   PlainStats
	closed   bool
}

// start opens the sockets if the address is there; if not, later ticks will.
func (t *plain) start(p *Poller, cfg PlainConfig) error {
	if err := cfg.check(); err != nil {
		return err
	}
	t.cfg, t.poller = cfg, p
	t.cfg.Local = withoutZone(cfg.Local)
	t.presence = presence{addr: cfg.Local.Addr(), every: cfg.DownCheck}
	t.SetMembers(cfg.Members)
	_, found := t.presence.check(cfg.Clock())
	if !found {
		return nil
	}
	return t.up()
}

func (c *PlainConfig) check() error {
	if !c.Local.IsValid() || c.Local.Port() == 0 || c.Local.Addr().IsUnspecified() || c.Local.Addr().Is4In6() {
		return fmt.Errorf("local address %v: want an address of this host and a port", c.Local)
	}
	if c.DownCheck <= 0 {
		return fmt.Errorf("downcheck %v: want more than 0", c.DownCheck)
	}
	for _, m := range c.Members {
		if m.Addr.Addr().Is4() != c.Local.Addr().Is4() {
			return fmt.Errorf("node %d has %v, not of the same family as %v", m.Node, m.Addr, c.Local)
		}
	}
	return nil
}

func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// SetMembers replaces the configured nodes, from the next packet on.
func (t *plain) SetMembers(members []Member) {
	t.others = t.others[:0]
	for _, m := range members {
		if m.Node != t.cfg.Node {
			t.others = append(t.others, Member{Node: m.Node, Addr: withoutZone(m.Addr)})
		}
	}
}

// Reconfigure replaces the configured nodes and how often to look for the local
// address; the rest of cfg cannot change. On an error nothing has changed.
func (t *plain) Reconfigure(cfg PlainConfig) error {
	c := t.cfg
	c.Members, c.DownCheck = cfg.Members, cfg.DownCheck
	if err := c.check(); err != nil {
		return err
	}
	t.cfg = c
	t.presence.every = c.DownCheck
	t.SetMembers(c.Members)
	return nil
}

func (t *plain) up() error {
	sockets, err := t.open(t.presence.on)
	if err != nil {
		return err
	}
	t.sockets = sockets
	t.presence.up = true
	t.failure = ""
	if t.cfg.Changed != nil {
		t.cfg.Changed(true, nil)
	}
	return nil
}

// shut closes the sockets and keeps their counters.
func (t *plain) shut() error {
	var errs []error
	for _, s := range t.sockets {
		t.counts.add(s.Stats())
		errs = append(errs, s.Close())
	}
	t.sockets = nil
	t.presence.up = false
	return errors.Join(errs...)
}

// Multicast implements [Transport].
func (t *plain) Multicast(now time.Duration, packet []byte) {
	t.queue(now, netip.AddrPort{}, packet)
}

// Unicast implements [Transport].
func (t *plain) Unicast(now time.Duration, to totem.NodeID, packet []byte) {
	for i := range t.others {
		if t.others[i].Node == to {
			t.queue(now, t.others[i].Addr, packet)
			return
		}
	}
	t.counts.NoSuchNode++
}

func (t *plain) queue(now time.Duration, to netip.AddrPort, packet []byte) {
	if !t.presence.up {
		t.counts.Down++
		return
	}
	if t.out.add(to, packet) {
		t.Flush(now)
	}
}

// Flush implements [Transport].
func (t *plain) Flush(time.Duration) {
	if len(t.out.runs) == 0 {
		return
	}
	for _, r := range t.out.runs {
		t.send(r)
	}
	for _, s := range t.sockets {
		s.Flush()
	}
	t.out.reset()
}

// Tick implements [Transport].
func (t *plain) Tick(now time.Duration) {
	if t.closed {
		return
	}
	for _, s := range t.sockets {
		s.Tick(now)
	}
	lost, found := t.presence.check(now)
	if lost {
		t.shut()
		t.out.reset()
		t.tell(false, nil)
	}
	if found && !t.closed {
		if err := t.up(); err != nil {
			t.tell(false, err)
		}
	}
}

// tell reports that there are no sockets, once for each reason.
func (t *plain) tell(up bool, err error) {
	text := "address lost"
	if err != nil {
		text = err.Error()
	}
	if t.cfg.Changed == nil || text == t.failure {
		return
	}
	t.failure = text
	t.cfg.Changed(up, err)
}

// Deadline implements [Transport].
func (t *plain) Deadline() time.Duration {
	if t.closed {
		return Never
	}
	next := t.presence.next
	for _, s := range t.sockets {
		next = min(next, s.Deadline())
	}
	return next
}

// Links implements [Transport].
func (t *plain) Links() []LinkStatus {
	links := make([]LinkStatus, 0, len(t.others))
	for _, m := range t.others {
		links = append(links, LinkStatus{
			Node: m.Node, Local: t.cfg.Local, Remote: m.Addr, Enabled: true, Connected: t.presence.up,
		})
	}
	return links
}

// Stats are the counters so far.
func (t *plain) Stats() PlainStats {
	sum := t.counts
	for _, s := range t.sockets {
		sum.add(s.Stats())
	}
	return sum
}

// Close implements [Transport].
func (t *plain) Close() error {
	if t.closed {
		return nil
	}
	t.Flush(0)
	t.closed = true
	return t.shut()
}

// openAll opens sockets in turn, or none.
func openAll(p *Poller, configs ...SocketConfig) ([]*Socket, error) {
	var sockets []*Socket
	for _, cfg := range configs {
		s, err := OpenSocket(p, cfg)
		if err != nil {
			for _, s := range sockets {
				s.Close()
			}
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func (sum *SocketStats) add(s SocketStats) {
	sum.Sent += s.Sent
	sum.SentBytes += s.SentBytes
	sum.SendCalls += s.SendCalls
	sum.Received += s.Received
	sum.ReceivedBytes += s.ReceivedBytes
	sum.ReceiveCalls += s.ReceiveCalls
	sum.Truncated += s.Truncated
	sum.Dropped += s.Dropped
	sum.Failed += s.Failed
	sum.Refusals += s.Refusals
	sum.Blocked += s.Blocked
	sum.Unsegmented += s.Unsegmented
	sum.Unreported += s.Unreported
}
