package link

import (
	"time"

	"cpgol/wire/knet"
)

// forcedPings is how many messages apart every host is told the sequence number
// (SEQ_MAX / 8).
const forcedPings = 65535 / 8

// Send sends a totem message of 1 to 65536 bytes to host target, or to every
// reachable one if target is 0; never to this node. A message that nobody can
// get is dropped and uses no sequence number. It is sealed once; all Send effects
// share the bytes.
func (l *Links) Send(now time.Duration, target HostID, message []byte, out *Output) {
	if len(message) == 0 || len(message) > knet.MaxMessage {
		l.drop(Oversize, target, 0, noAddr, out)
		return
	}
	if target == l.node && target != 0 {
		return
	}
	if target == 0 {
		l.loop.TxDataPackets++
		l.loop.TxDataBytes += uint64(len(message))
	}
	if !l.anyReachable(target) {
		l.drop(Unreachable, target, 0, noAddr, out)
		return
	}
	l.followPeers(now, out)
	method, body := l.squeeze(message, target, out)
	l.txSeq++
	if l.txSeq == 0 {
		l.txSeq = 1
	}
	if l.txSeq%forcedPings == 0 {
		l.pingAll(now, out)
	}
	d := knet.Data{Header: knet.Header{Type: knet.TypeData, Node: l.node}, Seq: l.txSeq, Method: method}
	if target == 0 {
		d.Broadcast = 1
	}
	bytes, segment, n := l.seal(&d, body, out)
	for _, h := range l.hosts {
		if target == 0 || target == h.id {
			l.dispatch(h, bytes, segment, n, out)
		}
	}
}

func (l *Links) anyReachable(target HostID) bool {
	if target != 0 {
		h := l.byID[target]
		return h != nil && h.reachable
	}
	for _, h := range l.hosts {
		if h.reachable {
			return true
		}
	}
	return false
}

// squeeze compresses a message if that is wanted and makes it shorter.
func (l *Links) squeeze(message []byte, target HostID, out *Output) (knet.Method, []byte) {
	c := &l.compression
	if c.Method == knet.None {
		return knet.None, message
	}
	if len(message) > c.Threshold {
		var err error
		l.squeezed, err = knet.Compress(c.Method, c.Level, l.squeezed[:0], message)
		if err != nil {
			l.drop(Uncompressed, target, 0, noAddr, out)
		} else {
			l.stats.TxCompressedPackets++
			l.stats.TxCompressedOriginalBytes += uint64(len(message))
			l.stats.TxCompressedSizeBytes += uint64(len(l.squeezed))
			if len(l.squeezed) < len(message) {
				return c.Method, l.squeezed
			}
		}
	}
	l.stats.TxUncompressedPackets++
	return knet.None, message
}

// seal cuts body into fragments as long as the data MTU, the last shorter, and
// seals each with its own header, back to back in out. d is filled in but for
// the fragment numbers and the payload. n is the number of fragments, segment the
// length of each datagram but the last.
func (l *Links) seal(d *knet.Data, body []byte, out *Output) (bytes []byte, segment, n int) {
	c := l.keys.tx()
	n = (len(body) + l.mtu - 1) / l.mtu
	size := min(len(body), l.mtu)
	segment = c.WireLen(knet.DataLen + size)
	room := (n-1)*segment + c.WireLen(knet.DataLen+len(body)-(n-1)*size)
	dst := out.room(room)
	d.FragNum, d.FragSeq = uint8(n), 0
	for at := 0; at < len(body); at += size {
		if n > 1 {
			d.FragSeq++
		}
		part := body[at:min(at+size, len(body))]
		if c == nil {
			dst = append(d.AppendHeader(dst), part...)
			continue
		}
		l.plain = append(d.AppendHeader(l.plain[:0]), part...)
		dst = l.keys.seal(dst, l.plain)
	}
	if c != nil {
		l.stats.TxCryptPackets += uint64(n)
		l.stats.TxCryptByteOverhead += uint64(len(dst) - len(body) - n*knet.DataLen)
	}
	return out.keep(dst), segment, n
}

// dispatch sends a message's datagrams to a host over the links that the policy
// says (_dispatch_to_links).
func (l *Links) dispatch(h *host, bytes []byte, segment, n int, out *Output) {
	usable := h.usable
	if l.policy == RoundRobin && len(usable) > 1 {
		at := h.sendNext % len(usable)
		usable = usable[at : at+1]
		h.sendNext = at + 1
	}
	for _, k := range usable {
		k.stats.TxDataPackets += uint64(n)
		k.stats.TxDataBytes += uint64(len(bytes))
		out.add(Effect{Kind: Send, Host: h.id, Link: k.ID, Type: knet.TypeData, To: k.Remote, Bytes: bytes, Segment: segment})
	}
}
