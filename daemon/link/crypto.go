package link

import (
	"fmt"
	"io"
	"time"

	"cpgol/wire/knet"
)

// keys are the two places for crypto configurations and the choice among them
// (knet_handle_crypto_set_config, _use_config, _rx_clear_traffic).
type keys struct {
	slots      [3]*knet.Crypto // 1 and 2; 0 stays nil: clear
	loaded     bool            // one of them is
	inUse      int             // for sending
	allowClear bool            // take a packet that no key opens as it is
	follow     bool            // use the other slot once a peer does
	next       int             // the slot to use from the next call on; 0: as it is

	rand io.Reader
	ivs  [1024]byte // random, not used yet from ivAt on
	ivAt int        // 0: none are there
}

func (k *keys) load(slot int, c *knet.Crypto) {
	k.slots[slot] = c
	k.loaded = k.slots[1] != nil || k.slots[2] != nil
	if k.loaded && k.rand == nil {
		panic("link: crypto without a source of random bytes")
	}
}

// tx is the configuration to seal with, nil for clear.
func (k *keys) tx() *knet.Crypto { return k.slots[k.inUse] }

// seal appends the datagram that carries packet.
func (k *keys) seal(dst, packet []byte) []byte {
	c := k.tx()
	if c == nil {
		return append(dst, packet...)
	}
	return c.Seal(dst, packet, k.iv())
}

// iv takes the next random bytes. A source that fails panics: sending with a
// guessable one would be worse.
func (k *keys) iv() (iv [16]byte) {
	if k.ivAt == 0 || k.ivAt == len(k.ivs) {
		if _, err := io.ReadFull(k.rand, k.ivs[:]); err != nil {
			panic(fmt.Sprintf("link: random source: %v", err))
		}
		k.ivAt = 0
	}
	k.ivAt += copy(iv[:], k.ivs[k.ivAt:])
	return iv
}

// SetCrypto loads slot 1 or 2, or empties it if c is nil. Received packets are
// tried with the slot in use, then with the other. The slot in use for sending
// cannot be changed: that is an error.
func (l *Links) SetCrypto(slot int, c *knet.Crypto) error {
	if slot != 1 && slot != 2 {
		return fmt.Errorf("link: crypto slot %d, want 1 or 2", slot)
	}
	if slot == l.keys.inUse {
		return fmt.Errorf("link: crypto slot %d is in use", slot)
	}
	l.keys.load(slot, c)
	return nil
}

// UseCrypto sends with that slot from now on, 0 for clear. The path MTUs stay
// known; how much data fits changes with the envelope.
func (l *Links) UseCrypto(now time.Duration, slot int, out *Output) error {
	if slot < 0 || slot > 2 || slot != 0 && l.keys.slots[slot] == nil {
		return fmt.Errorf("link: crypto slot %d is not loaded", slot)
	}
	l.keys.inUse, l.keys.follow, l.keys.next = slot, false, 0
	l.eachLink(func(k *link) {
		if k.probe.running { // its candidates are for the old envelope
			l.beginProbing(now, k, out)
		}
	})
	l.adjustMTU(out)
	return nil
}

// FollowCrypto has this node send with the slot that is not in use from the moment
// that a peer is heard to. It ends with the next UseCrypto. A node that is told to
// change over later than the others, as it waits for a lost message, must not be
// the last to send what they are about to forget.
func (l *Links) FollowCrypto() { l.keys.follow = true }

// opened notes which slot opened a sound packet.
func (k *keys) opened(slot int) {
	if k.follow && slot != k.inUse {
		k.next = slot
	}
}

// followPeers changes over if a peer has.
func (l *Links) followPeers(now time.Duration, out *Output) {
	if l.keys.next != 0 {
		l.UseCrypto(now, l.keys.next, out) // it opened a packet: it is loaded
	}
}

// AllowClear says whether packets that no key opens are taken as clear ones:
// when there is no crypto, and while it is being switched on or off.
func (l *Links) AllowClear(yes bool) { l.keys.allowClear = yes }
