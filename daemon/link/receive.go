package link

import (
	"encoding/binary"
	"net/netip"
	"time"

	"cpgol/wire/knet"
)

// Receive takes a datagram that came in on link via's socket. Checks are in the
// reference's order: envelope, header, host, link, type
// (_handle_recv_from_links, _parse_recv_from_links). Nothing that fails one
// changes any state but a counter.
func (l *Links) Receive(now time.Duration, via LinkID, from netip.AddrPort, datagram []byte, out *Output) {
	if len(datagram) == 0 {
		return
	}
	l.followPeers(now, out)
	plain, sealed, ok := l.open(datagram, out)
	if !ok {
		l.drop(Unsealed, 0, via, from, out)
		return
	}
	if why, ok := l.checkHeader(plain); !ok {
		l.drop(why, 0, via, from, out)
		return
	}
	h := l.byID[binary.BigEndian.Uint16(plain[2:])]
	if knet.Type(plain[1]).Control() {
		l.receiveControl(now, h, via, from, plain, out)
	} else {
		l.receiveData(now, h, via, from, plain, sealed, out)
	}
}

// open takes the envelope off. The plain packet is either the datagram itself or
// in out's room, not kept there yet. sealed tells that there was an envelope.
//
// Two keys may share their hash and differ in the cipher, so a packet that one
// opens to nonsense is tried with the other.
func (l *Links) open(datagram []byte, out *Output) (plain []byte, sealed, ok bool) {
	k := &l.keys
	if !k.loaded {
		return datagram, false, k.allowClear
	}
	room := out.room(len(datagram))
	for _, slot := range [2]int{max(k.inUse, 1), 3 - max(k.inUse, 1)} {
		c := k.slots[slot]
		if c == nil {
			continue
		}
		if p, err := c.Open(room, datagram); err == nil {
			plain, ok = p, true
			if _, sound := l.checkHeader(p); sound {
				k.opened(slot)
				return plain, true, true
			}
		}
	}
	switch {
	case !ok:
		return datagram, false, k.allowClear
	case k.slots[1] != nil && k.slots[2] != nil:
		return nil, true, false // nonsense to both
	}
	return plain, true, true
}

// checkHeader finds whether the packet starts with a header from a known host.
func (l *Links) checkHeader(plain []byte) (Cause, bool) {
	switch {
	case len(plain) < knet.HeaderLen+1:
		return Short, false
	case plain[0] != knet.Version:
		return Version, false
	}
	node := binary.BigEndian.Uint16(plain[2:])
	if l.byID[node] != nil {
		return 0, true
	}
	if node == l.node {
		return OwnNumber, false
	}
	return UnknownHost, false
}

// receiveControl takes a packet about a link, which byte 6 names.
func (l *Links) receiveControl(now time.Duration, h *host, via LinkID, from netip.AddrPort, plain []byte, out *Output) {
	k := h.link(plain[6])
	if k == nil {
		l.drop(UnknownLink, h.id, via, from, out)
		return
	}
	if l.blockUnlisted && k.addr != plainAddr(from.Addr()) {
		l.drop(Unlisted, h.id, k.ID, from, out)
		return
	}
	t := knet.Type(plain[1])
	switch {
	case (t == knet.TypePing || t == knet.TypePong) && len(plain) < knet.PingLen,
		(t == knet.TypePMTUD || t == knet.TypePMTUDReply) && len(plain) < knet.PMTUDLen:
		l.drop(Malformed, h.id, k.ID, from, out)
	case t == knet.TypePing:
		l.receivePing(now, k, plain, out)
	case t == knet.TypePong:
		l.receivePong(now, k, plain, out)
	case t == knet.TypePMTUD:
		l.receiveProbe(k, plain, out)
	case t == knet.TypePMTUDReply:
		l.receiveReply(now, k, plain, out)
	default:
		l.drop(UnknownType, h.id, k.ID, from, out)
	}
}

// source finds the link that data from an address belongs to: the lowest of
// that host with the address, port and socket aside. Only among links that share
// an address does the socket decide, which the reference does not look at.
func (h *host) source(via LinkID, from netip.AddrPort) *link {
	addr := plainAddr(from.Addr())
	if k := h.link(via); k != nil && k.addr == addr {
		return k
	}
	for _, k := range h.links {
		if k != nil && k.addr == addr {
			return k
		}
	}
	return nil
}
