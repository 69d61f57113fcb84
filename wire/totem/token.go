package totem

// Layout of a token (struct orf_token), at least 57 bytes:
//
//	header 13 | seq 4 | token_seq 4 | aru 4 | aru_addr 4 | ring_id 12 |
//	backlog 4 | fcc 4 | retrans_flg 4 | entries 4 | entries x { ring_id 12 | seq 4 }
const (
	tokenLen      = 57
	tokenCountAt  = 53
	retransmitLen = ringIDLen + 4
)

// A Retransmit asks for one message of one ring to be sent again (struct
// rtr_item).
type Retransmit struct {
	Ring RingID
	Seq  Seq
}

// A Token orders, repairs and paces the ring (struct orf_token). It goes from
// each member to the next in ascending order of node ids.
type Token struct {
	Header
	Seq      Seq    // the highest sequence number assigned on this ring
	TokenSeq Seq    // one more at every hop
	ARU      Seq    // candidate for "all received up to"
	ARUAddr  NodeID // who lowered ARU last; zero if nobody
	Ring     RingID
	Backlog  uint32 // messages queued on all members, a wrapping sum
	FCC      uint32 // messages sent in the last rotation, a wrapping sum
	// RetransFlag is 1 while some member still has recovery messages to send.
	RetransFlag uint32
	Retransmits []Retransmit
}

// Decode reads a token from the front of b and returns how many bytes it took;
// bytes behind it are tolerated. Retransmits reuses its storage. Beyond the
// reference's checks (check_orf_token_sanity) negative counts are refused: the
// reference lets -1, -2 and -3 pass.
func (t *Token) Decode(b []byte) (int, error) {
	if err := t.parse(b, TypeToken, tokenLen); err != nil {
		return 0, err
	}
	if len(b) > MaxToken {
		return 0, longError("token", len(b), MaxToken)
	}
	be := t.BigEndian
	n := int(int32(load32(b[tokenCountAt:], be))) // signed on the wire
	if n < 0 || n > MaxRetransmits {
		return 0, countError("token", "retransmits", int64(n), MaxRetransmits)
	}
	end := tokenLen + n*retransmitLen
	if len(b) < end {
		return 0, shortError("token", len(b), end)
	}
	t.Seq = Seq(load32(b[13:], be))
	t.TokenSeq = Seq(load32(b[17:], be))
	t.ARU = Seq(load32(b[21:], be))
	t.ARUAddr = NodeID(load32(b[25:], be))
	t.Ring = loadRingID(b[29:], be)
	t.Backlog = load32(b[41:], be)
	t.FCC = load32(b[45:], be)
	t.RetransFlag = load32(b[49:], be)
	t.Retransmits = t.Retransmits[:0]
	for at := tokenLen; at < end; at += retransmitLen {
		t.Retransmits = append(t.Retransmits, Retransmit{
			Ring: loadRingID(b[at:], be),
			Seq:  Seq(load32(b[at+ringIDLen:], be)),
		})
	}
	return end, nil
}

// Append encodes the token behind b. The caller keeps Retransmits at or below
// [MaxRetransmits].
func (t *Token) Append(b []byte) []byte {
	be := t.BigEndian
	b = t.append(b, TypeToken)
	b = append32(b, uint32(t.Seq), be)
	b = append32(b, uint32(t.TokenSeq), be)
	b = append32(b, uint32(t.ARU), be)
	b = append32(b, uint32(t.ARUAddr), be)
	b = appendRingID(b, t.Ring, be)
	b = append32(b, t.Backlog, be)
	b = append32(b, t.FCC, be)
	b = append32(b, t.RetransFlag, be)
	b = append32(b, uint32(len(t.Retransmits)), be)
	for _, r := range t.Retransmits {
		b = appendRingID(b, r.Ring, be)
		b = append32(b, uint32(r.Seq), be)
	}
	return b
}
