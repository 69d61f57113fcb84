package totem

// Layout of a commit token (struct memb_commit_token), 41 bytes and 28 for each
// member:
//
//	header 13 | token_seq 4 | ring_id 12 | retrans_flg 4 | memb_index 4 |
//	addr entries 4 | n x addr 4 | n x { ring_id 12 | aru 4 | high_delivered 4 | received_flg 4 }
const (
	commitTokenLen = 41
	commitEntryLen = ringIDLen + 12
)

// A CommitEntry is what one member says of the ring it comes from (struct
// memb_commit_token_memb_entry).
type CommitEntry struct {
	Ring          RingID // the ring last installed
	ARU           Seq    // all its messages up to here were received
	HighDelivered Seq
	Received      uint32 // 1 if the member lacks nothing of that ring
}

// A CommitToken carries the new membership around the ring twice: members fill
// in their entries on the first lap and learn the others' on the second (struct
// memb_commit_token).
type CommitToken struct {
	Header
	TokenSeq    Seq // one more each time it is sent; never checked
	Ring        RingID
	RetransFlag uint32 // always zero
	// Index is how many entries are filled in. Entries from there on are
	// undefined after a change of byte order on the way: never look at them.
	Index   int
	Addrs   []NodeID      // the new membership, ascending
	Entries []CommitEntry // as many as Addrs, in its order
}

// Decode reads a commit token from the front of b and returns how many bytes it
// took; bytes behind it are tolerated. Addrs and Entries reuse their storage.
// Beyond the reference's checks (check_memb_commit_token_sanity) the membership
// is bounded by [MaxNodes] and the index by the membership: the reference
// writes its entry at any index it is told.
func (c *CommitToken) Decode(b []byte) (int, error) {
	if err := c.parse(b, TypeCommitToken, commitTokenLen); err != nil {
		return 0, err
	}
	be := c.BigEndian
	n := int(int32(load32(b[37:], be))) // signed on the wire
	if n < 0 || n > MaxNodes {
		return 0, countError("commit token", "members", int64(n), MaxNodes)
	}
	entriesAt := commitTokenLen + 4*n
	end := entriesAt + commitEntryLen*n
	if len(b) < end {
		return 0, shortError("commit token", len(b), end)
	}
	index := int(int32(load32(b[33:], be)))
	if index < 0 || index > n {
		return 0, countError("commit token", "index", int64(index), n)
	}
	c.Index = index
	c.TokenSeq = Seq(load32(b[13:], be))
	c.Ring = loadRingID(b[17:], be)
	c.RetransFlag = load32(b[29:], be)
	c.Addrs = loadNodes(c.Addrs, b[commitTokenLen:], n, be)
	c.Entries = c.Entries[:0]
	for at := entriesAt; at < end; at += commitEntryLen {
		c.Entries = append(c.Entries, CommitEntry{
			Ring:          loadRingID(b[at:], be),
			ARU:           Seq(load32(b[at+ringIDLen:], be)),
			HighDelivered: Seq(load32(b[at+ringIDLen+4:], be)),
			Received:      load32(b[at+ringIDLen+8:], be),
		})
	}
	return end, nil
}

// Append encodes the commit token behind b. The caller keeps Entries as long as
// Addrs.
func (c *CommitToken) Append(b []byte) []byte {
	be := c.BigEndian
	b = c.append(b, TypeCommitToken)
	b = append32(b, uint32(c.TokenSeq), be)
	b = appendRingID(b, c.Ring, be)
	b = append32(b, c.RetransFlag, be)
	b = append32(b, uint32(c.Index), be)
	b = append32(b, uint32(len(c.Addrs)), be)
	b = appendNodes(b, c.Addrs, be)
	for _, e := range c.Entries {
		b = appendRingID(b, e.Ring, be)
		b = append32(b, uint32(e.ARU), be)
		b = append32(b, uint32(e.HighDelivered), be)
		b = append32(b, e.Received, be)
	}
	return b
}
