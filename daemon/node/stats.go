package node

import (
	"fmt"
	"iter"
	"os"
	"strings"

	"cpgol/compat/abi"
	"cpgol/compat/ipc"
	"cpgol/daemon/cmap"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
)

// stats is the map of statistics, found out when it is read (exec/stats.c,
// services.md 7.6).
type stats struct{ n *Node }

var _ cmap.Stats = stats{}

// Each visits every statistic whose key begins with prefix.
func (s stats) Each(prefix string, fn func(key string, v cmap.Value)) {
	for k, v := range s.all() {
		if strings.HasPrefix(k, prefix) {
			fn(k, v)
		}
	}
}

// Get finds one statistic.
func (s stats) Get(key string) (cmap.Value, bool) {
	for k, v := range s.all() {
		if k == key {
			return v, true
		}
	}
	return cmap.Value{}, false
}

// Clear sets statistics to zero.
func (s stats) Clear(what string) {
	switch what {
	case "totem":
		s.n.engine.ClearStats()
	case "knet":
		if k, ok := s.n.transport.(interface{ ClearStats() }); ok {
			k.ClearStats()
		}
	case "ipc":
		s.n.clients.clear()
	case "schedmiss":
		s.n.clearMisses()
	}
}

func (s stats) all() iter.Seq2[string, cmap.Value] {
	return func(yield func(string, cmap.Value) bool) {
		_ = s.totem(yield) && s.links(yield) && s.clients(yield) && s.misses(yield) && s.rounds(yield) && s.dropped(yield)
	}
}

func (s stats) totem(yield func(string, cmap.Value) bool) bool {
	t := s.n.engine.Stats()
	since := uint64(0)
	if t.LastToken > 0 {
		since = uint64((s.n.Now() - t.LastToken).Milliseconds())
	}
	firewall := uint8(0)
	if t.ContinuousGather > 3 { // MAX_NO_CONT_GATHER
		firewall = 1
	}
	for _, e := range []struct {
		key string
		v   cmap.Value
	}{
		{"pg.msg_queue_avail", cmap.U32(t.QueueAvail)}, {"pg.msg_reserved", cmap.U32(0)},
		{"srp.orf_token_tx", cmap.U64(t.OrfTokenTx)}, {"srp.orf_token_rx", cmap.U64(t.OrfTokenRx)},
		{"srp.memb_merge_detect_tx", cmap.U64(t.MembMergeDetectTx)}, {"srp.memb_merge_detect_rx", cmap.U64(t.MembMergeDetectRx)},
		{"srp.memb_join_tx", cmap.U64(t.MembJoinTx)}, {"srp.memb_join_rx", cmap.U64(t.MembJoinRx)},
		{"srp.mcast_tx", cmap.U64(t.McastTx)}, {"srp.mcast_retx", cmap.U64(t.McastRetx)}, {"srp.mcast_rx", cmap.U64(t.McastRx)},
		{"srp.memb_commit_token_tx", cmap.U64(t.MembCommitTokenTx)}, {"srp.memb_commit_token_rx", cmap.U64(t.MembCommitTokenRx)},
		{"srp.token_hold_cancel_tx", cmap.U64(t.TokenHoldCancelTx)}, {"srp.token_hold_cancel_rx", cmap.U64(t.TokenHoldCancelRx)},
		{"srp.operational_entered", cmap.U64(t.OperationalEntered)}, {"srp.operational_token_lost", cmap.U64(t.OperationalTokenLost)},
		{"srp.gather_entered", cmap.U64(t.GatherEntered)}, {"srp.gather_token_lost", cmap.U64(t.GatherTokenLost)},
		{"srp.commit_entered", cmap.U64(t.CommitEntered)}, {"srp.commit_token_lost", cmap.U64(t.CommitTokenLost)},
		{"srp.recovery_entered", cmap.U64(t.RecoveryEntered)}, {"srp.recovery_token_lost", cmap.U64(t.RecoveryTokenLost)},
		{"srp.consensus_timeouts", cmap.U64(t.ConsensusTimeouts)}, {"srp.rx_msg_dropped", cmap.U64(t.RxMsgDropped)},
		{"srp.time_since_token_last_received", cmap.U64(since)},
		{"srp.continuous_gather", cmap.U32(t.ContinuousGather)}, {"srp.continuous_sendmsg_failures", cmap.U32(0)},
		{"srp.mtt_rx_token", cmap.U32(t.MttRxToken)}, {"srp.avg_token_workload", cmap.U32(t.AvgTokenWorkload)},
		{"srp.avg_backlog_calc", cmap.U32(t.AvgBacklogCalc)},
		{"srp.firewall_enabled_or_nic_failure", cmap.U8(firewall)},
	} {
		if !yield("stats."+e.key, e.v) {
			return false
		}
	}
	return true
}

// rounds gives how long the token takes round the ring, in microseconds:
// stats.token., which the reference does not have.
func (s stats) rounds(yield func(string, cmap.Value) bool) bool {
	r := s.n.engine.Rounds()
	return r.Total() == 0 || yield("stats.token.rounds", cmap.U64(r.Total())) &&
		yield("stats.token.round_p50_us", cmap.U64(uint64(r.Quantile(0.5).Microseconds()))) &&
		yield("stats.token.round_p99_us", cmap.U64(uint64(r.Quantile(0.99).Microseconds())))
}

func (s stats) clients(yield func(string, cmap.Value) bool) bool {
	c := &s.n.clients
	if !yield("stats.ipcs.global.active", cmap.U64(uint64(len(c.all)))) || !yield("stats.ipcs.global.closed", cmap.U64(c.closed)) {
		return false
	}
	for conn := range c.all {
		for key, v := range s.n.connection(conn) {
			if !yield(key, v) {
				return false
			}
		}
	}
	return true
}

// tellStats tells clients that watch for it that a connection's statistics came
// into being or went.
func (n *Node) tellStats(conn *ipc.Conn, tell func(key string, v cmap.Value)) {
	for key, v := range n.connection(conn) {
		tell(key, v)
	}
}

// connection gives the statistics of one client, in the order in which the
// reference tells of them (exec/stats.c: cs_ipcs_stats).
func (n *Node) connection(conn *ipc.Conn) iter.Seq2[string, cmap.Value] {
	who := n.clients.all[conn]
	prefix := fmt.Sprintf("stats.ipcs.service%d.%d.%#x.", who.ID(), conn.PID(), conn.Serial())
	c := since(conn.Counters(), who.cleared)
	queueing := int32(0)
	if c.Queueing {
		queueing = 1
	}
	return func(yield func(string, cmap.Value) bool) {
		for _, e := range []struct {
			name string
			v    cmap.Value
		}{
			{"queueing", cmap.I32(queueing)}, {"queued", cmap.U32(c.Queued)},
			{"invalid_request", cmap.U64(who.invalid)}, {"overload", cmap.U64(who.overload)},
			{"sent", cmap.U32(uint32(c.Dispatched))}, {"procname", cmap.String(who.process)},
			{"requests", cmap.U64(c.Requests)}, {"responses", cmap.U64(c.Responses)}, {"dispatched", cmap.U64(c.Dispatched)},
			{"send_retries", cmap.U64(c.SendRetries)}, {"recv_retries", cmap.U64(c.RecvRetries)},
			{"flow_control", cmap.U32(uint32(c.FlowControl))}, {"flow_control_count", cmap.U64(c.FlowControlCount)},
		} {
			if !yield(prefix+e.name, e.v) {
				return
			}
		}
	}
}

// since is what a connection's counters have counted since they were cleared; what
// says how things are is as it is.
func since(c, cleared ipc.Counters) ipc.Counters {
	c.Requests -= cleared.Requests
	c.Responses -= cleared.Responses
	c.Dispatched -= cleared.Dispatched
	c.SendRetries -= cleared.SendRetries
	c.RecvRetries -= cleared.RecvRetries
	c.FlowControlCount -= cleared.FlowControlCount
	return c
}

// clear sets the counters of all connections to zero (exec/ipc_glue.c:cs_ipcs_clear_stats,
// which also forgets that those connections are there).
func (c *clients) clear() {
	c.closed = 0
	for conn, who := range c.all {
		who.cleared, who.invalid, who.overload = conn.Counters(), 0, 0
	}
}

// count counts a request that was refused.
func (c *clients) count(conn *ipc.Conn, st abi.Status) {
	who := c.all[conn]
	switch {
	case who == nil:
	case st == abi.TryAgain:
		who.overload++
	default:
		who.invalid++
	}
}

// processName is a process's own idea of its name, at most 15 characters.
func processName(pid uint32) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// links gives knet's statistics, by link and for all together.
func (s stats) links(yield func(string, cmap.Value) bool) bool {
	k, ok := s.n.transport.(*net.Knet)
	if !ok {
		return true
	}
	for _, one := range s.n.linkStats() {
		for _, v := range one.values {
			if !yield(one.prefix+v.Name, number(v)) {
				return false
			}
		}
	}
	all := k.State().Stats()
	for _, v := range all.Values(nil) {
		if !yield("stats.knet.handle."+v.Name, number(v)) {
			return false
		}
	}
	return true
}

func number(v link.Value) cmap.Value {
	switch v.Bits {
	case 8:
		return cmap.U8(uint8(v.Num))
	case 32:
		return cmap.U32(uint32(v.Num))
	}
	return cmap.U64(v.Num)
}
