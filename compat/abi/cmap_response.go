package abi

import "fmt"

// A CmapGetResponse answers a get (struct res_lib_cmap_get, 40 bytes and the
// room that the client asked for, or none in a failure).
type CmapGetResponse struct {
	Status Status
	Type   uint8
	Len    uint64 // of the value, also if Value is not all of it
	Value  []byte // the room: zero behind the value; Decode's aliases the input
}

// Decode reads the answer.
func (m *CmapGetResponse) Decode(b []byte) (n int, err error) {
	if b, m.Status, err = response("cmap get response", b, CmapGetID, cmapGetResponseLen); err != nil {
		return 0, err
	}
	m.Len, m.Type, m.Value = le.Uint64(b[24:]), b[32], b[cmapGetResponseLen:]
	return len(b), nil
}

// Append appends the answer.
func (m *CmapGetResponse) Append(b []byte) []byte {
	b = AppendResponse(b, CmapGetID, cmapGetResponseLen+len(m.Value), m.Status)
	b = le.AppendUint64(b, m.Len)
	b = le.AppendUint64(b, uint64(m.Type))
	return append(b, m.Value...)
}

// A CmapHandleResponse answers iter init, track add and track delete
// (struct res_lib_cmap_iter_init and others, 32 bytes).
type CmapHandleResponse struct {
	ID     int32 // Decode expects it to be set
	Status Status
	Handle uint64 // track delete: the client's own, which it will free
}

// Decode reads an answer with the number that m.ID says.
func (m *CmapHandleResponse) Decode(b []byte) (n int, err error) {
	if b, m.Status, err = response("cmap handle response", b, m.ID, cmapHandleResponseLen); err != nil {
		return 0, err
	}
	m.Handle = le.Uint64(b[24:])
	return len(b), nil
}

// Append appends the answer.
func (m *CmapHandleResponse) Append(b []byte) []byte {
	b = AppendResponse(b, m.ID, cmapHandleResponseLen, m.Status)
	return le.AppendUint64(b, m.Handle)
}

// A CmapIterNextResponse tells the next key (struct res_lib_cmap_iter_next, 304
// bytes). Clients use the key's length, not its NUL.
type CmapIterNextResponse struct {
	Status Status
	Key    string
	Len    uint64 // of the value
	Type   uint8
}

// Decode reads the answer.
func (m *CmapIterNextResponse) Decode(b []byte) (n int, err error) {
	const name = "cmap iter next response"
	if b, m.Status, err = response(name, b, CmapIterNextID, cmapIterNextResponseLen); err != nil {
		return 0, err
	}
	size := int(le.Uint16(b[24:]))
	if size > maxKey {
		return 0, fmt.Errorf("abi: %s: key of %d bytes", name, size)
	}
	m.Key = string(b[32 : 32+size])
	m.Len, m.Type = le.Uint64(b[288:]), b[296]
	return len(b), nil
}

// Append appends the answer.
func (m *CmapIterNextResponse) Append(b []byte) []byte {
	b, p := zeroed(b, cmapIterNextResponseLen)
	AppendResponse(p[:0], CmapIterNextID, cmapIterNextResponseLen, m.Status)
	putKey(p[24:], m.Key)
	le.PutUint64(p[288:], m.Len)
	p[296] = m.Type
	return b
}

// A CmapNotify tells a change (struct res_lib_cmap_notify_callback, 336 bytes,
// then the new value, then the old).
type CmapNotify struct {
	Handle           uint64 // the client's own, from its CmapTrackAddRequest
	Key              string
	Event            int32
	NewType, OldType uint8
	New, Old         []byte // Decode's alias the input
}

// Decode reads the event.
func (m *CmapNotify) Decode(b []byte) (n int, err error) {
	const name = "cmap notification"
	if b, _, err = response(name, b, CmapNotifyEventID, cmapNotificationLen); err != nil {
		return 0, err
	}
	keySize := int(le.Uint16(b[32:]))
	newSize, oldSize := le.Uint64(b[320:]), le.Uint64(b[328:])
	rest := b[cmapNotificationLen:]
	if keySize > maxKey || newSize > uint64(len(rest)) || oldSize != uint64(len(rest))-newSize {
		return 0, fmt.Errorf("abi: %s: key of %d, values of %d and %d bytes in %d",
			name, keySize, newSize, oldSize, len(b))
	}
	m.Handle, m.Key = le.Uint64(b[24:]), string(b[40:40+keySize])
	m.Event, m.NewType, m.OldType = int32(le.Uint32(b[296:])), b[304], b[312]
	m.New, m.Old = rest[:newSize:newSize], rest[newSize:]
	return len(b), nil
}

// Append appends the event.
func (m *CmapNotify) Append(b []byte) []byte {
	b, p := zeroed(b, cmapNotificationLen)
	AppendResponse(p[:0], CmapNotifyEventID, cmapNotificationLen+len(m.New)+len(m.Old), OK)
	le.PutUint64(p[24:], m.Handle)
	putKey(p[32:], m.Key)
	le.PutUint32(p[296:], uint32(m.Event))
	p[304], p[312] = m.NewType, m.OldType
	le.PutUint64(p[320:], uint64(len(m.New)))
	le.PutUint64(p[328:], uint64(len(m.Old)))
	return append(append(b, m.New...), m.Old...)
}
