package exec

const procChangeLen = 168

// A ProcChange says that a process of the sender joined or left a group
// (struct req_exec_cpg_procjoin, 168 bytes, under two function numbers).
//
//	header 16 | group name 136 | pid 4 | pad 4 | reason 4 | pad 4
type ProcChange struct {
	Leave  bool // PROCLEAVE, else PROCJOIN
	Group  GroupName
	PID    uint32
	Reason Reason // receivers of PROCJOIN take ReasonJoin whatever this says

	head  Header
	group groupPad
	pad   [2]uint32
}

// Decode reads a PROCJOIN or PROCLEAVE of exactly 168 bytes.
func (m *ProcChange) Decode(b []byte) (n int, err error) {
	name, fn := "procjoin", CPGProcJoin
	m.Leave = len(b) > 0 && b[0] == CPGProcLeave
	if m.Leave {
		name, fn = "procleave", CPGProcLeave
	}
	if err := m.head.readExact(name, b, MakeID(cpgService, fn), procChangeLen); err != nil {
		return 0, err
	}
	if _, err := m.Group.Decode(b[16:]); err != nil {
		return 0, err
	}
	m.group.keep(b[16:])
	m.PID, m.pad[0] = le.Uint32(b[152:]), le.Uint32(b[156:])
	m.Reason, m.pad[1] = Reason(le.Uint32(b[160:])), le.Uint32(b[164:])
	return procChangeLen, nil
}

// Append appends the message's 168 bytes.
func (m *ProcChange) Append(b []byte) []byte {
	fn := CPGProcJoin
	if m.Leave {
		fn = CPGProcLeave
	}
	b = m.head.appendAs(b, MakeID(cpgService, fn), procChangeLen)
	b = m.group.append(b, &m.Group)
	b = le.AppendUint32(b, m.PID)
	b = le.AppendUint32(b, m.pad[0])
	b = le.AppendUint32(b, uint32(m.Reason))
	return le.AppendUint32(b, m.pad[1])
}
