package net

import (
	"math"
	"net/netip"
	"time"

	"cpgol/wire/totem"
)

// Never is the deadline of what waits for no point in time.
const Never time.Duration = math.MaxInt64

// A Transport carries Totem packets to the other nodes. It is best effort:
// packets may be lost, repeated and overtaken, never changed or joined.
//
// It belongs to the goroutine of its [Poller]. Received packets go to the
// function that was given when it was made, from inside Poller.Wait or one of
// its methods; the bytes are valid during the call. That function may call every
// method, Close too, after which it is called no more.
type Transport interface {
	// Multicast sends packet to every other node, never to this one. It is
	// queued; Flush sends it. The bytes are the caller's again when it returns.
	Multicast(now time.Duration, packet []byte)
	// Unicast sends packet to one other node, after what was queued before. An
	// unknown node, or this one, is counted and nothing happens.
	Unicast(now time.Duration, to totem.NodeID, packet []byte)
	// Flush hands everything queued to the kernel.
	Flush(now time.Duration)
	// Tick does what is due; Deadline is when it must be called next.
	Tick(now time.Duration)
	Deadline() time.Duration
	// Links tells how the other nodes are reached, by node and link.
	Links() []LinkStatus
	// Close closes the sockets after handing them what is queued.
	Close() error
}

// A LinkStatus is one path to one other node.
type LinkStatus struct {
	Node          totem.NodeID
	Link          uint8
	Local, Remote netip.AddrPort
	Enabled       bool
	// Connected means, for knet, that the peer answers; else that this node's
	// own address is there.
	Connected bool
	// MTU is what knet puts into a datagram beside its headers, else 0.
	MTU int
}

// A Member is a configured node and where it receives.
type Member struct {
	Node totem.NodeID
	Addr netip.AddrPort
}
