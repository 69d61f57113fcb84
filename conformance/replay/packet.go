package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A packet is one UDP datagram of the ring.
type packet struct {
	no       int           // from 0, in the order recorded
	time     time.Duration // since the recording's first frame
	from, to netip.AddrPort
	size     int
	frames   int    // IP fragments
	knet     any    // *knet.Data, *knet.Ping or *knet.PMTUD; nil without knet
	part     string // "2/46" if the datagram carries a fragment
	// message is complete with this packet: it is all of it, or its last
	// fragment to arrive.
	message totem.Message
	frame   *pg.Frame     // of an ordinary multicast
	inner   *totem.Mcast  // of an encapsulated one
	mcast   *orderedMcast // where the history keeps it
	err     error         // why it was not decoded
	differs string        // the layer at which encoding gave other bytes
}

func (p *packet) decoded() bool   { return p.err == nil }
func (p *packet) identical() bool { return p.err == nil && p.differs == "" }

// A decoder turns frames into packets.
type decoder struct {
	capture *capture
	ip      reassembler
	knet    defragmenter
	packets []*packet
	old     int // packets that look like 2.x
}

func newDecoder(c *capture) *decoder {
	return &decoder{capture: c, ip: make(reassembler), knet: make(defragmenter)}
}

// readAll decodes the whole recording.
func (d *decoder) readAll() error {
	r, err := pcapgo.NewNgReader(bytes.NewReader(d.capture.pcap), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return fmt.Errorf("%s.pcapng: %w", d.capture.name, err)
	}
	var start time.Time
	for n := 0; ; n++ {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s.pcapng: frame %d: %w", d.capture.name, n+1, err)
		}
		if n == 0 {
			start = info.Timestamp
		}
		d.frame(info.Timestamp.Sub(start), r.LinkType(), data)
	}
}

// frame takes one frame; if it completes a datagram of the ring, that becomes a
// packet.
func (d *decoder) frame(now time.Duration, link layers.LinkType, data []byte) {
	var ip ipPacket
	var err error
	switch link {
	case layers.LinkTypeEthernet:
		ip, err = decodeEthernet(data)
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		ip, err = decodeRaw(data)
	default:
		return
	}
	if err != nil || ip.proto != protoUDP {
		return // not ours; a frame cut short shows as a missing packet
	}
	parts, payload := []ipPacket{ip}, ip.payload
	if ip.fragmented() {
		if payload, parts = d.ip.add(now, ip); parts == nil {
			return
		}
	}
	udp, err := decodeUDP(payload)
	if _, ours := d.capture.hosts[ip.src]; !ours || !d.capture.ports[udp.dstPort] {
		return
	}
	p := &packet{
		no: len(d.packets), time: now, size: len(udp.payload), frames: len(parts),
		from: netip.AddrPortFrom(ip.src, udp.srcPort), to: netip.AddrPortFrom(ip.dst, udp.dstPort),
		err: err,
	}
	d.packets = append(d.packets, p)
	if err != nil {
		return
	}
	if !ip.fragmented() {
		p.check("IP", ip.append(nil), data)
	}
	p.check("UDP", udp.append(nil), payload)
	if d.capture.knet {
		d.sealed(p, udp.payload)
	} else {
		p.totem(udp.payload)
	}
	if p.err != nil && looksLike2x(udp.payload) {
		d.old++
	}
}

// looksLike2x reports whether a datagram starts as those of 2.2 (FF FF) and of
// 2.3 to 2.4 (FE FE) do (totem.md 5.3). Nothing of 3.x does, but for a random
// start in 2^32.
func looksLike2x(b []byte) bool {
	return len(b) >= 12 && b[0] == b[1] && (b[0] == 0xfe || b[0] == 0xff) && b[2] == 0 && b[3] == 0
}

// check notes the first layer at which encoding did not give back the bytes.
func (p *packet) check(layer string, encoded, original []byte) {
	if p.differs == "" && !bytes.Equal(encoded, original) {
		p.differs = layer
	}
}

// sealed decodes a knet datagram.
func (d *decoder) sealed(p *packet, datagram []byte) {
	plain, err := d.capture.crypto.Open(nil, datagram)
	if err != nil {
		p.err = err
		return
	}
	p.check("crypto", d.capture.crypto.Seal(nil, plain, d.capture.crypto.IV(datagram)), datagram)
	h, err := knet.ParseHeader(plain)
	if err != nil {
		p.err = err
		return
	}
	var v interface {
		Decode([]byte) (int, error)
		Append([]byte) []byte
	}
	switch h.Type {
	case knet.TypeData:
		v = new(knet.Data)
	case knet.TypePing, knet.TypePong:
		v = new(knet.Ping)
	case knet.TypePMTUD, knet.TypePMTUDReply:
		v = new(knet.PMTUD)
	default:
		p.err = fmt.Errorf("knet: packet is a %v", h.Type)
		return
	}
	n, err := v.Decode(plain)
	if err != nil {
		p.err = err
		return
	}
	p.knet = v
	p.check("knet", v.Append(nil), plain[:n])
	if data, ok := v.(*knet.Data); ok {
		d.data(p, data)
	}
}

// data decodes what a data packet carries, once it is all there.
func (d *decoder) data(p *packet, data *knet.Data) {
	message := data.Payload
	if data.FragNum > 1 {
		p.part = fmt.Sprintf("%d/%d", data.FragSeq, data.FragNum)
		var err error
		if message, err = d.knet.add(p.from, p.to, data); err != nil || message == nil {
			p.err = err
			return
		}
	}
	if data.Method != knet.None {
		var err error
		if message, err = knet.Decompress(data.Method, nil, message, knet.MaxMessage); err != nil {
			p.err = err
			return
		}
	}
	p.totem(message)
}

// totem decodes a message and, of a multicast, what it carries.
func (p *packet) totem(b []byte) {
	m, n, err := totem.Decode(b)
	if err != nil {
		p.err = err
		return
	}
	p.message = m
	p.check("totem", m.Append(nil), b[:n])
	mc, ok := m.(*totem.Mcast)
	if !ok {
		return
	}
	if mc.Encapsulated == totem.Encapsulated {
		p.inner = new(totem.Mcast)
		if _, err := p.inner.Decode(mc.Payload); err != nil {
			p.err = fmt.Errorf("encapsulated: %w", err)
			return
		}
		p.check("encapsulated", p.inner.Append(nil), mc.Payload)
		mc = p.inner
	}
	p.frame = &pg.Frame{BigEndian: mc.BigEndian}
	if _, err := p.frame.Decode(mc.Payload); err != nil {
		p.err = err
		return
	}
	p.check("pg", p.frame.Append(nil), mc.Payload)
}

// A fragKey tells which knet fragments belong together. Each destination gets
// its own copy of a message.
type fragKey struct {
	from, to netip.AddrPort
	node     uint16
	seq      uint16
}

// A defragmenter joins knet fragments. It has all of the recording to wait, so
// it needs none of the receiver's rules on what to give up.
type defragmenter map[fragKey]*fragments

type fragments struct {
	parts map[uint8]*knet.Data
	whole bool // all were there; kept to know copies of them
}

// add takes a fragment and returns the message if it was the last one missing.
func (d defragmenter) add(from, to netip.AddrPort, data *knet.Data) ([]byte, error) {
	key := fragKey{from, to, data.Node, data.Seq}
	f := d[key]
	if f != nil {
		have := f.parts[data.FragSeq]
		if have != nil && have.FragNum == data.FragNum && bytes.Equal(have.Payload, data.Payload) {
			return nil, nil // recorded twice
		}
		for _, other := range f.parts {
			if have != nil || f.whole || other.FragNum != data.FragNum {
				f = nil // the numbers came round, or the sender started anew
			}
			break
		}
	}
	if f == nil {
		f = &fragments{parts: make(map[uint8]*knet.Data)}
		d[key] = f
	}
	parts := f.parts
	parts[data.FragSeq] = data
	if len(parts) < int(data.FragNum) {
		return nil, nil
	}
	f.whole = true
	var message []byte
	for i := uint8(1); i <= data.FragNum; i++ {
		if i < data.FragNum && len(parts[i].Payload) != len(parts[1].Payload) {
			return nil, fmt.Errorf("knet: fragment %d of %d has %d bytes, the first %d", i, data.FragNum, len(parts[i].Payload), len(parts[1].Payload))
		}
		message = append(message, parts[i].Payload...)
	}
	if len(message) > knet.MaxMessage {
		return nil, fmt.Errorf("knet: %d fragments make %d bytes", data.FragNum, len(message))
	}
	return message, nil
}
