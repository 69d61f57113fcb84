package abi

import (
	"bytes"
	"fmt"
)

// The requests of libcmap by number (enum req_cmap_types). Answers have the
// same number, but for the last.
const (
	CmapSetID           int32 = 0
	CmapDeleteID        int32 = 1
	CmapGetID           int32 = 2
	CmapAdjustID        int32 = 3
	CmapIterInitID      int32 = 4
	CmapIterNextID      int32 = 5
	CmapIterFinalizeID  int32 = 6
	CmapTrackAddID      int32 = 7
	CmapTrackDeleteID   int32 = 8
	CmapSetCurrentMapID int32 = 9

	CmapSetCurrentMapRes int32 = 10
	CmapNotifyEventID    int32 = 9 // the one event
)

// The maps that a client can choose (enum cmap_map).
const (
	CmapMapDefault = 0
	CmapMapStats   = 1
)

// Sizes of requests and answers, without values.
const (
	CmapSetLen           = 296
	CmapDeleteLen        = 280
	CmapGetLen           = 288
	CmapAdjustLen        = 288
	CmapIterInitLen      = 280
	CmapHandleLen        = 24 // iter next, iter finalize, track delete
	CmapTrackAddLen      = 296
	CmapSetCurrentMapLen = 24

	cmapGetResponseLen      = 40
	cmapHandleResponseLen   = 32
	cmapIterNextResponseLen = 304
	cmapNotificationLen     = 336
)

// A key lies in 264 bytes: a length of 2 bytes, which the daemon looks at only
// to see whether it is 0, and at 8 a C string of at most 255 bytes (mar_name_t).
const (
	keyLen  = 264
	maxKey  = 255
	keyText = 8
)

// cutKey reads a key as the daemon does: what stands before the NUL. empty
// tells that the length is 0.
func cutKey(name string, b []byte) (key string, empty bool, err error) {
	end := bytes.IndexByte(b[keyText:keyLen], 0)
	if end < 0 {
		return "", false, fmt.Errorf("abi: %s: key without an end", name)
	}
	return string(b[keyText : keyText+end]), le.Uint16(b) == 0, nil
}

// putKey writes a key, cut to what fits, into 264 zeroed bytes.
func putKey(b []byte, key string) {
	le.PutUint16(b, uint16(copy(b[keyText:keyText+maxKey], key)))
}

// zeroed appends n zero bytes and returns them apart, too.
func zeroed(b []byte, n int) (all, part []byte) {
	all = append(b, make([]byte, n)...)
	return all, all[len(b):]
}

// A CmapSetRequest gives a key a value (struct req_lib_cmap_set, 296 bytes and
// the value).
type CmapSetRequest struct {
	Key   string
	Type  uint8
	Value []byte // aliases the input
}

// Decode reads the request; its value must lie in it, as the daemon of the
// reference does not check.
func (m *CmapSetRequest) Decode(b []byte) (n int, err error) {
	const name = "cmap set"
	if b, err = request(name, b, CmapSetID, CmapSetLen); err != nil {
		return 0, err
	}
	if m.Key, _, err = cutKey(name, b[16:]); err != nil {
		return 0, err
	}
	size := le.Uint64(b[280:])
	if size > uint64(len(b)-CmapSetLen) {
		return 0, fmt.Errorf("abi: %s: value of %d bytes in a request of %d", name, size, len(b))
	}
	m.Type, m.Value = b[288], b[CmapSetLen:CmapSetLen+int(size)]
	return len(b), nil
}

// Append appends the request.
func (m *CmapSetRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CmapSetLen)
	AppendRequest(p[:0], CmapSetID, CmapSetLen+len(m.Value))
	putKey(p[16:], m.Key)
	le.PutUint64(p[280:], uint64(len(m.Value)))
	p[288] = m.Type
	return append(b, m.Value...)
}

// A CmapKeyRequest names a key or a prefix: delete and iter init
// (struct req_lib_cmap_delete, req_lib_cmap_iter_init, 280 bytes).
type CmapKeyRequest struct {
	ID    int32 // CmapDeleteID or CmapIterInitID; Decode expects it to be set
	Key   string
	Empty bool // the key's length is 0, which for CmapIterInitID means every key
}

// Decode reads a request with the number that m.ID says.
func (m *CmapKeyRequest) Decode(b []byte) (n int, err error) {
	const name = "cmap key request"
	if b, err = request(name, b, m.ID, CmapDeleteLen); err != nil {
		return 0, err
	}
	if m.Key, m.Empty, err = cutKey(name, b[16:]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Append appends the request.
func (m *CmapKeyRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CmapDeleteLen)
	AppendRequest(p[:0], m.ID, CmapDeleteLen)
	putKey(p[16:], m.Key)
	return b
}

// A CmapGetRequest asks for a value (struct req_lib_cmap_get, 288 bytes).
type CmapGetRequest struct {
	Key  string
	Room uint64 // bytes that the client has for the value; 0 asks for type and length only
}

// Decode reads the request.
func (m *CmapGetRequest) Decode(b []byte) (n int, err error) {
	const name = "cmap get"
	if b, err = request(name, b, CmapGetID, CmapGetLen); err != nil {
		return 0, err
	}
	if m.Key, _, err = cutKey(name, b[16:]); err != nil {
		return 0, err
	}
	m.Room = le.Uint64(b[280:])
	return len(b), nil
}

// Append appends the request.
func (m *CmapGetRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CmapGetLen)
	AppendRequest(p[:0], CmapGetID, CmapGetLen)
	putKey(p[16:], m.Key)
	le.PutUint64(p[280:], m.Room)
	return b
}

// A CmapAdjustRequest moves an integer (struct req_lib_cmap_adjust_int, 288
// bytes).
type CmapAdjustRequest struct {
	Key  string
	Step int32
}

// Decode reads the request.
func (m *CmapAdjustRequest) Decode(b []byte) (n int, err error) {
	const name = "cmap adjust"
	if b, err = request(name, b, CmapAdjustID, CmapAdjustLen); err != nil {
		return 0, err
	}
	if m.Key, _, err = cutKey(name, b[16:]); err != nil {
		return 0, err
	}
	m.Step = int32(le.Uint32(b[280:]))
	return len(b), nil
}

// Append appends the request.
func (m *CmapAdjustRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CmapAdjustLen)
	AppendRequest(p[:0], CmapAdjustID, CmapAdjustLen)
	putKey(p[16:], m.Key)
	le.PutUint32(p[280:], uint32(m.Step))
	return b
}

// A CmapHandleRequest names an iterator or a tracker: iter next, iter finalize
// and track delete (struct req_lib_cmap_iter_next and others, 24 bytes).
type CmapHandleRequest struct {
	ID     int32 // Decode expects it to be set
	Handle uint64
}

// Decode reads a request with the number that m.ID says.
func (m *CmapHandleRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("cmap handle request", b, m.ID, CmapHandleLen); err != nil {
		return 0, err
	}
	m.Handle = le.Uint64(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *CmapHandleRequest) Append(b []byte) []byte {
	b = AppendRequest(b, m.ID, CmapHandleLen)
	return le.AppendUint64(b, m.Handle)
}

// A CmapTrackAddRequest wants to hear of changes (struct req_lib_cmap_track_add,
// 296 bytes).
type CmapTrackAddRequest struct {
	Key    string
	Empty  bool  // the key's length is 0, which means every key
	Events int32 // 1 deletions, 2 modifications, 4 additions, 8 of the keys below, too
	Handle uint64
}

// Decode reads the request.
func (m *CmapTrackAddRequest) Decode(b []byte) (n int, err error) {
	const name = "cmap track add"
	if b, err = request(name, b, CmapTrackAddID, CmapTrackAddLen); err != nil {
		return 0, err
	}
	if m.Key, m.Empty, err = cutKey(name, b[16:]); err != nil {
		return 0, err
	}
	m.Events, m.Handle = int32(le.Uint32(b[280:])), le.Uint64(b[288:])
	return len(b), nil
}

// Append appends the request.
func (m *CmapTrackAddRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CmapTrackAddLen)
	AppendRequest(p[:0], CmapTrackAddID, CmapTrackAddLen)
	putKey(p[16:], m.Key)
	le.PutUint32(p[280:], uint32(m.Events))
	le.PutUint64(p[288:], m.Handle)
	return b
}

// A CmapSetMapRequest chooses the connection's map
// (struct req_lib_cmap_set_current_map, 24 bytes).
type CmapSetMapRequest struct{ Map int32 }

// Decode reads the request.
func (m *CmapSetMapRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("cmap set current map", b, CmapSetCurrentMapID, CmapSetCurrentMapLen); err != nil {
		return 0, err
	}
	m.Map = int32(le.Uint32(b[16:]))
	return len(b), nil
}

// Append appends the request.
func (m *CmapSetMapRequest) Append(b []byte) []byte {
	b = AppendRequest(b, CmapSetCurrentMapID, CmapSetCurrentMapLen)
	return le.AppendUint64(b, uint64(uint32(m.Map)))
}
