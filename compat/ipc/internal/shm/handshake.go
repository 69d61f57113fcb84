package shm

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Sizes of the handshake's messages (libqb lib/ipc_int.h: struct
// qb_ipc_connection_request, struct qb_ipc_connection_response).
const (
	RequestLen  = 24
	ResponseLen = 12328
)

// idAuthenticate is the id of both messages (QB_IPC_MSG_AUTHENTICATE).
const idAuthenticate = -1

// A Transport is how a connection's messages travel (qbipc_common.h: enum
// qb_ipc_type).
type Transport uint32

// The transports that clients know on Linux.
const (
	TypeSocket Transport = 0
	TypeSHM    Transport = 1
)

// A ConnectRequest is what a client says first:
//
//	0 id int32 = -1 | 8 size int32 = 24 | 16 max_msg_size uint32
//
// each followed by four bytes of garbage.
type ConnectRequest struct {
	MaxMessage uint32
}

// Decode reads exactly RequestLen bytes. The size field is not checked, as in
// the reference (process_auth).
func (r *ConnectRequest) Decode(b []byte) (n int, err error) {
	if len(b) < RequestLen {
		return 0, fmt.Errorf("connection request: %d bytes, want %d", len(b), RequestLen)
	}
	if id := int32(binary.NativeEndian.Uint32(b)); id != idAuthenticate {
		return 0, fmt.Errorf("connection request: id %d, want %d", id, idAuthenticate)
	}
	r.MaxMessage = binary.NativeEndian.Uint32(b[16:])
	return RequestLen, nil
}

// Append adds the message to b.
func (r *ConnectRequest) Append(b []byte) []byte {
	var m [RequestLen]byte
	putHeader(m[:], RequestLen)
	binary.NativeEndian.PutUint32(m[16:], r.MaxMessage)
	return append(b, m[:]...)
}

// A ConnectResponse is the server's answer, always of the same size:
//
//	0    id int32 = -1   8 size int32 = 12328   16 error int32 (negative errno)
//	24   connection_type int32 = 1   28 max_msg_size uint32
//	32   connection, 8 bytes that mean nothing to the client
//	40   request, 4136 response, 8232 event: base paths of the rings, C strings
//
// With sockets the type is 0, request the path of the control file, response
// the base of the sockets' names, and event empty.
type ConnectResponse struct {
	Errno                    int32 // positive; 0 = connected
	Transport                Transport
	MaxMessage               uint32
	Connection               uint64
	Request, Response, Event string
}

// Offsets of the three paths.
const (
	requestPathAt  = 40
	responsePathAt = 4136
	eventPathAt    = 8232
)

// Decode reads exactly ResponseLen bytes. Of a refusal it reads the error alone:
// servers before libqb 1.9 left the rest as it was in memory.
func (r *ConnectResponse) Decode(b []byte) (n int, err error) {
	if len(b) < ResponseLen {
		return 0, fmt.Errorf("connection response: %d bytes, want %d", len(b), ResponseLen)
	}
	*r = ConnectResponse{Errno: -int32(binary.NativeEndian.Uint32(b[16:]))}
	if r.Errno != 0 {
		return ResponseLen, nil
	}
	r.Transport = Transport(binary.NativeEndian.Uint32(b[24:]))
	if r.Transport != TypeSHM && r.Transport != TypeSocket {
		return 0, fmt.Errorf("connection response: transport %d, want %d or %d", r.Transport, TypeSocket, TypeSHM)
	}
	r.MaxMessage = binary.NativeEndian.Uint32(b[28:])
	r.Connection = binary.NativeEndian.Uint64(b[32:])
	r.Request = cString(b[requestPathAt:][:pathLen])
	r.Response = cString(b[responsePathAt:][:pathLen])
	r.Event = cString(b[eventPathAt:][:pathLen])
	return ResponseLen, nil
}

// Append adds the message to b. Paths are at most 254 bytes, as in the
// reference, which is the caller's to see to.
func (r *ConnectResponse) Append(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, ResponseLen)...)
	m := b[start:]
	putHeader(m, ResponseLen)
	binary.NativeEndian.PutUint32(m[16:], uint32(-r.Errno))
	if r.Errno != 0 {
		return b
	}
	binary.NativeEndian.PutUint32(m[24:], uint32(r.Transport))
	binary.NativeEndian.PutUint32(m[28:], r.MaxMessage)
	binary.NativeEndian.PutUint64(m[32:], r.Connection)
	copy(m[requestPathAt:][:pathLen-1], r.Request)
	copy(m[responsePathAt:][:pathLen-1], r.Response)
	copy(m[eventPathAt:][:pathLen-1], r.Event)
	return b
}

func putHeader(m []byte, size int) {
	id := int32(idAuthenticate)
	binary.NativeEndian.PutUint32(m, uint32(id))
	binary.NativeEndian.PutUint32(m[8:], uint32(size))
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// AbstractName is a service's name in the abstract namespace: a NUL (written
// "@"), the name, and NULs up to the whole of sun_path, because every byte
// counts there (qb_ipcs_us_publish).
func AbstractName(service string) (string, error) {
	const sunPathLen = 108
	if service == "" || len(service) > sunPathLen-2 {
		return "", fmt.Errorf("service name of %d bytes, want 1 to %d", len(service), sunPathLen-2)
	}
	name := make([]byte, sunPathLen)
	copy(name, "@"+service)
	return string(name), nil
}
