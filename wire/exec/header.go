// Package exec encodes what the services of the nodes say to each other: the
// payloads of the process groups "sync" and "a" (see package pg for the prefix
// that names the group).
//
//	id 4 | pad 4 | size 4 | pad 4 | body
//
// Integers are little-endian: the reference's converters are broken or absent
// for most of these messages, so rings of mixed byte order cannot work at all.
// Fields are 8-aligned by C, and the holes hold whatever the sender's stack
// held. Decode keeps them and Append writes them again, so that a recorded
// message comes out as it went in; in a message made here they are zero.
//
// Decode is strict on identifiers, lengths and counts: a message must be as
// long as its kind and its counts say, where the reference looks at neither.
// Slices of a decoded message alias the input.
//
// Reference: services.md sections 1 to 7; exec/main.c (deliver_fn), exec/sync.c,
// include/corosync/mar_gen.h, libqb include/qb/qbipc_common.h.
//
// To add a message: one file with its layout, Decode and Append, one row in the
// table of codecs_test.go, which all the properties are checked over.
package exec

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the two headers.
const (
	HeaderLen         = 16 // struct qb_ipc_request_header
	ResponseHeaderLen = 24 // struct qb_ipc_response_header
)

var le = binary.LittleEndian

// A Header starts every message but JoinList
// (struct qb_ipc_request_header, 16 bytes).
type Header struct {
	ID   int32 // MakeID(service, function); in group "sync" a bare number
	Size int32 // of the whole message, header included
	pad  [2]uint32
}

// Decode reads a header. It does not look at what Size says; it fails only if
// b is shorter than a header.
func (h *Header) Decode(b []byte) (n int, err error) {
	if len(b) < HeaderLen {
		return 0, lengthError("header", len(b), HeaderLen)
	}
	h.ID = int32(le.Uint32(b))
	h.pad[0] = le.Uint32(b[4:])
	h.Size = int32(le.Uint32(b[8:]))
	h.pad[1] = le.Uint32(b[12:])
	return HeaderLen, nil
}

// Append appends the header's 16 bytes.
func (h *Header) Append(b []byte) []byte {
	b = le.AppendUint32(b, uint32(h.ID))
	b = le.AppendUint32(b, h.pad[0])
	b = le.AppendUint32(b, uint32(h.Size))
	return le.AppendUint32(b, h.pad[1])
}

// read decodes the header of the message called name and checks that it has
// this id, at least least bytes, and that all of them are in b. Afterwards
// b[:h.Size] may be read.
func (h *Header) read(name string, b []byte, id int32, least int) error {
	if len(b) < HeaderLen {
		return lengthError(name, len(b), HeaderLen)
	}
	h.Decode(b)
	if h.ID != id {
		return fmt.Errorf("exec: %s: id %#x, want %#x", name, uint32(h.ID), uint32(id))
	}
	if int(h.Size) < least {
		return lengthError(name, int(h.Size), least)
	}
	if int(h.Size) > len(b) {
		return lengthError(name, len(b), int(h.Size))
	}
	return nil
}

// readExact is read for a message that has one size only.
func (h *Header) readExact(name string, b []byte, id int32, size int) error {
	if err := h.read(name, b, id, size); err != nil {
		return err
	}
	return h.mustBe(name, size)
}

// mustBe checks that the header's size is the one that the body's counts add
// up to.
func (h *Header) mustBe(name string, size int) error {
	if int(h.Size) != size {
		return fmt.Errorf("exec: %s: header says %d bytes, body makes %d", name, h.Size, size)
	}
	return nil
}

// appendAs appends the header with this id and size and the padding as decoded.
func (h *Header) appendAs(b []byte, id int32, size int) []byte {
	out := Header{ID: id, Size: int32(size), pad: h.pad}
	return out.Append(b)
}

// A ResponseHeader starts a JoinList and nothing else between nodes
// (struct qb_ipc_response_header, 24 bytes).
type ResponseHeader struct {
	Header
	Error  int32 // 0 on the wire
	errPad uint32
}

// Decode reads a response header; it fails only if b is too short.
func (h *ResponseHeader) Decode(b []byte) (n int, err error) {
	if len(b) < ResponseHeaderLen {
		return 0, lengthError("response header", len(b), ResponseHeaderLen)
	}
	h.Header.Decode(b)
	h.Error = int32(le.Uint32(b[16:]))
	h.errPad = le.Uint32(b[20:])
	return ResponseHeaderLen, nil
}

// Append appends the header's 24 bytes.
func (h *ResponseHeader) Append(b []byte) []byte {
	b = h.Header.Append(b)
	b = le.AppendUint32(b, uint32(h.Error))
	return le.AppendUint32(b, h.errPad)
}

// MakeID joins a service's number and a function's (SERVICE_ID_MAKE).
func MakeID(service, function int) int32 { return int32(service<<16 | function) }

// SplitID takes a message id of group "a" apart. Both parts can be anything up
// to 65535; the caller checks them against what it has.
func SplitID(id int32) (service, function int) {
	return int(uint32(id) >> 16), int(uint32(id) & 0xffff)
}

func lengthError(name string, have, want int) error {
	return fmt.Errorf("exec: %s: %d bytes, want at least %d", name, have, want)
}
