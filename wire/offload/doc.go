// Package offload encodes what our daemons say to each other, most of it about offloaded
// messages, in a process group of their own, "cpgol", which the reference's
// daemons are not in and pass over (totempg.c:group_matches).
//
//	Announce  an endpoint: where a process takes payloads, and its public key
//	Suspend   an endpoint that does not answer
//	Present   a node of ours is in the ring
//	Order     places in the ring's order for messages whose bytes are held
//
// Every message begins with
//
//	magic 4 "cpgO" | version 1 | kind 1 | 0 2 | size 4, header included | 0 4
//
// Integers are little-endian. What has another magic, version or kind is not for
// this version: [Kind] says so, and whoever gets it lets it be. Decode checks
// lengths and counts against the bytes present; slices of a decoded message
// alias the input. Append writes zeros for padding, and Decode refuses others, so
// that what is accepted comes out as it went in.
package offload

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cpgol/wire/totem"
)

// Group is the process group that carries these messages.
const Group = "cpgol"

// Version is the only one there is.
const Version = 1

// HeaderLen is the length of every message's header.
const HeaderLen = 16

const magic = 0x4f677063 // "cpgO"

// A MessageKind tells messages apart.
type MessageKind uint8

// The kinds.
const (
	KindAnnounce MessageKind = 1
	KindSuspend  MessageKind = 2
	KindOrder    MessageKind = 3
	KindPresent  MessageKind = 4
)

// ErrUnknown says that a message is of a version or kind that is not known here.
var ErrUnknown = errors.New("offload: unknown version or kind")

var le = binary.LittleEndian

// A Member is a process of a group.
type Member struct {
	Node totem.NodeID
	PID  uint32
}

// A View names a stretch of the ring's order in which a group is offloaded. Epoch
// counts, since the ring formed, what added a process to the group or changed
// an endpoint. Views are comparable; the zero View is none.
type View struct {
	Ring  totem.RingID
	Epoch uint64
}

// Kind reads a message's header. It fails with ErrUnknown for what is to be passed
// over, and otherwise if the message is not whole.
func Kind(b []byte) (MessageKind, error) {
	if len(b) < HeaderLen {
		return 0, lengthError("message", len(b), HeaderLen)
	}
	if le.Uint32(b) != magic || b[4] != Version || b[5] < byte(KindAnnounce) || b[5] > byte(KindPresent) {
		return 0, ErrUnknown
	}
	if size := int(int32(le.Uint32(b[8:]))); size < HeaderLen || size > len(b) {
		return 0, lengthError("message", len(b), size)
	}
	if le.Uint16(b[6:]) != 0 || le.Uint32(b[12:]) != 0 {
		return 0, errPadding
	}
	return MessageKind(b[5]), nil
}

// cut checks the header of a message of a kind and returns it without what
// follows it.
func cut(b []byte, want MessageKind, name string, least int) ([]byte, error) {
	kind, err := Kind(b)
	switch {
	case err != nil:
		return nil, err
	case kind != want:
		return nil, fmt.Errorf("offload: %s: kind %d, want %d", name, kind, want)
	}
	if b = b[:le.Uint32(b[8:])]; len(b) < least {
		return nil, lengthError(name, len(b), least)
	}
	return b, nil
}

func appendHeader(b []byte, kind MessageKind, size int) []byte {
	b = le.AppendUint32(b, magic)
	b = append(b, Version, byte(kind), 0, 0)
	b = le.AppendUint32(b, uint32(size))
	return le.AppendUint32(b, 0)
}

var errPadding = errors.New("offload: padding is not zero")

// zero reports whether all bytes are.
func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func lengthError(name string, have, want int) error {
	return fmt.Errorf("offload: %s: %d bytes, want at least %d", name, have, want)
}
