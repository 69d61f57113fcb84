package mesh

import "sync/atomic"

// Stats counts what happened.
type Stats struct {
	Met       uint64 // connections whose both ends knew each other
	Failed    uint64 // attempts to connect to a member that did not come to that
	Crowded   uint64 // connections that lost their place to newer ones
	Slow      uint64 // that did not make themselves known in time
	Refused   uint64 // that spoke garbage, or showed a certificate that is not good
	Strangers uint64 // that showed a good one and are not members, or were too early
	Cut       uint64 // members that broke the protocol or exceeded their credit
	Stale     uint64 // messages that came again, or after their view
}

type counts struct {
	met, failed, crowded, slow, refused, strangers, cut, stale atomic.Uint64
}

// Stats returns the counters.
func (m *Mesh) Stats() Stats {
	c := &m.counts
	return Stats{
		Met: c.met.Load(), Failed: c.failed.Load(), Crowded: c.crowded.Load(), Slow: c.slow.Load(),
		Refused: c.refused.Load(), Strangers: c.strangers.Load(), Cut: c.cut.Load(), Stale: c.stale.Load(),
	}
}
