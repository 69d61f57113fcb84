package totem

// Layout of a multicast (struct mcast), 45 bytes and the payload:
//
//	header 13 | system_from 4 | seq 4 | this_seqno 4 | ring_id 12 |
//	node_id 4 | guarantee 4 | payload

// McastLen is the length of a multicast's header: all but its payload.
const McastLen = 45

// An Mcast is an ordered message (struct mcast). Sent again it is the same
// bytes, whoever serves it.
type Mcast struct {
	Header
	From      NodeID // originator (system_from)
	Seq       Seq    // place in the ring's order
	SenderSeq uint32 // the originator's own count (this_seqno); nobody reads it
	Ring      RingID // the ring it was multicast on
	NodeField uint32 // node_id: always zero, never read, kept
	Guarantee uint32 // 0 agreed, 1 "safe"; no receiver acts on it
	// Payload is a process-group frame or, when Encapsulated, a whole Mcast of
	// an older ring.
	Payload []byte
}

// Decode reads the multicast that b is; it always takes all of b. Payload
// aliases b. Packets longer than [MaxFrame] are refused: the reference asserts.
func (m *Mcast) Decode(b []byte) (int, error) {
	if err := m.parse(b, TypeMcast, McastLen); err != nil {
		return 0, err
	}
	if len(b) > MaxFrame {
		return 0, longError("mcast", len(b), MaxFrame)
	}
	be := m.BigEndian
	m.From = NodeID(load32(b[13:], be))
	m.Seq = Seq(load32(b[17:], be))
	m.SenderSeq = load32(b[21:], be)
	m.Ring = loadRingID(b[25:], be)
	m.NodeField = load32(b[37:], be)
	m.Guarantee = load32(b[41:], be)
	m.Payload = b[McastLen:]
	return len(b), nil
}

// Append encodes the multicast behind b, payload included.
func (m *Mcast) Append(b []byte) []byte {
	be := m.BigEndian
	b = m.append(b, TypeMcast)
	b = append32(b, uint32(m.From), be)
	b = append32(b, uint32(m.Seq), be)
	b = append32(b, m.SenderSeq, be)
	b = appendRingID(b, m.Ring, be)
	b = append32(b, m.NodeField, be)
	b = append32(b, m.Guarantee, be)
	return append(b, m.Payload...)
}
