package exec

import (
	"bytes"
	"fmt"
)

// The function numbers of service 0, CMAP (enum cmap_message_req_types).
const (
	cmapService = 0

	CmapMcast = 0
)

// Why a CmapItems was sent (enum cmap_mcast_reason). Receivers ignore others.
const (
	CmapSync       = 0 // once in every synchronisation
	CmapNewVersion = 1 // totem.config_version changed
)

// CmapVersionKey is the key that both reasons carry, alone.
const CmapVersionKey = "totem.config_version"

const (
	cmapItemsLen   = 48    // without items
	cmapItemLen    = 280   // without value
	cmapMaxKey     = 255   // and a NUL
	cmapMaxValue   = 16384 // ICMAP_MAX_VALUE_LEN
	cmapTypeU64    = 8
	cmapTypeDouble = 10
)

// A CmapItems carries values of the sender's map (struct req_exec_cmap_mcast:
// 48 bytes, then the items, each beginning at a multiple of 8).
//
//	header 16 | reason 1 | pad 7 | count 1 | pad 7 | reserved 1 | pad 7 | reserved 1 | pad 7
type CmapItems struct {
	Reason uint8
	Items  []CmapItem // at most 255; senders of the reference put in one

	head Header
	rest [32]byte // behind the header; reason and count are overwritten
}

// A CmapItem is a key with its value (struct req_exec_cmap_mcast_item: 280
// bytes and the value, filled up to a multiple of 8).
//
//	key length 2 | pad 6 | key 256 | type 1 | pad 7 | value length 8 | value
type CmapItem struct {
	Key   []byte // at most 255 bytes, aliases the input
	Type  uint8  // icmap_value_types_t; 0: the sender has no such key
	Value []byte // aliases the input

	fixed []byte // the 280 bytes as they came, or nil
	tail  []byte // the filling as it came
}

// Decode reads a CmapItems whose header's size is what the items add up to.
//
// The reference checks nothing here and copies a config_version of any length
// into 8 bytes of its stack. Here a number must have the length of its type, an
// absent key none, and a key must end in a NUL within its 256 bytes.
func (m *CmapItems) Decode(b []byte) (n int, err error) {
	const name = "cmap items"
	if err := m.head.read(name, b, MakeID(cmapService, CmapMcast), cmapItemsLen); err != nil {
		return 0, err
	}
	b = b[:m.head.Size]
	copy(m.rest[:], b[HeaderLen:])
	m.Reason = b[16]
	count := int(b[24])
	m.Items = m.Items[:0]
	n = cmapItemsLen
	for range count {
		var item CmapItem
		size, err := item.decode(b[n:])
		if err != nil {
			return 0, err
		}
		m.Items = append(m.Items, item)
		n += size
	}
	return n, m.head.mustBe(name, n)
}

func (m *CmapItem) decode(b []byte) (n int, err error) {
	const name = "cmap item"
	if len(b) < cmapItemLen {
		return 0, lengthError(name, len(b), cmapItemLen)
	}
	keyLen := int(le.Uint16(b))
	if keyLen > cmapMaxKey || b[8+keyLen] != 0 {
		return 0, fmt.Errorf("exec: %s: key of %d bytes without an end", name, keyLen)
	}
	valueLen := le.Uint64(b[272:])
	if !cmapLengthFits(b[264], valueLen) {
		return 0, fmt.Errorf("exec: %s: %d bytes for a value of type %d", name, valueLen, b[264])
	}
	size := int(valueLen) // at most cmapMaxValue
	n = cmapItemLen + (size+7)/8*8
	if len(b) < n {
		return 0, lengthError(name, len(b), n)
	}
	m.Key, m.Type = b[8:8+keyLen:8+keyLen], b[264]
	m.Value = b[cmapItemLen : cmapItemLen+size : cmapItemLen+size]
	m.fixed, m.tail = b[:cmapItemLen:cmapItemLen], b[cmapItemLen+size:n:n]
	return n, nil
}

// cmapLengthFits reports whether a value of type t can have n bytes. Types that
// nobody knows may have any number, as receivers skip them.
func cmapLengthFits(t uint8, n uint64) bool {
	if t > cmapTypeDouble {
		return n <= cmapMaxValue
	}
	// none, i8, u8, i16, u16, i32, u32, i64, u64, float, double
	return n == uint64([...]byte{0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8}[t])
}

// Append appends the message.
func (m *CmapItems) Append(b []byte) []byte {
	start := len(b)
	b = m.head.appendAs(b, MakeID(cmapService, CmapMcast), 0)
	b = append(b, m.rest[:]...)
	b[start+16], b[start+24] = m.Reason, uint8(len(m.Items))
	for i := range m.Items {
		b = m.Items[i].append(b)
	}
	le.PutUint32(b[start+8:], uint32(len(b)-start))
	return b
}

func (m *CmapItem) append(b []byte) []byte {
	start := len(b)
	if m.fixed != nil {
		b = append(b, m.fixed...)
	} else {
		b = append(b, make([]byte, cmapItemLen)...)
	}
	item := b[start:]
	le.PutUint16(item, uint16(len(m.Key)))
	item[8+copy(item[8:8+cmapMaxKey], m.Key)] = 0
	item[264] = m.Type
	le.PutUint64(item[272:], uint64(len(m.Value)))
	b = append(b, m.Value...)
	if fill := -len(m.Value) & 7; fill == len(m.tail) {
		return append(b, m.tail...)
	} else {
		return append(b, make([]byte, fill)...)
	}
}

// NewCmapVersion makes the message that tells the sender's configuration
// version; without one, ok is false.
func NewCmapVersion(reason uint8, version uint64, ok bool) *CmapItems {
	item := CmapItem{Key: []byte(CmapVersionKey)}
	if ok {
		item.Type, item.Value = cmapTypeU64, le.AppendUint64(nil, version)
	}
	return &CmapItems{Reason: reason, Items: []CmapItem{item}}
}

// Version returns the configuration version that the message tells; 0 if it
// has another type or is absent, which receivers do not tell apart
// (message_handler_req_exec_cmap_mcast_reason_sync_nv).
func (m *CmapItems) Version() uint64 {
	for i := range m.Items {
		if item := &m.Items[i]; bytes.Equal(item.Key, []byte(CmapVersionKey)) {
			if item.Type == cmapTypeU64 {
				return le.Uint64(item.Value)
			}
			return 0
		}
	}
	return 0
}
