package link

import (
	"math"
	"net/netip"

	"cpgol/wire/knet"
)

// noAddr stands for no address in effects about messages to send.
var noAddr netip.AddrPort

// A LinkStatus is a link as corosync-cfgtool and the stats map show it.
type LinkStatus struct {
	Host          HostID
	Link          LinkID
	Local, Remote netip.AddrPort
	Enabled       bool // always, here
	Connected     bool
	Priority      uint8
	MTU           int // bytes of data in a fragment that this link carries
	PathMTU       int // the IP packet that makes, 0 while it is not known
	LinkStats
}

// Status tells of one link; ok is false if it is not configured.
func (l *Links) Status(h HostID, id LinkID) (s LinkStatus, ok bool) {
	host := l.byID[h]
	if host == nil || host.link(id) == nil {
		return s, false
	}
	k := host.link(id)
	return LinkStatus{
		Host: h, Link: id, Local: k.Local, Remote: k.Remote,
		Enabled: true, Connected: k.up, Priority: k.Priority,
		MTU: l.shownMTU(k), PathMTU: k.probe.path,
		LinkStats: k.stats,
	}, true
}

// shownMTU is the link's data MTU as the reference tells it: while nothing is
// known of the path, what the least packet of its IP version carries
// (libknet/links.c: knet_link_set_config). Nothing is sent by that number.
func (l *Links) shownMTU(k *link) int {
	if l.manualMTU != 0 || k.probe.path != 0 {
		return l.dataMTU(k)
	}
	least := 576
	if !k.addr.Is4() {
		least = 1280
	}
	return l.keys.tx().DataMTU(least - k.overhead)
}

// Loop is the link to this node itself as the reference has it: there is
// nothing to it but what was sent to all nodes, this one included.
func (l *Links) Loop() LinkStatus {
	return LinkStatus{Host: l.node, Enabled: true, Connected: true, MTU: math.MaxUint16, LinkStats: l.loop}
}

// Each calls f for every link, by host and link number.
func (l *Links) Each(f func(h HostID, id LinkID)) {
	l.eachLink(func(k *link) { f(k.host.id, k.ID) })
}

// Reachable reports whether messages to a host have a way.
func (l *Links) Reachable(h HostID) bool { return l.byID[h] != nil && l.byID[h].reachable }

// MTU is how many bytes of a message go into one fragment at present.
func (l *Links) MTU() int { return l.mtu }

// Stats tells what all links did together.
func (l *Links) Stats() Stats { return l.stats }

// ClearStats starts all counters anew (stats.clear.knet).
func (l *Links) ClearStats() {
	l.stats = Stats{}
	l.loop = newLoopStats()
	l.eachLink(func(k *link) {
		k.stats = newLinkStats()
		k.stats.DownCount = 0
	})
}

// SendFailed tells that the socket gave up on a Send effect, or, if it only had
// to try again, that. It is for the statistics. If a probe was too big for the
// kernel, call it before [Links.TooBig].
func (l *Links) SendFailed(e *Effect, again, tooBig bool) {
	h := l.byID[e.Host]
	if h == nil || h.link(e.Link) == nil {
		return
	}
	k := h.link(e.Link)
	s := &k.stats
	if e.Type == knet.TypePMTUD && tooBig {
		// That is what probes are for: one that never left does not count.
		if n := uint64(k.probe.sent); s.TxPMTUPackets > 0 && s.TxPMTUBytes >= n {
			s.TxPMTUPackets--
			s.TxPMTUBytes -= n
		}
		return
	}
	failed, retried := &s.TxDataErrors, &s.TxDataRetries
	switch e.Type {
	case knet.TypePing:
		failed, retried = &s.TxPingErrors, &s.TxPingRetries
	case knet.TypePong:
		failed, retried = &s.TxPongErrors, &s.TxPongRetries
	case knet.TypePMTUD, knet.TypePMTUDReply:
		failed, retried = &s.TxPMTUErrors, &s.TxPMTURetries
	}
	if again {
		*retried++
	} else {
		*failed++
	}
}
