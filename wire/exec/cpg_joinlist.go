package exec

import "fmt"

const joinEntryLen = 144

// A JoinList names the sender's processes in all groups, one entry per process
// and group. A node without any sends none
// (exec/cpg.c: cpg_exec_send_joinlist; struct join_list_entry).
//
//	response header 24 | entry 144 x n
//	entry: pid 4 | pad 4 | group name 136
type JoinList struct {
	Entries []JoinEntry // Decode uses the slice again
	head    ResponseHeader
}

// A JoinEntry is one process in one group.
type JoinEntry struct {
	PID   uint32
	Group GroupName

	pad   uint32
	group groupPad
}

// Decode reads a JoinList of 24 + 144n bytes; n follows from the header's size.
func (m *JoinList) Decode(b []byte) (n int, err error) {
	const name = "joinlist"
	if err := m.head.read(name, b, MakeID(cpgService, CPGJoinList), ResponseHeaderLen); err != nil {
		return 0, err
	}
	m.head.Decode(b)
	n = int(m.head.Size)
	if (n-ResponseHeaderLen)%joinEntryLen != 0 {
		return 0, fmt.Errorf("exec: %s: %d bytes, want %d and a multiple of %d",
			name, n, ResponseHeaderLen, joinEntryLen)
	}
	m.Entries = m.Entries[:0]
	for at := ResponseHeaderLen; at < n; at += joinEntryLen {
		var e JoinEntry
		if _, err := e.Group.Decode(b[at+8 : n]); err != nil {
			return 0, err
		}
		e.group.keep(b[at+8:])
		e.PID, e.pad = le.Uint32(b[at:]), le.Uint32(b[at+4:])
		m.Entries = append(m.Entries, e)
	}
	return n, nil
}

// Append appends the message.
func (m *JoinList) Append(b []byte) []byte {
	head := m.head
	head.ID = MakeID(cpgService, CPGJoinList)
	head.Size = int32(ResponseHeaderLen + joinEntryLen*len(m.Entries))
	b = head.Append(b)
	for i := range m.Entries {
		e := &m.Entries[i]
		b = le.AppendUint32(b, e.PID)
		b = le.AppendUint32(b, e.pad)
		b = e.group.append(b, &e.Group)
	}
	return b
}
