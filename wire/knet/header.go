package knet

import (
	"encoding/binary"
	"fmt"
)

// A Type tells packets apart (kh_type).
type Type uint8

// The packet types of libknet 1.x. Every other value is dropped.
const (
	TypeData       Type = 0x00
	TypePing       Type = 0x81
	TypePong       Type = 0x82
	TypePMTUD      Type = 0x83
	TypePMTUDReply Type = 0x84
)

// String names the type as the reference does.
func (t Type) String() string {
	switch t {
	case TypeData:
		return "data"
	case TypePing:
		return "ping"
	case TypePong:
		return "pong"
	case TypePMTUD:
		return "pmtud"
	case TypePMTUDReply:
		return "pmtud reply"
	}
	return fmt.Sprintf("type %#02x", uint8(t))
}

// Control reports whether packets of this type are about a link, which byte 6
// names, rather than a message (KNET_HEADER_TYPE_PMSK).
func (t Type) Control() bool { return t&0x80 != 0 }

// Version is the only on-wire version of libknet 1.x; others are dropped.
const Version = 1

// Sizes of packets before the envelope. Path-MTU arithmetic reserves
// HeaderAllLen, the largest header, for each of them.
const (
	HeaderLen    = 6  // KNET_HEADER_SIZE
	DataLen      = 14 // KNET_HEADER_DATA_SIZE, followed by the fragment
	PingLen      = 26 // KNET_HEADER_PING_SIZE, the whole packet
	PMTUDLen     = 9  // KNET_HEADER_PMTUD_SIZE, followed by fill in a probe
	HeaderAllLen = 26 // KNET_HEADER_ALL_SIZE
	minPacketLen = 7  // anything shorter is dropped unseen
)

// MaxMessage is the longest message, and so the longest sum of fragments
// (KNET_MAX_PACKET_SIZE).
const MaxMessage = 65536

// MaxFragments is the most fragments that every release takes: those before
// 1.35 overrun a table with more.
const MaxFragments = 254

// A Header starts every packet: 6 bytes, big-endian.
type Header struct {
	Type Type
	Node uint16  // who sent this packet; a reply carries the replier
	pad  [2]byte // zero from 1.x, a version from 2.x; echoed in replies
}

// ParseHeader reads the header and what every receiver checks first: at least
// 7 bytes, and version 1 (_parse_recv_from_links). An unknown type is no error
// here; the packet's own Decode refuses it.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < minPacketLen {
		return Header{}, lengthError("packet", len(b), minPacketLen)
	}
	if b[0] != Version {
		return Header{}, fmt.Errorf("knet: packet: version %d, want %d", b[0], Version)
	}
	return Header{Type: Type(b[1]), Node: binary.BigEndian.Uint16(b[2:]), pad: [2]byte(b[4:6])}, nil
}

// append writes the header's six bytes.
func (h Header) append(b []byte) []byte {
	b = append(b, Version, byte(h.Type))
	b = binary.BigEndian.AppendUint16(b, h.Node)
	return append(b, h.pad[:]...)
}

// parseHeaderOf reads the header of a packet that must be one of two types and
// at least want bytes long.
func parseHeaderOf(what string, b []byte, want int, t, u Type) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, err
	}
	if h.Type != t && h.Type != u {
		return h, fmt.Errorf("knet: %s: packet is a %v", what, h.Type)
	}
	if len(b) < want {
		return h, lengthError(what, len(b), want)
	}
	return h, nil
}

func lengthError(what string, have, want int) error {
	return fmt.Errorf("knet: %s: %d bytes, want at least %d", what, have, want)
}
