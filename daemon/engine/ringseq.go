package engine

import "time"

// Ring sequences grow by four with every ring, so no honest one comes near the
// end of its 64 bits. A single packet that claims so much would make the next
// sequence wrap, and no ring could be formed ever again, as each must be newer
// than its members' last. So beyond farRingSeq claims are believed only up to
// ringSeqPace more in a second: nobody lives to see the end, and who was led
// astray for a while is caught up with by the others in as much time. Up to there
// everything is believed at once, as by the reference, which believes all.
const (
	farRingSeq  = 1<<64 - 1<<48
	ringSeqPace = 1 << 24
	lastRingSeq = 1<<64 - 1 - ringSeqStep // another ring must still be possible
)

// ringSeqTrust paces claims.
type ringSeqTrust struct {
	since time.Duration
	from  uint64 // the highest sequence heard of by then
}

// limit is the highest sequence to be believed now, by a node that has heard of
// highest.
func (t *ringSeqTrust) limit(now time.Duration, highest uint64) uint64 {
	if t.from == 0 || now-t.since >= time.Second {
		t.since, t.from = now, highest
	}
	return min(max(t.from, farRingSeq), lastRingSeq-ringSeqPace) + ringSeqPace
}
