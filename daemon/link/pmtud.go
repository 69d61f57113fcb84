package link

import (
	"net/netip"
	"time"

	"cpgol/wire/knet"
)

// floorPayload is the UDP payload that every link is taken to carry: the
// reference subtracts the largest headers from the least IPv4 packet
// (calc_min_mtu).
const floorPayload = 576 - 40 - 28

// minFragment keeps the largest message within 254 fragments.
const minFragment = (knet.MaxMessage + knet.MaxFragments - 1) / knet.MaxFragments

// floor is the data MTU that is always right.
func (l *Links) floor() int { return l.keys.tx().DataMTU(floorPayload) }

// sizes is the sizer of one link under the present envelope.
type sizes struct {
	c        *knet.Crypto
	overhead int
}

func (l *Links) sizes(k *link) sizes { return sizes{l.keys.tx(), k.overhead} }

func (s sizes) align(n int) int {
	app := s.c.DataMTU(n - s.overhead)
	if app < 0 {
		return 0
	}
	return s.probeLen(app)
}

// probeLen is the size of a probe for app bytes of data: one that a packet with
// the largest header would have (calc_data_outlen).
func (s sizes) probeLen(app int) int { return s.c.WireLen(app+knet.HeaderAllLen) + s.overhead }

func (s sizes) least() int    { return s.align(floorPayload + s.overhead) }
func (s sizes) smallest() int { return s.probeLen(0) }

// dataMTU is how many bytes of a message fit into a packet on link k.
func (l *Links) dataMTU(k *link) int {
	switch {
	case l.manualMTU != 0:
		return max(l.keys.tx().DataMTU(l.manualMTU-k.overhead), minFragment)
	case k.probe.path == 0:
		return l.floor()
	}
	return l.keys.tx().DataMTU(k.probe.path - k.overhead)
}

// adjustMTU finds the data MTU that every usable link can carry. Without such
// a link it stays what it was.
func (l *Links) adjustMTU(out *Output) {
	mtu := 0
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k == nil || !k.up || k.probe.unsound {
				continue
			}
			if m := l.dataMTU(k); mtu == 0 || m < mtu {
				mtu = m
			}
		}
	}
	if mtu != 0 && mtu != l.mtu {
		l.mtu = mtu
		out.add(Effect{Kind: MTUChanged, MTU: mtu})
	}
}

// beginProbing starts a run on a link that is up, unless the MTU was given.
func (l *Links) beginProbing(now time.Duration, k *link, out *Output) {
	k.probe.down()
	if l.manualMTU != 0 {
		return
	}
	k.probe.begin(l.sizes(k))
	l.sendProbe(now, k, out)
}

// sendProbe sends the probe on trial, from the second try on with a small one.
func (l *Links) sendProbe(now time.Duration, k *link, out *Output) {
	p := &k.probe
	p.heard, p.control = false, p.tries > 0
	p.deadline = now + p.wait(k.beat.latency)
	s := l.sizes(k)
	p.sent = l.sendProbeOf(k, p.cand, out)
	if p.control {
		l.sendProbeOf(k, s.smallest(), out)
	}
}

// sendProbeOf sends a probe that makes an IP packet of size bytes, which is a
// size that align gave, and returns the datagram's length.
func (l *Links) sendProbeOf(k *link, size int, out *Output) int {
	app := l.keys.tx().DataMTU(size - k.overhead)
	probe := knet.PMTUD{
		Header: knet.Header{Type: knet.TypePMTUD, Node: l.node},
		Link:   k.ID,
		Size:   uint16(size),
		Fill:   knet.Fill(app + knet.HeaderAllLen),
	}
	l.plain = probe.Append(l.plain[:0])
	n := l.sendControl(k, knet.TypePMTUD, out)
	k.stats.TxPMTUPackets++
	k.stats.TxPMTUBytes += uint64(n)
	return n
}

// receiveProbe answers a probe: at once, once, whatever we think of the link,
// for the peer takes us out of its ring without the answer. plain is at least a
// reply's length.
func (l *Links) receiveProbe(k *link, plain []byte, out *Output) {
	k.stats.RxPMTUPackets++
	k.stats.RxPMTUBytes += uint64(len(plain))
	var p knet.PMTUD
	p.Decode(plain) // cannot fail: type and length were checked
	p.Type, p.Node, p.Fill = knet.TypePMTUDReply, l.node, nil
	l.plain = p.Append(l.plain[:0])
	l.sendControl(k, knet.TypePMTUDReply, out)
}

// receiveReply takes the answer to a probe of ours.
func (l *Links) receiveReply(now time.Duration, k *link, plain []byte, out *Output) {
	k.stats.RxPMTUPackets++
	k.stats.RxPMTUBytes += uint64(len(plain))
	var p knet.PMTUD
	p.Decode(plain) // cannot fail: type and length were checked
	cand := k.probe.cand
	if !k.probe.reply(l.sizes(k), int(p.Size), now) {
		l.drop(StrayReply, k.host.id, k.ID, k.Remote, out)
		return
	}
	if int(p.Size) == cand {
		l.probed(now, k, true, out)
	}
}

// probeTimeout ends a try without a reply.
func (l *Links) probeTimeout(now time.Duration, k *link, out *Output) {
	k.probe.timeout(l.sizes(k), now)
	l.probed(now, k, true, out)
}

// probed follows a change in what is known of the path: send the next probe if
// there is one, and let links and data MTU follow.
func (l *Links) probed(now time.Duration, k *link, send bool, out *Output) {
	if send && k.probe.running {
		l.sendProbe(now, k, out)
	}
	if k.up {
		l.choose(k.host, out)
		l.adjustMTU(out)
	}
}

// TooBig tells that the local kernel refused to send a datagram from link id's
// socket to that address because of its size (EMSGSIZE). mtu is the size of the
// largest IP packet as the kernel told it, 0 if it did not.
func (l *Links) TooBig(now time.Duration, id LinkID, to netip.Addr, mtu int, out *Output) {
	if mtu < 0 || mtu >= maxIPLen {
		mtu = 0
	}
	for _, h := range l.hosts {
		if k := h.link(id); k != nil && k.up && k.addr == plainAddr(to) && l.manualMTU == 0 {
			l.probed(now, k, k.probe.tooBig(l.sizes(k), mtu, now), out)
		}
	}
}
