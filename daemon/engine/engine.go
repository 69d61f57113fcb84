package engine

import (
	"errors"
	"slices"
	"time"

	"cpgol/wire/totem"
)

// An Engine is one node of a ring.
type Engine struct {
	cfg    Config
	now    time.Duration // of the call being handled
	state  State
	timers timers

	ring      totem.RingID // current or last attempted (my_ring_id)
	installed totem.RingID // whose messages are delivered (my_old_ring_id)
	ringSeq   uint64       // highest ring sequence heard of (token_ring_id_seq)
	trust     ringSeqTrust
	members   []totem.NodeID
	settled   bool // the token came since the ring was installed: all members have installed it

	gather gather
	commit commit
	token  tokenState
	flow   flow

	regular   *sortQueue // the installed ring's messages
	recovery  recovery
	delivered totem.Seq // up to here messages were delivered (my_high_delivered)
	released  totem.Seq // up to here they were let go (last_released)

	normal, sync *sendQueue
	syncing      bool   // only the synchronisation's messages are sent (waiting_trans_ack)
	installing   bool   // effects from before syncing was set may still be performed
	senderSeq    uint32 // counts own multicasts (global_seqno)

	mcast totem.Mcast // decoded into, one at a time

	pool       pool
	loops      loops
	scratch    []byte // encoded packets of the present call
	cancelBuf  []byte // the hold cancel, which may be sent between calls
	lastAlive  time.Duration
	stats      Stats
	tokenTimes tokenTimes
	rounds     Rounds
}

// New returns the engine of a node whose last stored ring sequence was
// storedRingSeq; zero if none was. The private ring it starts from is one
// further: so a node that was restarted is told from its former self
// (main_iface_change_fn). Nothing happens before Start.
func New(cfg Config, storedRingSeq uint64) *Engine {
	cfg = cfg.normal()
	e := &Engine{cfg: cfg, syncing: true}
	e.timers.clear()
	e.ring = totem.RingID{Rep: cfg.Node, Seq: storedRingSeq + 1}
	e.installed = e.ring
	e.ringSeq = e.ring.Seq
	start := cfg.start()
	e.regular = newSortQueue(&e.pool, start)
	e.recovery.queue = newSortQueue(&e.pool, start)
	e.delivered, e.released = start, start
	e.token.lastSeq, e.token.lastTokenSeq = start, start-1
	e.normal = newSendQueue(&e.pool, cfg.packet())
	e.sync = newSendQueue(&e.pool, cfg.packet())
	return e
}

// Start lets the node look for others. Before, packets are ignored.
func (e *Engine) Start(now time.Duration, out *Output) {
	if e.state != StateIdle {
		return
	}
	e.begin(now, out)
	e.stats.LastToken = now
	e.proveAlive()
	e.enterGather(InterfaceChange, out)
}

// begin opens a call: effects of earlier ones have been performed, unless the
// caller still has some, and what they pointed at can be used again.
func (e *Engine) begin(now time.Duration, out *Output) {
	e.now = now
	if len(out.Effects) == 0 {
		e.installing = false
		e.pool.recycle()
		e.scratch = e.scratch[:0]
	}
}

// Receive takes a packet from another node, or one of our own that was looped
// back. The bytes are not kept. Packets that are malformed, or none of this
// node's business, are counted and dropped; nothing a peer sends panics.
func (e *Engine) Receive(now time.Duration, packet []byte, out *Output) {
	e.begin(now, out)
	e.receive(packet, out)
	e.loops.back(packet)
}

func (e *Engine) receive(packet []byte, out *Output) {
	h, err := totem.ParseHeader(packet)
	if err != nil {
		e.refuse(err, out)
		return
	}
	if e.state == StateIdle {
		e.stats.RxMsgDropped++
		return
	}
	switch h.Type {
	case totem.TypeToken:
		e.stats.OrfTokenRx++
		e.receiveToken(packet, out)
	case totem.TypeMcast:
		e.stats.McastRx++
		e.receiveMcast(packet, out)
	case totem.TypeMergeDetect:
		e.stats.MembMergeDetectRx++
		e.receiveMergeDetect(packet, out)
	case totem.TypeJoin:
		e.stats.MembJoinRx++
		e.receiveJoin(packet, out)
	case totem.TypeCommitToken:
		e.stats.MembCommitTokenRx++
		e.receiveCommitToken(packet, out)
	case totem.TypeHoldCancel:
		e.stats.TokenHoldCancelRx++
		e.receiveHoldCancel(packet, out)
	}
}

// refuse counts and reports a packet that does not decode.
func (e *Engine) refuse(err error, out *Output) {
	e.stats.RxMsgDropped++
	if te, ok := errors.AsType[*totem.Error](err); ok {
		e.stats.Malformed[te.Cause]++
	}
	out.trace(Refused{Err: err})
}

// encode appends m to the present call's packets.
func (e *Engine) encode(m totem.Message) []byte {
	at := len(e.scratch)
	e.scratch = m.Append(e.scratch)
	return e.scratch[at:len(e.scratch):len(e.scratch)]
}

// multicast sends a control packet to every other node.
func (e *Engine) multicast(packet []byte, out *Output) {
	out.add(Effect{Kind: Multicast, Packet: packet})
}

// unicast sends a token to a member, which may be this node.
func (e *Engine) unicast(to totem.NodeID, packet []byte, out *Output) {
	if to == e.cfg.Node {
		out.add(Effect{Kind: Loopback, To: to, Packet: e.loops.out(packet)})
		return
	}
	out.add(Effect{Kind: Unicast, To: to, Packet: packet})
}

// header is what this node's messages start with.
func (e *Engine) header() totem.Header { return totem.Header{Node: e.cfg.Node} }

// isRep reports whether this node is the representative of its ring, or of the
// one being formed.
func (e *Engine) isRep() bool { return e.ring.Rep == e.cfg.Node }

// State is where the membership protocol stands.
func (e *Engine) State() State { return e.state }

// Ring is the ID of the ring last installed; before the first one, that of the
// private ring the node started from.
func (e *Engine) Ring() totem.RingID { return e.installed }

// Members are the nodes of the ring last installed, ascending, in a new slice;
// none before the first.
func (e *Engine) Members() []totem.NodeID { return slices.Clone(e.members) }

// ForceGather acts as if the token had been lost now (totemsrp_force_gather).
func (e *Engine) ForceGather(now time.Duration, out *Output) {
	if e.state == StateIdle {
		return
	}
	e.begin(now, out)
	e.tokenLost(out)
}

// Reconfigure takes new values for everything but Node, Rand and FirstSeq.
func (e *Engine) Reconfigure(cfg Config) {
	cfg.Node, cfg.Rand, cfg.FirstSeq = e.cfg.Node, e.cfg.Rand, e.cfg.FirstSeq
	cfg = cfg.normal()
	if cfg.packet() != e.cfg.packet() {
		e.normal.resize(cfg.packet())
		e.sync.resize(cfg.packet())
	}
	e.cfg = cfg
}

// Leave says goodbye: one leave message, after which the engine is idle for
// good. What was queued is lost; wait for Pending to turn false before, if it
// matters (totemsrp_finalize).
func (e *Engine) Leave(now time.Duration, out *Output) {
	if e.state == StateIdle {
		return
	}
	e.begin(now, out)
	e.sendLeave(out)
	e.state = StateIdle
	e.timers.clear()
}
