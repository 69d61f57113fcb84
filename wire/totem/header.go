package totem

import (
	"encoding/binary"
	"fmt"
)

// A Type tells the six messages apart (exec/totemsrp.c: enum message_type).
type Type uint8

// The message types. Token and commit token travel from member to member; the
// others go to everybody.
const (
	TypeToken       Type = 0
	TypeMcast       Type = 1
	TypeMergeDetect Type = 2
	TypeJoin        Type = 3
	TypeCommitToken Type = 4
	TypeHoldCancel  Type = 5
	numTypes             = 6
)

var typeNames = [numTypes]string{"token", "mcast", "merge detect", "join", "commit token", "hold cancel"}

// String gives the type's name.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Values of [Header.Encapsulated] in an Mcast. All other messages carry zero
// and nobody looks.
const (
	Encapsulated    uint8 = 1 // carries a whole old-ring Mcast, in recovery
	NotEncapsulated uint8 = 2 // an ordinary message
)

const (
	magic   = 0xC070
	version = 3

	magicSwapped = 0x70C0

	// HeaderLen is the length of the header that starts every message.
	HeaderLen = 13

	nodeAt   = 5
	targetAt = 9
)

// Limits of the reference that bound what is accepted.
const (
	// MaxNodes is the largest membership (PROCESSOR_COUNT_MAX).
	MaxNodes = 384
	// MaxRetransmits is the most entries in a token (RETRANSMIT_ENTRIES_MAX).
	MaxRetransmits = 30
	// MaxFrame is the longest Mcast (FRAME_SIZE_MAX); the reference dies of a
	// longer one.
	MaxFrame = 65536
	// MaxToken is the longest datagram accepted as a token; the reference
	// copies tokens into a buffer of this size.
	MaxToken = 1500
)

// A Header starts every message (struct totem_message_header).
type Header struct {
	// BigEndian is the byte order of the node that sent the message. The zero
	// value is little-endian, which is what this project sends.
	BigEndian    bool
	Type         Type
	Encapsulated uint8
	// Node is who sent the message last: the forwarder of a token, the
	// originator of an Mcast (kept when it is sent again). Zero marks a leave.
	Node NodeID
	// Target is zero for everybody, else the destination. Only knet fills it
	// in; over udp it is undefined and must be ignored.
	Target NodeID
}

// ParseHeader reads the header that starts packet. It refuses what the
// reference refuses, in its order: short packets, other magics, other versions,
// unknown types (check_message_header_validity).
func ParseHeader(packet []byte) (Header, error) {
	if len(packet) < HeaderLen {
		return Header{}, shortError("header", len(packet), HeaderLen)
	}
	m := binary.LittleEndian.Uint16(packet)
	if m != magic && m != magicSwapped {
		return Header{}, &Error{Message: "header", Field: "magic", Cause: CauseMagic, Got: int64(m), Limit: magic}
	}
	if packet[2] != version {
		return Header{}, &Error{Message: "header", Field: "version", Cause: CauseVersion, Got: int64(packet[2]), Limit: version}
	}
	if packet[3] >= numTypes {
		return Header{}, &Error{Message: "header", Field: "type", Cause: CauseType, Got: int64(packet[3]), Limit: numTypes - 1}
	}
	bigEndian := m == magicSwapped
	return Header{
		BigEndian:    bigEndian,
		Type:         Type(packet[3]),
		Encapsulated: packet[4],
		Node:         NodeID(load32(packet[nodeAt:], bigEndian)),
		Target:       NodeID(load32(packet[targetAt:], bigEndian)),
	}, nil
}

// parse reads the header of a message that must be of type t and at least need
// bytes long.
func (h *Header) parse(b []byte, t Type, need int) error {
	got, err := ParseHeader(b)
	if err != nil {
		return err
	}
	if got.Type != t {
		return &Error{Message: t.String(), Field: "type", Cause: CauseType, Got: int64(got.Type), Limit: int64(t)}
	}
	if len(b) < need {
		return shortError(t.String(), len(b), need)
	}
	*h = got
	return nil
}

// append writes the header with type t, whatever h.Type says, so that a message
// value needs no setting up.
func (h *Header) append(b []byte, t Type) []byte {
	b = append16(b, magic, h.BigEndian)
	b = append(b, version, byte(t), h.Encapsulated)
	b = append32(b, uint32(h.Node), h.BigEndian)
	return append32(b, uint32(h.Target), h.BigEndian)
}

// SetTarget writes the destination into an encoded packet, in the packet's own
// byte order; zero means everybody. The knet transport needs it exact
// (exec/totemknet.c: ucast_sendmsg). A packet too short for a header is left
// as it is.
func SetTarget(packet []byte, n NodeID) {
	if len(packet) < HeaderLen {
		return
	}
	if binary.LittleEndian.Uint16(packet) == magicSwapped {
		binary.BigEndian.PutUint32(packet[targetAt:], uint32(n))
		return
	}
	binary.LittleEndian.PutUint32(packet[targetAt:], uint32(n))
}

// Target reads the destination for knet's filter: always little-endian, as the
// reference's filter on a little-endian host reads it, whatever the magic says
// (exec/totemknet.c: dst_host_filter_callback_fn). It reports false for a
// packet too short for a header.
func Target(packet []byte) (NodeID, bool) {
	if len(packet) < HeaderLen {
		return 0, false
	}
	return NodeID(binary.LittleEndian.Uint32(packet[targetAt:])), true
}
