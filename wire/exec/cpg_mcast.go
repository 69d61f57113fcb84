package exec

// McastLen is the size of a Mcast without its data.
const McastLen = 184

// A Mcast is a client's message to a group
// (struct req_exec_cpg_mcast, 184 bytes and the data).
//
//	header 16 | group name 136 | msglen 4 | pad 4 | pid 4 | pad 4 | source 16 | data
type Mcast struct {
	Group  GroupName
	PID    uint32 // of the sending process
	Source Source
	Data   []byte // aliases the input

	head  Header
	group groupPad
	pad   [2]uint32
}

// Decode reads a Mcast, whose header and msglen must tell the same size. It
// does not allocate.
func (m *Mcast) Decode(b []byte) (n int, err error) {
	const name = "mcast"
	if err := m.head.read(name, b, MakeID(cpgService, CPGMcast), McastLen); err != nil {
		return 0, err
	}
	if _, err := m.Group.Decode(b[16:]); err != nil {
		return 0, err
	}
	n = McastLen + int(le.Uint32(b[152:]))
	if err := m.head.mustBe(name, n); err != nil {
		return 0, err
	}
	m.group.keep(b[16:])
	m.pad[0] = le.Uint32(b[156:])
	m.PID, m.pad[1] = le.Uint32(b[160:]), le.Uint32(b[164:])
	m.Source.decode(b[168:])
	m.Data = b[McastLen:n:n]
	return n, nil
}

// Append appends the message.
func (m *Mcast) Append(b []byte) []byte {
	return append(m.AppendHead(b, len(m.Data)), m.Data...)
}

// AppendHead appends the message up to its data, which will be size bytes.
func (m *Mcast) AppendHead(b []byte, size int) []byte {
	b = m.head.appendAs(b, MakeID(cpgService, CPGMcast), McastLen+size)
	b = m.group.append(b, &m.Group)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, m.pad[0])
	b = le.AppendUint32(b, m.PID)
	b = le.AppendUint32(b, m.pad[1])
	return m.Source.append(b)
}
