package offload

import (
	"fmt"
	"iter"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// An Order asks for places in the ring's order, for messages of processes of the
// sending node. All are for views of one ring.
//
//	header 16 | ring node 4 | entries 4 | ring seq 8 | entries
type Order struct {
	Ring    totem.RingID
	entries []byte
	count   int
}

const orderLen = HeaderLen + 16

// An Entry is Count messages of a process, from number First on, which every other
// member of the view holds.
//
//	pid 4 | count 4 | epoch 8 | first 8 | name 2 | 0 6 | group's name, to a multiple of 8
type Entry struct {
	Group exec.GroupName
	PID   uint32
	Count uint32
	Epoch uint64
	First uint64
}

const entryLen = 32

// MaxCount is how many messages one entry may have.
const MaxCount = 1 << 16

// Decode reads the message and checks all its entries.
func (m *Order) Decode(b []byte) (n int, err error) {
	if b, err = cut(b, KindOrder, "order", orderLen); err != nil {
		return 0, err
	}
	m.Ring = totem.RingID{Rep: totem.NodeID(le.Uint32(b[HeaderLen:])), Seq: le.Uint64(b[HeaderLen+8:])}
	m.count = int(le.Uint32(b[HeaderLen+4:]))
	m.entries = b[orderLen:]
	rest := m.entries
	var e Entry
	for i := range m.count {
		n, err := e.decode(rest)
		if err != nil {
			return 0, fmt.Errorf("offload: order: entry %d of %d: %w", i, m.count, err)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return 0, fmt.Errorf("offload: order: %d bytes behind %d entries", len(rest), m.count)
	}
	return len(b), nil
}

// All yields the entries of a decoded message. The entry is good until the next.
func (m *Order) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		var e Entry
		rest := m.entries
		for range m.count {
			n, err := e.decode(rest)
			if err != nil || !yield(&e) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Begin appends the beginning of an Order for messages of views of a ring. Then
// entries follow, and at last End.
func Begin(b []byte, ring totem.RingID) []byte {
	b = appendHeader(b, KindOrder, 0)
	b = le.AppendUint32(b, uint32(ring.Rep))
	b = le.AppendUint32(b, 0)
	return le.AppendUint64(b, ring.Seq)
}

// End completes an Order that Begin began at b[0] and that has count entries.
func End(b []byte, count int) {
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[HeaderLen+4:], uint32(count))
}

// Append appends the message as it was decoded.
func (m *Order) Append(b []byte) []byte {
	at := len(b)
	b = append(Begin(b, m.Ring), m.entries...)
	End(b[at:], m.count)
	return b
}

func (e *Entry) decode(b []byte) (n int, err error) {
	if len(b) < entryLen {
		return 0, lengthError("entry", len(b), entryLen)
	}
	e.PID, e.Count = le.Uint32(b), le.Uint32(b[4:])
	e.Epoch, e.First = le.Uint64(b[8:]), le.Uint64(b[16:])
	name := int(le.Uint16(b[24:]))
	if e.Count == 0 || e.Count > MaxCount || e.First == 0 || e.First+uint64(e.Count) < e.First {
		return 0, fmt.Errorf("%d messages from number %d on", e.Count, e.First)
	}
	if name > exec.MaxGroupName {
		return 0, fmt.Errorf("name of %d bytes", name)
	}
	n = entryLen + pad8(name)
	if len(b) < n {
		return 0, lengthError("entry", len(b), n)
	}
	text := b[entryLen:n]
	e.Group, _ = exec.NewGroupName(text[:name])
	if !zero(b[26:entryLen]) || !zero(text[name:]) {
		return 0, errPadding
	}
	return n, nil
}

// Append appends the entry.
func (e *Entry) Append(b []byte) []byte {
	b = le.AppendUint32(b, e.PID)
	b = le.AppendUint32(b, e.Count)
	b = le.AppendUint64(b, e.Epoch)
	b = le.AppendUint64(b, e.First)
	b = le.AppendUint64(b, uint64(e.Group.Len()))
	b = append(b, e.Group.Bytes()...)
	return append(b, make([]byte, pad8(e.Group.Len())-e.Group.Len())...)
}

// Len is how many bytes Append adds.
func (e *Entry) Len() int { return entryLen + pad8(e.Group.Len()) }

func pad8(n int) int { return (n + 7) &^ 7 }
