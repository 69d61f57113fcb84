package totem

import "fmt"

// A NodeID names a cluster member. Zero means "nobody" and never names a node.
type NodeID uint32

// A RingID identifies one incarnation of a ring: its representative and a
// sequence that only grows. Two ring IDs are the same ring only if both parts
// are equal (memb_ring_id, 12 bytes packed).
type RingID struct {
	Rep NodeID
	Seq uint64
}

// String gives the form that the reference logs: representative, dot, the
// sequence in hexadecimal.
func (r RingID) String() string { return fmt.Sprintf("%d.%x", r.Rep, r.Seq) }

// A Seq is a message's place in its ring's order, and also counts tokens. It
// wraps; compare with [Seq.Before] and [Seq.AtMost] only.
type Seq uint32

// Thresholds of the wrap rule (sq.h: sq_lt_compare).
const (
	seqWrapThreshold = 0x80000000
	seqWrapShift     = 0x10000
)

// Before reports whether s comes before t. Once either is past the middle of
// the range both are moved down by the reference's shift, so that numbers just
// past the wrap count as later (sq.h: sq_lt_compare).
func (s Seq) Before(t Seq) bool {
	if s > seqWrapThreshold || t > seqWrapThreshold {
		return s-seqWrapShift < t-seqWrapShift
	}
	return s < t
}

// AtMost reports whether s equals t or comes before it (sq_lte_compare).
func (s Seq) AtMost(t Seq) bool { return s == t || s.Before(t) }
