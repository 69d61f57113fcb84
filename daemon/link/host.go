package link

import (
	"net/netip"
	"time"
)

// linkUp makes a link usable and probes it at once (_link_updown).
func (l *Links) linkUp(now time.Duration, k *link, out *Output) {
	k.up = true
	k.stats.UpCount++
	k.probe.up()
	out.add(Effect{Kind: LinkChanged, Host: k.host.id, Link: k.ID, Up: true})
	l.choose(k.host, out)
	l.beginProbing(now, k, out)
	l.adjustMTU(out)
}

// linkDown makes a link start over (_link_down). A link that is down already
// only forgets its pongs.
func (l *Links) linkDown(k *link, out *Output) {
	k.refused = false
	k.beat.restart()
	k.probe.down()
	if !k.up {
		return
	}
	k.up = false
	k.stats.DownCount++
	out.add(Effect{Kind: LinkChanged, Host: k.host.id, Link: k.ID})
	l.choose(k.host, out)
	l.adjustMTU(out)
}

// choose finds the links that a host's messages take (_host_dstcache_update_sync):
// those that are up and of sound MTU, of which the passive policy takes one.
func (l *Links) choose(h *host, out *Output) {
	h.usable, h.sendNext = h.usable[:0], 0
	for _, k := range h.links {
		if k == nil || !k.up || k.probe.unsound {
			continue
		}
		switch {
		case l.policy != Passive || len(h.usable) == 0:
			h.usable = append(h.usable, k)
		case k.Priority > h.usable[0].Priority:
			h.usable[0] = k
		}
	}
	if reachable := len(h.usable) > 0; reachable != h.reachable {
		h.reachable = reachable
		if !reachable {
			l.forget(h, 0)
		}
		out.add(Effect{Kind: HostChanged, Host: h.id, Up: reachable})
	}
}

// forget wipes what is known of a host's messages.
func (l *Links) forget(h *host, newest uint16) {
	h.window.wipe(newest)
	l.stats.Dropped[Incomplete] += uint64(h.defrag.reset())
}

// fresh looks a message number up in the host's window and lets go of messages
// in reassembly that are too old. In this order: what is too old is judged by
// the newest number before this one (_seq_num_lookup).
func (l *Links) fresh(h *host, which *flags, seq uint16) bool {
	if h.window.newest == 0 {
		h.window.newest = seq
	}
	l.stats.Dropped[Incomplete] += uint64(h.defrag.reclaim(h.window.newest))
	return h.window.fresh(which, seq)
}

// Refused tells that the network or the other end refused a packet sent from
// link id's socket to that address (an ICMP error in the socket's error queue).
// The link goes down in the next cycle; one that is down takes no notice
// (read_errs_from_sock).
func (l *Links) Refused(now time.Duration, id LinkID, to netip.Addr, out *Output) {
	for _, h := range l.hosts {
		if k := h.link(id); k != nil && k.up && k.addr == plainAddr(to) {
			k.refused = true
		}
	}
}

// link returns the configured link of that number, nil if there is none.
func (h *host) link(id LinkID) *link {
	if id >= MaxLinks {
		return nil
	}
	return h.links[id]
}
