package link

import (
	"net/netip"

	"cpgol/wire/knet"
)

// An EffectKind says what an [Effect] asks for or tells of.
type EffectKind uint8

// The kinds of effects, with the fields they fill in.
const (
	// Send: send Bytes from link Link's socket to To. Bytes holds one or more
	// datagrams back to back, each Segment long but the last, which may be
	// shorter: what UDP segmentation offload takes. Host, and Type for the kind
	// of packet, are for [Links.SendFailed]. Several Sends may share Bytes.
	Send EffectKind = iota
	// Deliver: Bytes is a totem message for this node, from Host.
	Deliver
	// LinkChanged: link Link of Host is up or not, as Up says.
	LinkChanged
	// HostChanged: Host is reachable or not, as Up says.
	HostChanged
	// MTUChanged: fragments hold MTU bytes from now on.
	MTUChanged
	// Dropped: a packet was refused for Cause. To is where it came from, Host
	// and Link are filled in as far as they were known. Everyday causes are
	// only counted (see [Cause.Everyday]).
	Dropped
)

// An Effect is one consequence of an event, to be performed in order.
type Effect struct {
	Kind    EffectKind
	Link    LinkID
	Host    HostID
	Up      bool
	Cause   Cause
	Type    knet.Type
	To      netip.AddrPort
	Bytes   []byte
	Segment int
	MTU     int
}

// An Output collects effects. The bytes they point to are the Output's: they
// stay as they are until Reset, whatever is appended meanwhile. The zero value
// is ready for use. One Output may serve many calls before its Reset.
type Output struct {
	Effects []Effect

	arena []byte // used so far; older arenas live on in the effects
	lent  []*buffer
	pool  *pool
}

// Reset forgets the effects and takes their bytes back.
func (o *Output) Reset() {
	clear(o.Effects) // lets go of outgrown arenas
	o.Effects = o.Effects[:0]
	o.arena = o.arena[:0]
	for i, b := range o.lent {
		o.pool.put(b)
		o.lent[i] = nil
	}
	o.lent = o.lent[:0]
}

// minArena holds the largest message sealed with the smallest data MTU.
const minArena = 128 << 10

// room returns an empty slice with at least n bytes of capacity. What is written
// there is kept only after keep; until then the next room is the same place.
func (o *Output) room(n int) []byte {
	if cap(o.arena)-len(o.arena) < n {
		o.arena = make([]byte, 0, max(n, minArena, 2*cap(o.arena)))
	}
	return o.arena[len(o.arena):]
}

// keep makes b, which was written into the slice that room returned, the
// Output's until Reset.
func (o *Output) keep(b []byte) []byte {
	o.arena = o.arena[:len(o.arena)+len(b)]
	return b[:len(b):len(b)]
}

// lend keeps a reassembly buffer out of the pool until Reset.
func (o *Output) lend(b *buffer, p *pool) {
	o.pool = p
	o.lent = append(o.lent, b)
}

func (o *Output) add(e Effect) { o.Effects = append(o.Effects, e) }
