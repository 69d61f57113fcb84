package totem

// Layout of a merge detect (struct memb_merge_detect), 29 bytes:
//
//	header 13 | system_from 4 | ring_id 12
const mergeDetectLen = 29

// A MergeDetect announces a ring to others; only its representative sends it,
// while the ring is idle (struct memb_merge_detect).
type MergeDetect struct {
	Header
	From NodeID // system_from
	Ring RingID // the sender's current ring
}

// Decode reads a merge detect from the front of b and returns how many bytes it
// took; bytes behind it are tolerated.
func (m *MergeDetect) Decode(b []byte) (int, error) {
	if err := m.parse(b, TypeMergeDetect, mergeDetectLen); err != nil {
		return 0, err
	}
	m.From = NodeID(load32(b[13:], m.BigEndian))
	m.Ring = loadRingID(b[17:], m.BigEndian)
	return mergeDetectLen, nil
}

// Append encodes the merge detect behind b.
func (m *MergeDetect) Append(b []byte) []byte {
	b = m.append(b, TypeMergeDetect)
	b = append32(b, uint32(m.From), m.BigEndian)
	return appendRingID(b, m.Ring, m.BigEndian)
}
