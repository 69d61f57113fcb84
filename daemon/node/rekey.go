package node

import (
	"time"

	"cpgol/daemon/link"
	"cpgol/wire/exec"
	"cpgol/wire/knet"
)

// knetLike is what a change of keys and links needs of a knet transport.
type knetLike interface {
	Reconfigure(now time.Duration, cfg link.Config) error
	Update(f func(l *link.Links, out *link.Output))
}

// rekey is a change of keys in three phases, so that nobody sends what another
// cannot open:
//
//	reload is delivered       the new key opens packets too, the old one seals
//	own "activate" delivered  the new one seals
//	own "clean up" delivered  the old one is forgotten, a while later
//
// Each node walks through them by its own messages and at their place in the
// order, which it must not leave for later: reference nodes forget the old key one
// round of the token after the last node had to stop using it
// (exec/totemknet.c:totemknet_crypto_reconfigure_phase).
//
// A reference node that misses a message at that time gets its own too late, still
// seals with the old key when the others have forgotten it, and falls out of the
// ring. This one changes over as soon as it hears a peer do so, and hears those who
// are late for as long as a token may take.
type rekey struct {
	n       *Node
	to      knetLike
	slot    int  // of the key in force, or that will be
	running bool // not all phases are over
	forget  func()
	cancel  func() // of forget, which waits
}

// load makes packets with the new key readable; nil stands for clear ones.
func (r *rekey) load(t knetLike, c *knet.Crypto) {
	if r.forget != nil { // the place is needed
		r.cancel()
		r.forget()
	}
	r.to, r.slot, r.running = t, 3-r.slot, true
	t.Update(func(l *link.Links, _ *link.Output) {
		if c == nil {
			l.AllowClear(true)
		}
		if err := l.SetCrypto(r.slot, c); err != nil {
			r.n.knet.Error(err.Error()) // it is not in use: no change is running
		}
		if c != nil {
			l.FollowCrypto()
		}
	})
}

// phase performs what this node's own message says.
func (r *rekey) phase(phase uint32) {
	if !r.running {
		return
	}
	switch phase {
	case exec.CryptoActivate:
		slot := r.slot
		if r.n.cfg.Key == nil {
			slot = 0
		}
		r.to.Update(func(l *link.Links, out *link.Output) {
			if err := l.UseCrypto(r.n.Now(), slot, out); err != nil {
				r.n.knet.Error(err.Error())
			}
		})
		r.n.knet.Info("packets are sent with the new key")
		r.n.rekeyOffload()
	case exec.CryptoCleanup:
		r.running = false
		// Packets of slower nodes may be under way, sealed with the old key.
		r.forget = r.cleanUp
		r.cancel = r.n.After(r.n.cfg.Totem.Token, r.cleanUp)
	}
}

// cleanUp forgets the old key.
func (r *rekey) cleanUp() {
	r.forget, r.cancel = nil, nil
	r.to.Update(func(l *link.Links, _ *link.Output) {
		if err := l.SetCrypto(3-r.slot, nil); err != nil {
			r.n.knet.Error(err.Error())
		}
		l.AllowClear(r.n.cfg.Key == nil)
	})
	r.n.knet.Info("packets with the old key are dropped from now on")
}
