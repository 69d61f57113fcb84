// Package abi encodes what client libraries and the daemon say to each other:
// requests, responses and events of libcpg, libcmap, libcfg, libquorum and
// libvotequorum, as they lie in the shared memory.
//
//	request          id 4 | pad 4 | size 4 | pad 4 | body
//	response, event  id 4 | pad 4 | size 4 | pad 4 | status 4 | pad 4 | body
//
// Integers are the host's, which means little-endian here. C aligns nearly
// every field to 8 bytes and leaves the holes as its stack had them: Decode
// never looks at them, Append writes zeros. Decode checks every length and
// count against the bytes present, which the C daemon does not. Slices of a
// decoded message alias the input.
//
// Reference: ipc.md sections 4, 5 and appendix A; include/corosync/ipc_*.h,
// libqb include/qb/qbipc_common.h.
package abi

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the two headers.
const (
	RequestLen  = 16 // struct qb_ipc_request_header
	ResponseLen = 24 // struct qb_ipc_response_header; events have it too
)

var le = binary.LittleEndian

// CutRequest reads a request's header and checks that the message is whole:
// b[:size] may be read. An id is any number, negative too.
func CutRequest(b []byte) (id int32, size int, err error) {
	if len(b) < RequestLen {
		return 0, 0, lengthError("request", len(b), RequestLen)
	}
	id, size = int32(le.Uint32(b)), int(int32(le.Uint32(b[8:])))
	if size < RequestLen || size > len(b) {
		return 0, 0, fmt.Errorf("abi: request %d: size %d in %d bytes", id, size, len(b))
	}
	return id, size, nil
}

// AppendRequest appends a request's header; size counts the whole message.
func AppendRequest(b []byte, id int32, size int) []byte {
	b = le.AppendUint64(b, uint64(uint32(id)))
	return le.AppendUint64(b, uint64(uint32(size)))
}

// CutResponse reads the header of a response or an event and checks that the
// message is whole: b[:size] may be read. Events leave the status undefined.
func CutResponse(b []byte) (id int32, size int, st Status, err error) {
	if len(b) < ResponseLen {
		return 0, 0, 0, lengthError("response", len(b), ResponseLen)
	}
	id, size = int32(le.Uint32(b)), int(int32(le.Uint32(b[8:])))
	if size < ResponseLen || size > len(b) {
		return 0, 0, 0, fmt.Errorf("abi: response %d: size %d in %d bytes", id, size, len(b))
	}
	return id, size, Status(le.Uint32(b[16:])), nil
}

// AppendResponse appends the header of a response or an event; size counts the
// whole message.
func AppendResponse(b []byte, id int32, size int, st Status) []byte {
	b = le.AppendUint64(b, uint64(uint32(id)))
	b = le.AppendUint64(b, uint64(uint32(size)))
	return le.AppendUint64(b, uint64(uint32(st)))
}

// AppendStatus appends a whole response that has no body.
func AppendStatus(b []byte, id int32, st Status) []byte {
	return AppendResponse(b, id, ResponseLen, st)
}

// request checks that b is a whole request called name, with this id and at
// least least bytes, and returns it without what follows it.
func request(name string, b []byte, id int32, least int) ([]byte, error) {
	have, size, err := CutRequest(b)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, name)
	}
	if have != id {
		return nil, fmt.Errorf("abi: %s: id %d, want %d", name, have, id)
	}
	if size < least {
		return nil, lengthError(name, size, least)
	}
	return b[:size], nil
}

// response is request for responses and events; it returns the status too.
func response(name string, b []byte, id int32, least int) ([]byte, Status, error) {
	have, size, st, err := CutResponse(b)
	if err != nil {
		return nil, 0, fmt.Errorf("%w (%s)", err, name)
	}
	if have != id {
		return nil, 0, fmt.Errorf("abi: %s: id %d, want %d", name, have, id)
	}
	if size < least {
		return nil, 0, lengthError(name, size, least)
	}
	return b[:size], st, nil
}

func lengthError(name string, have, want int) error {
	return fmt.Errorf("abi: %s: %d bytes, want at least %d", name, have, want)
}
