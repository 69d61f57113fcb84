package exec

import (
	"fmt"
	"strconv"
)

// Sizes of a group name.
const (
	MaxGroupName = 128 // CPG_MAX_NAME_LENGTH
	GroupNameLen = 136 // on the wire, mar_cpg_name_t
)

// A GroupName names a process group: up to 128 bytes of any kind. Names are
// equal if length and bytes are, so values compare with ==. C clients commonly
// count a trailing NUL; nothing may trim it.
type GroupName struct {
	len   uint8
	value [MaxGroupName]byte // zero from len on
}

// NewGroupName makes a name of b's bytes; ok is false if there are too many.
func NewGroupName(b []byte) (g GroupName, ok bool) {
	if len(b) > MaxGroupName {
		return g, false
	}
	g.len = uint8(copy(g.value[:], b))
	return g, true
}

// Len is the number of bytes in the name.
func (g *GroupName) Len() int { return int(g.len) }

// Bytes returns the name's bytes, which belong to g.
func (g *GroupName) Bytes() []byte { return g.value[:g.len] }

// String returns the name as it is, whatever bytes that may be.
func (g GroupName) String() string { return string(g.value[:g.len]) }

// GoString quotes the name for test output.
func (g GroupName) GoString() string { return strconv.Quote(g.String()) }

// Equal is == for those who ask by method (go-cmp).
func (g GroupName) Equal(h GroupName) bool { return g == h }

// Compare orders names as the reference sorts the changes it tells clients of:
// by the bytes before the first NUL (exec/cpg.c: strcmp in
// joinlist_inform_clients). Names that differ only after it come in the order
// of all their bytes, then of length, so that every node agrees.
func (g *GroupName) Compare(h *GroupName) int {
	for i := range g.value {
		a, b := g.value[i], h.value[i]
		if a != b {
			return int(a) - int(b)
		}
	}
	return int(g.len) - int(h.len)
}

// Decode reads length, padding and 128 bytes, of which it takes length.
func (g *GroupName) Decode(b []byte) (n int, err error) {
	if len(b) < GroupNameLen {
		return 0, lengthError("group name", len(b), GroupNameLen)
	}
	size := le.Uint32(b)
	if size > MaxGroupName {
		return 0, fmt.Errorf("exec: group name: length %d, at most %d", size, MaxGroupName)
	}
	g.len = uint8(size)
	n = copy(g.value[:], b[8:8+size])
	clear(g.value[n:])
	return GroupNameLen, nil
}

// Append appends the 136 bytes, zero after the name.
func (g *GroupName) Append(b []byte) []byte {
	b = le.AppendUint32(b, uint32(g.len))
	b = le.AppendUint32(b, 0)
	return append(b, g.value[:]...)
}

// groupPad keeps what a sender had in a name's padding and behind its end.
type groupPad struct {
	pad  uint32
	tail [MaxGroupName]byte
}

// keep remembers the padding of the 136 bytes that begin b.
func (p *groupPad) keep(b []byte) {
	p.pad = le.Uint32(b[4:])
	copy(p.tail[:], b[8:GroupNameLen])
}

// append appends g with the padding kept.
func (p *groupPad) append(b []byte, g *GroupName) []byte {
	b = le.AppendUint32(b, uint32(g.len))
	b = le.AppendUint32(b, p.pad)
	b = append(b, g.value[:g.len]...)
	return append(b, p.tail[g.len:]...)
}
