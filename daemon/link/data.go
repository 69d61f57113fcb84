package link

import (
	"net/netip"
	"time"

	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// receiveData takes a message or a fragment of one.
func (l *Links) receiveData(now time.Duration, h *host, via LinkID, from netip.AddrPort, plain []byte, sealed bool, out *Output) {
	k := h.source(via, from)
	if k == nil {
		l.drop(Unlisted, h.id, via, from, out)
		return
	}
	if knet.Type(plain[1]) != knet.TypeData {
		l.drop(UnknownType, h.id, k.ID, from, out)
		return
	}
	k.stats.RxDataPackets++
	k.stats.RxDataBytes += uint64(len(plain))
	if sealed {
		l.stats.RxCryptPackets++
	}
	var d knet.Data
	if _, err := d.Decode(plain); err != nil || d.Seq == 0 {
		l.drop(Malformed, h.id, k.ID, from, out)
		return
	}
	if !h.reachable {
		if sealed {
			// The packet is in out's room, where the probe that a link sends as
			// it comes up goes too.
			out.keep(plain)
			sealed = false
		}
		if !l.fastUp(now, k, out) {
			l.drop(NotReachable, h.id, k.ID, from, out)
			return
		}
	}
	h.gotData, h.lastData = true, now
	if !l.fresh(h, &h.window.seen, d.Seq) {
		l.drop(Duplicate, h.id, k.ID, from, out)
		return
	}
	if why, ok := l.accept(now, h, &d, plain, sealed, out); !ok {
		l.drop(why, h.id, k.ID, from, out)
	}
}

// fastUp brings up a link whose pongs are still being counted when data comes
// over it: the host has us up already (_fast_data_up, since 1.27). It reports
// whether the host is reachable now.
func (l *Links) fastUp(now time.Duration, k *link, out *Output) bool {
	if !k.up && k.beat.pongs > 0 {
		l.linkUp(now, k, out)
	}
	return k.host.reachable
}

// accept takes a message's packet that was not delivered before and delivers
// what it completes. inRoom tells that the packet, plain, lies in out's room and
// is not kept yet. The number counts as seen only after delivery, so that a
// refused message has another chance from another link.
func (l *Links) accept(now time.Duration, h *host, d *knet.Data, plain []byte, inRoom bool, out *Output) (why Cause, ok bool) {
	message, owned := d.Payload, false
	if d.FragNum > 1 {
		var b *buffer
		b, message, why, ok = l.reassemble(now, h, d)
		if b == nil {
			return why, ok
		}
		out.lend(b, &l.pool)
		owned = true
	}
	if d.Method != knet.None {
		var err error
		l.unpacked, err = knet.Decompress(d.Method, l.unpacked[:0], message, knet.MaxMessage)
		if err != nil {
			return Undecompressable, false
		}
		l.stats.RxCompressedPackets++
		l.stats.RxCompressedOriginalBytes += uint64(len(l.unpacked))
		l.stats.RxCompressedSizeBytes += uint64(len(message))
		message, owned = l.unpacked, false
	}
	target, ok := totem.Target(message)
	switch {
	case !ok:
		return NotTotem, false
	case target != 0 && HostID(target) != l.node:
		return NotForUs, false
	case d.Channel != 0:
		return NoChannel, false
	}
	switch {
	case owned:
	case inRoom && d.Method == knet.None:
		// It already is in out's room.
		message = out.keep(plain)[knet.DataLen:]
	default:
		message = out.keep(append(out.room(len(message)), message...))
	}
	out.add(Effect{Kind: Deliver, Host: h.id, Bytes: message})
	h.window.seen.set(d.Seq)
	return 0, true
}

// reassemble adds a fragment to its message. It returns the message and the
// buffer that it is in once it is complete. Otherwise the buffer is nil, and ok
// tells whether the fragment was taken (pckt_defrag).
func (l *Links) reassemble(now time.Duration, h *host, d *knet.Data) (b *buffer, message []byte, why Cause, ok bool) {
	p := h.defrag.find(d.Seq)
	if p == nil {
		if !l.fresh(h, &h.window.started, d.Seq) {
			return nil, nil, LateFragment, false
		}
		h.window.started.set(d.Seq)
		var evicted bool
		if p, evicted = h.defrag.begin(now, d); evicted {
			l.stats.Dropped[Incomplete]++
		}
	}
	complete, why, ok := p.add(now, d)
	if !complete {
		return nil, nil, why, ok
	}
	b, n := h.defrag.take(p)
	return b, b[:n], 0, true
}
