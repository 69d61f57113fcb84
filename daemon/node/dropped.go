package node

import (
	"strings"

	"cpgol/daemon/cmap"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/wire/totem"
)

// dropped gives what was refused, by who refused it and why, where anything was:
// stats.dropped., which the reference does not have.
func (s stats) dropped(yield func(string, cmap.Value) bool) bool {
	n := s.n
	tell := func(part, cause string, count uint64) bool {
		return count == 0 || yield("stats.dropped."+part+"."+strings.ReplaceAll(cause, " ", "_"), cmap.U64(count))
	}
	for cause, count := range n.limit.Counts() {
		if !tell("node", cause, count) {
			return false
		}
	}
	t := n.engine.Stats()
	for c, count := range t.Malformed {
		if !tell("totem", totem.Cause(c).String(), count) {
			return false
		}
	}
	for _, e := range []struct {
		cause string
		count uint64
	}{
		{"token_gap", t.TokenGap}, {"token_repaired", t.TokenRepaired}, {"commit_token_strange", t.TokenStrange}, {"join_strange", t.JoinStrange},
		{"mcast_strange", t.McastStrange}, {"mcast_window", t.McastWindow}, {"mcast_memory", t.McastMemory},
		{"mcast_stale", t.McastStale}, {"join_after_pause", t.Pauses},
	} {
		if !tell("totem", e.cause, e.count) {
			return false
		}
	}
	switch transport := n.transport.(type) {
	case *net.Knet:
		for c, count := range transport.State().Stats().Dropped {
			if !tell("knet", link.Cause(c).String(), count) {
				return false
			}
		}
	case interface{ Stats() net.PlainStats }:
		p := transport.Stats()
		return tell("udp", "unlisted", p.Blocked) && tell("udp", "truncated", p.Truncated)
	}
	return true
}
