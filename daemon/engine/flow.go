package engine

import "cpgol/wire/totem"

// flow is this node's part in the token's two running sums, as of its previous
// visit: what it sent and what it had waiting.
type flow struct {
	sent     uint32 // multicasts of the previous visit, repeats included (my_trc)
	previous uint32 // backlog told at the previous visit (my_pbl)
	backlog  uint32 // backlog now (my_cbl)

	seq   totem.Seq // the token's at the previous visit
	quiet int       // visits in a row at which it was the same and nothing was asked for
}

// allowed is how many messages may be sent at this visit: no more than
// MaxMessages, than what the window leaves, and than this node's share of it by
// backlog (fcc_calculate). All differences wrap, as in the reference: a count
// beyond the window does not limit.
func (f *flow) allowed(c *Config, t *totem.Token) int {
	allowed := uint32(c.MaxMessages)
	allowed = min(allowed, uint32(c.WindowSize)-t.FCC)
	if all := t.Backlog + f.backlog - f.previous; all != 0 {
		if share := uint32(c.WindowSize) * f.previous / all; share > 0 {
			allowed = min(allowed, share)
		}
	}
	return int(allowed)
}

// update changes the token's sums by what changed here since the previous
// visit (fcc_token_update).
func (f *flow) update(t *totem.Token, sent int) {
	t.FCC += uint32(sent) - f.sent
	t.Backlog += f.backlog - f.previous
	f.sent = uint32(sent)
	f.previous = f.backlog
}

// windowLimit lets nothing be sent that could overtake the sort queue of a node
// that has not released anything yet (fcc_rtr_limit).
func windowLimit(c *Config, allowed int, released, seq totem.Seq) int {
	limit := released + window - totem.Seq(allowed) - totem.Seq(c.WindowSize)
	if limit.Before(seq) {
		return 0
	}
	return allowed
}
