package exec

import "fmt"

// PartialMcastLen is the size of a PartialMcast without its data.
const PartialMcastLen = 200

// A Part says which part of a long message a fragment is.
type Part uint32

// The parts (LIBCPG_PARTIAL_*).
const (
	PartFirst     Part = 1
	PartContinued Part = 2
	PartLast      Part = 3
)

// A PartialMcast is a fragment of a client's message that is too long for one
// Mcast (struct req_exec_cpg_partial_mcast, 200 bytes and the fragment).
//
//	header 16 | group name 136 | msglen 4 | pad 4 | fraglen 4 | pad 4 |
//	pid 4 | pad 4 | part 4 | pad 4 | source 16 | data
type PartialMcast struct {
	Group  GroupName
	Total  uint32 // msglen: length of the whole message
	PID    uint32
	Part   Part // any value is accepted here
	Source Source
	Data   []byte // the fragment; aliases the input

	head  Header
	group groupPad
	pad   [4]uint32
}

// Decode reads a PartialMcast, whose header and fraglen must tell the same
// size, and whose fragment must fit in the whole message. It does not allocate.
func (m *PartialMcast) Decode(b []byte) (n int, err error) {
	const name = "partial mcast"
	if err := m.head.read(name, b, MakeID(cpgService, CPGPartialMcast), PartialMcastLen); err != nil {
		return 0, err
	}
	if _, err := m.Group.Decode(b[16:]); err != nil {
		return 0, err
	}
	fragment := le.Uint32(b[160:])
	n = PartialMcastLen + int(fragment)
	if err := m.head.mustBe(name, n); err != nil {
		return 0, err
	}
	m.Total = le.Uint32(b[152:])
	if fragment > m.Total {
		return 0, fmt.Errorf("exec: %s: fragment of %d bytes in a message of %d", name, fragment, m.Total)
	}
	m.group.keep(b[16:])
	m.PID = le.Uint32(b[168:])
	m.Part = Part(le.Uint32(b[176:]))
	for i := range m.pad {
		m.pad[i] = le.Uint32(b[156+8*i:])
	}
	m.Source.decode(b[184:])
	m.Data = b[PartialMcastLen:n:n]
	return n, nil
}

// Append appends the message.
func (m *PartialMcast) Append(b []byte) []byte {
	return append(m.AppendHead(b, len(m.Data)), m.Data...)
}

// AppendHead appends the message up to its data, which will be size bytes.
func (m *PartialMcast) AppendHead(b []byte, size int) []byte {
	b = m.head.appendAs(b, MakeID(cpgService, CPGPartialMcast), PartialMcastLen+size)
	b = m.group.append(b, &m.Group)
	for i, v := range [...]uint32{m.Total, uint32(size), m.PID, uint32(m.Part)} {
		b = le.AppendUint32(b, v)
		b = le.AppendUint32(b, m.pad[i])
	}
	return m.Source.append(b)
}
