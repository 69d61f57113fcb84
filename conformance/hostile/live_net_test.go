package hostile

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// live is an attacker on a running ring: with the key and from the address of
// node 2. What the ring's order is, it does not know.
func (x *ring) live(r *rand.Rand, s *sender, sealed, overKnet bool) *attacker {
	ring := totem.RingID{}
	if id, _, err := x.victim.Ring(); err == nil { // "1.8", in hexadecimal
		rep, seq, _ := strings.Cut(id, ".")
		n, _ := strconv.ParseUint(rep, 16, 32)
		ring.Rep = totem.NodeID(n)
		ring.Seq, _ = strconv.ParseUint(seq, 16, 64)
	}
	begin, number := time.Now(), uint16(r.Uint32())
	envelope := func(b []byte) []byte {
		if sealed {
			return seal(x.t, r, b)
		}
		return b
	}
	a := &attacker{
		r: r, corpus: &corpus{}, now: func() time.Duration { return time.Since(begin) },
		ring:     func() totem.RingID { return ring },
		near:     func() totem.Seq { return totem.Seq(r.IntN(200)) },
		datagram: func(b []byte) { s.send(envelope(b)) },
		wire:     s.send,
		order:    func([]byte) {},
	}
	if !overKnet {
		a.post, a.datagram = s.send, s.send
		return a
	}
	a.post = func(b []byte) {
		if len(b) >= totem.HeaderLen {
			put32(b, 9, uint32(pick(r, 0, 0, 1)), false)
		}
		if number++; number == 0 {
			number = 1
		}
		d := knet.Data{Header: knet.Header{Node: 2}, Seq: number, FragNum: 1, Payload: b}
		if len(b) > 0 && len(b) < 64000 {
			s.send(envelope(d.Append(nil)))
		}
	}
	return a
}

// TestFloodKnet floods our node of an encrypted ring: with garbage and with what
// another key sealed, which must change nothing; and with what only a member
// could send.
func TestFloodKnet(t *testing.T) {
	x := newRing(t, lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"})
	r := rand.New(rand.NewPCG(1, 2))
	other, err := knet.NewCrypto("aes256", "sha256", []byte(strings.Repeat("another key ", 20)))
	if err != nil {
		t.Fatal(err)
	}
	ping := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 2}, Timed: 1}
	data := knet.Data{Header: knet.Header{Node: 2}, Seq: 1, FragNum: 1, Payload: make([]byte, 100)}
	// These come from who has no key: the ring must not notice.
	garbage := func(s *sender) func() {
		stranger := x.sender(4, s.to)
		return func() {
			b := make([]byte, 1+pick(r, r.IntN(40), r.IntN(1500), r.IntN(1500), r.IntN(65507)))
			for i := range min(len(b), 1500) {
				b[i] = byte(r.Uint32())
			}
			pick(r, s, stranger).send(b)
		}
	}
	x.flood("garbage", true, garbage)
	x.flood("another key", true, func(s *sender) func() {
		return func() {
			packet := pick(r, ping.Append(nil), data.Append(nil))
			s.send(other.Seal(nil, packet, [16]byte{byte(r.Uint32()), byte(r.Uint32())}))
		}
	})
	x.flood("clear packets", true, func(s *sender) func() {
		return func() { s.send(pick(r, ping.Append(nil), data.Append(nil))) }
	})
	for _, names := range [][]string{
		{"knet packets"},
		{"mutated packets", "tokens", "joins", "merge detects and hold cancels", "mcasts out of place", "encapsulated junk", "process group frames"},
	} {
		x.flood(strings.Join(names, ", ")+" of a member", false, func(s *sender) func() {
			return x.live(r, s, true, true).any(names...)
		})
	}
}

// any does one of the named attacks at each call.
func (a *attacker) any(names ...string) func() {
	var some []attack
	for _, k := range attacks {
		if slices.Contains(names, k.name) {
			some = append(some, k)
		}
	}
	return func() { pick(a.r, some...).do(a) }
}

// flood runs one attack from the second host on the victim and judges it. A quiet
// one must leave the ring as it is.
func (x *ring) flood(name string, quiet bool, attack func(s *sender) func()) {
	x.t.Helper()
	s := x.sender(2, x.addr(1))
	before := x.begin()
	paced(attack(s))
	x.t.Logf("%s: %d datagrams and more", name, s.sent)
	x.judge(name, before)
	if after, _, _ := x.victim.Ring(); quiet && after != before && !*stockVictim {
		x.t.Errorf("%s: the ring changed from %s to %s", name, before, after)
	}
}

// TestFloodUDP floods our node of a ring without keys. Anyone who can reach it
// can take part in the protocol, so all that is asked for is that the node
// outlives it, like the others.
func TestFloodUDP(t *testing.T) {
	for _, transport := range []string{"udpu", "udp"} {
		t.Run(transport, func(t *testing.T) {
			x := newRing(t, lab.Ring{Transport: transport})
			r := rand.New(rand.NewPCG(3, 4))
			for _, names := range [][]string{
				{"garbage", "mutated packets", "mcasts out of place", "encapsulated junk", "process group frames", "endless fragments"},
				{"tokens", "joins", "leaves", "commit tokens", "merge detects and hold cancels"},
			} {
				x.flood(strings.Join(names, ", "), false, func(s *sender) func() {
					stranger := x.live(r, x.sender(4, s.to), false, false).any(names...)
					member := x.live(r, s, false, false).any(names...)
					return func() { pick(r, stranger, member)() }
				})
			}
		})
	}
}
