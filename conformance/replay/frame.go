package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Protocol numbers of the layers below totem.
const (
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd

	protoHopByHop = 0
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoDestOpts = 60
)

// errNotIP tells that a frame is not ours to judge.
var errNotIP = errors.New("not an IP packet")

// An ipPacket is one frame down to the IP payload, in a form that can be
// encoded again.
type ipPacket struct {
	ether    []byte // addresses, tags and type; kept
	v6       bool
	version  uint32 // IPv4: version, header length and TOS; IPv6: version, class, label
	length   uint16 // as the header tells it
	id       uint32
	offset   int // of this fragment, in bytes
	more     bool
	flags    uint16 // IPv4 flags beside "more"; IPv6 reserved bits
	fragment bool   // IPv6 has a fragment header
	reserved byte   // of the fragment header
	hops     byte
	first    byte // IPv6: the header that follows the fixed one
	proto    byte // of the payload
	sum      uint16
	src, dst netip.Addr
	options  []byte // IPv4 options; IPv6 extension headers before the fragment header
	payload  []byte
	trailer  []byte // what Ethernet added to reach its minimum
}

// decodeEthernet reads an Ethernet frame.
func decodeEthernet(b []byte) (ipPacket, error) {
	at := 12
	for len(b) >= at+2 {
		switch t := binary.BigEndian.Uint16(b[at:]); t {
		case etherVLAN, etherQinQ:
			at += 4
		case etherIPv4:
			return decodeIPv4(b[:at+2], b[at+2:])
		case etherIPv6:
			return decodeIPv6(b[:at+2], b[at+2:])
		default:
			return ipPacket{}, errNotIP
		}
	}
	return ipPacket{}, errNotIP
}

// decodeRaw reads a packet without a link layer.
func decodeRaw(b []byte) (ipPacket, error) {
	switch {
	case len(b) > 0 && b[0]>>4 == 4:
		return decodeIPv4(nil, b)
	case len(b) > 0 && b[0]>>4 == 6:
		return decodeIPv6(nil, b)
	}
	return ipPacket{}, errNotIP
}

func decodeIPv4(ether, b []byte) (ipPacket, error) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return ipPacket{}, errNotIP
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || total < head || len(b) < total {
		return ipPacket{}, fmt.Errorf("IPv4: %d bytes of header, %d of packet, %d captured", head, total, len(b))
	}
	frag := binary.BigEndian.Uint16(b[6:])
	return ipPacket{
		ether:   ether,
		version: uint32(binary.BigEndian.Uint16(b)),
		length:  uint16(total),
		id:      uint32(binary.BigEndian.Uint16(b[4:])),
		offset:  int(frag&0x1fff) * 8,
		more:    frag&0x2000 != 0,
		flags:   frag &^ 0x3fff,
		hops:    b[8],
		proto:   b[9],
		sum:     binary.BigEndian.Uint16(b[10:]),
		src:     netip.AddrFrom4([4]byte(b[12:16])),
		dst:     netip.AddrFrom4([4]byte(b[16:20])),
		options: b[20:head],
		payload: b[head:total],
		trailer: b[total:],
	}, nil
}

func decodeIPv6(ether, b []byte) (ipPacket, error) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return ipPacket{}, errNotIP
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if len(b) < total {
		return ipPacket{}, fmt.Errorf("IPv6: packet of %d bytes, %d captured", total, len(b))
	}
	p := ipPacket{
		ether:   ether,
		v6:      true,
		version: binary.BigEndian.Uint32(b),
		length:  uint16(total - 40),
		first:   b[6],
		proto:   b[6],
		hops:    b[7],
		src:     netip.AddrFrom16([16]byte(b[8:24])),
		dst:     netip.AddrFrom16([16]byte(b[24:40])),
		trailer: b[total:],
	}
	rest := b[40:total]
	for p.proto == protoHopByHop || p.proto == protoRouting || p.proto == protoDestOpts {
		if len(rest) < 8 || len(rest) < 8+8*int(rest[1]) {
			return ipPacket{}, errors.New("IPv6: extension header cut short")
		}
		n := 8 + 8*int(rest[1])
		p.proto = rest[0]
		p.options, rest = append(p.options, rest[:n]...), rest[n:]
	}
	if p.proto == protoFragment {
		if len(rest) < 8 {
			return ipPacket{}, errors.New("IPv6: fragment header cut short")
		}
		frag := binary.BigEndian.Uint16(rest[2:])
		p.fragment, p.proto, p.reserved = true, rest[0], rest[1]
		p.offset, p.more, p.flags = int(frag&^7), frag&1 != 0, frag&6
		p.id, rest = binary.BigEndian.Uint32(rest[4:]), rest[8:]
	}
	p.payload = rest
	return p, nil
}

// fragmented reports whether the payload is a part of a packet.
func (p *ipPacket) fragmented() bool { return p.more || p.offset != 0 }

// append encodes the frame.
func (p *ipPacket) append(b []byte) []byte {
	b = append(b, p.ether...)
	be := binary.BigEndian
	if p.v6 {
		b = be.AppendUint32(b, p.version)
		b = be.AppendUint16(b, p.length)
		b = append(b, p.first, p.hops)
		b = append(b, p.src.AsSlice()...)
		b = append(b, p.dst.AsSlice()...)
		b = append(b, p.options...)
		if p.fragment {
			b = append(b, p.proto, p.reserved)
			b = be.AppendUint16(b, uint16(p.offset)|p.flags|bit(p.more, 1))
			b = be.AppendUint32(b, p.id)
		}
	} else {
		b = be.AppendUint16(b, uint16(p.version))
		b = be.AppendUint16(b, p.length)
		b = be.AppendUint16(b, uint16(p.id))
		b = be.AppendUint16(b, uint16(p.offset/8)|p.flags|bit(p.more, 0x2000))
		b = append(b, p.hops, p.proto)
		b = be.AppendUint16(b, p.sum)
		b = append(b, p.src.AsSlice()...)
		b = append(b, p.dst.AsSlice()...)
		b = append(b, p.options...)
	}
	b = append(b, p.payload...)
	return append(b, p.trailer...)
}

func bit(on bool, v uint16) uint16 {
	if on {
		return v
	}
	return 0
}

// A udpDatagram is the payload of an IP packet.
type udpDatagram struct {
	srcPort, dstPort, length, sum uint16
	payload                       []byte
}

func decodeUDP(b []byte) (udpDatagram, error) {
	if len(b) < 8 {
		return udpDatagram{}, fmt.Errorf("UDP: %d bytes", len(b))
	}
	be := binary.BigEndian
	u := udpDatagram{be.Uint16(b), be.Uint16(b[2:]), be.Uint16(b[4:]), be.Uint16(b[6:]), b[8:]}
	if int(u.length) != len(b) {
		return u, fmt.Errorf("UDP: length %d in %d bytes", u.length, len(b))
	}
	return u, nil
}

func (u *udpDatagram) append(b []byte) []byte {
	for _, v := range []uint16{u.srcPort, u.dstPort, u.length, u.sum} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(b, u.payload...)
}

// An ipKey tells which fragments belong together.
type ipKey struct {
	src, dst netip.Addr
	proto    byte
	id       uint32
}

// maxFragmentAge is how long the first fragment waits for the others; the
// numbers that tell packets apart come round soon.
const maxFragmentAge = 30 * time.Second

// A reassembler joins IP fragments.
type reassembler map[ipKey]*ipParts

type ipParts struct {
	since time.Duration
	parts []ipPacket // by offset
}

// add takes a fragment and returns the whole payload with its fragments once the
// last of them is here.
func (r reassembler) add(now time.Duration, p ipPacket) (payload []byte, parts []ipPacket) {
	key := ipKey{p.src, p.dst, p.proto, p.id}
	open := r[key]
	if open == nil || now-open.since > maxFragmentAge {
		open = &ipParts{since: now}
		r[key] = open
	}
	i, found := slices.BinarySearchFunc(open.parts, p.offset, func(q ipPacket, offset int) int { return q.offset - offset })
	if found {
		open.parts[i] = p // recorded twice
	} else {
		open.parts = slices.Insert(open.parts, i, p)
	}
	for _, q := range open.parts {
		if q.offset != len(payload) {
			return nil, nil
		}
		payload = append(payload, q.payload...)
	}
	if open.parts[len(open.parts)-1].more {
		return nil, nil
	}
	delete(r, key)
	return payload, open.parts
}
