package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// commit is the attempt to form a ring: the token that goes round to confirm it
// and where it goes next.
type commit struct {
	token   totem.CommitToken
	members []totem.NodeID // the ring's, ascending (my_new_memb_list)
	target  totem.NodeID   // the member after this one
}

// createCommitToken starts a ring of the candidates
// (memb_state_commit_token_create).
func (e *Engine) createCommitToken(out *Output) {
	members := e.gather.candidates()
	slices.Sort(members)
	e.commit.token = totem.CommitToken{
		Header:  e.header(),
		Ring:    totem.RingID{Rep: e.cfg.Node, Seq: e.ringSeq + ringSeqStep},
		Addrs:   members,
		Entries: make([]totem.CommitEntry, len(members)),
	}
	e.enterCommit(out)
}

// ringSeqStep is how much further each new ring's sequence is.
const ringSeqStep = 4

// receiveCommitToken takes the token that confirms a ring, in its first lap
// while gathering, in its second while committing, and once more as the signal
// to start the ring's first token (message_handler_memb_commit_token).
func (e *Engine) receiveCommitToken(packet []byte, out *Output) {
	var c totem.CommitToken
	if _, err := c.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	if e.state != StateOperational && c.Node != before(c.Addrs, e.cfg.Node) {
		e.stats.TokenStrange++
		return
	}
	switch e.state {
	case StateGather:
		if c.Ring.Seq <= e.ring.Seq || !sameSet(c.Addrs, e.gather.candidates()) {
			return
		}
		if c.Index >= len(c.Addrs) || c.Addrs[c.Index] != e.cfg.Node || c.Ring.Seq > e.trust.limit(e.now, e.ringSeq) {
			e.stats.TokenStrange++
			return
		}
		e.commit.token = c
		e.enterCommit(out)
	case StateCommit:
		if c.Ring != e.ring || c.Index != len(c.Addrs) {
			return // resent, or of another attempt
		}
		if !slices.Equal(c.Addrs, e.commit.members) {
			e.stats.TokenStrange++
			return
		}
		e.commit.token = c
		e.enterRecovery(out)
	case StateRecovery:
		if !e.isRep() || e.token.originated || c.Ring != e.ring || c.Index != len(c.Addrs) {
			return
		}
		e.token.originated = true
		e.sendFirstToken(out)
		e.armToken()
		e.arm(timerRetransmit, e.cfg.TokenRetransmit)
	}
}

// enterCommit puts this node's entry into the commit token and passes it on
// (memb_state_commit_enter). The ring's sequence is stored first: whatever
// happens then, no two rings of this node's making have the same ID.
func (e *Engine) enterCommit(out *Output) {
	c := &e.commit.token
	e.ring = c.Ring
	e.ringSeq = c.Ring.Seq
	e.state = StateCommit
	e.stats.CommitEntered++
	e.stats.ContinuousGather = 0
	out.trace(StateEntered{State: StateCommit, Ring: e.ring})
	out.add(Effect{Kind: StoreRing, Ring: e.ring})

	e.fillEntry(c)
	e.commit.members = slices.Clone(c.Addrs)
	e.commit.target = c.Addrs[c.Index%len(c.Addrs)]
	e.sendCommitToken(out)

	e.timers.stop(timerJoin, timerSendJoin, timerConsensus)
	e.arm(timerRetransmit, e.cfg.TokenRetransmit)
	e.armToken()
	e.flow = flow{}
}

// fillEntry says where this node comes from and what it has of that ring, and
// corrects what earlier members of the same ring believed: who has less than
// the best of them lacks messages (memb_state_commit_token_update).
func (e *Engine) fillEntry(c *totem.CommitToken) {
	mine := totem.CommitEntry{Ring: e.installed, ARU: e.regular.aru, HighDelivered: e.delivered}
	if e.regular.aru == e.regular.high {
		mine.Received = 1
	}
	c.Entries[c.Index] = mine
	filled := c.Entries[:c.Index+1]
	best := mine.ARU
	for _, m := range filled {
		if m.Ring == mine.Ring && best.Before(m.ARU) {
			best = m.ARU
		}
	}
	for i := range filled {
		if filled[i].Ring == mine.Ring && filled[i].ARU.Before(best) {
			filled[i].Received = 0
		}
	}
	c.Index++
}

// sendCommitToken passes the commit token on and keeps it for sending again
// (memb_state_commit_token_send).
func (e *Engine) sendCommitToken(out *Output) {
	c := &e.commit.token
	c.Header = e.header()
	c.Type = totem.TypeCommitToken
	c.Target = e.commit.target
	c.TokenSeq++
	e.stats.MembCommitTokenTx++
	e.keepToken(e.encode(c))
	e.unicast(e.commit.target, e.token.kept, out)
	e.arm(timerRetransmit, e.cfg.TokenRetransmit)
}
