package totem

// Layout of a join (struct memb_join), at least 33 bytes:
//
//	header 13 | system_from 4 | proc entries 4 | failed entries 4 |
//	ring_seq 8 | proc x 4 | failed x 4
const joinLen = 33

// A Join proposes a membership: the candidates and those given up (struct
// memb_join). With a header node of zero it is a leave: the sender named in
// From stops, and lists itself last in Failed.
type Join struct {
	Header
	From    NodeID   // system_from, real in a leave too
	Proc    []NodeID // candidates in the order they became known, not sorted
	Failed  []NodeID
	RingSeq uint64 // sequence of the sender's current ring
}

// IsLeave reports whether the message says goodbye (memb_leave_message_send).
func (j *Join) IsLeave() bool { return j.Node == 0 }

// Decode reads a join from the front of b and returns how many bytes it took;
// bytes behind it are tolerated. Proc and Failed reuse their storage. Each list
// holds at most [MaxNodes] entries (check_memb_join_sanity, since 3.1.10).
func (j *Join) Decode(b []byte) (int, error) {
	if err := j.parse(b, TypeJoin, joinLen); err != nil {
		return 0, err
	}
	be := j.BigEndian
	proc, failed := int64(load32(b[17:], be)), int64(load32(b[21:], be))
	if proc > MaxNodes {
		return 0, countError("join", "candidates", proc, MaxNodes)
	}
	if failed > MaxNodes {
		return 0, countError("join", "failed nodes", failed, MaxNodes)
	}
	failedAt := joinLen + 4*int(proc)
	end := failedAt + 4*int(failed)
	if len(b) < end {
		return 0, shortError("join", len(b), end)
	}
	j.From = NodeID(load32(b[13:], be))
	j.RingSeq = load64(b[25:], be)
	j.Proc = loadNodes(j.Proc, b[joinLen:], int(proc), be)
	j.Failed = loadNodes(j.Failed, b[failedAt:], int(failed), be)
	return end, nil
}

// Append encodes the join behind b.
func (j *Join) Append(b []byte) []byte {
	be := j.BigEndian
	b = j.append(b, TypeJoin)
	b = append32(b, uint32(j.From), be)
	b = append32(b, uint32(len(j.Proc)), be)
	b = append32(b, uint32(len(j.Failed)), be)
	b = append64(b, j.RingSeq, be)
	b = appendNodes(b, j.Proc, be)
	return appendNodes(b, j.Failed, be)
}
