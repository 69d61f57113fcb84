package core

import (
	"errors"
	"time"

	"cpgol/wire/offload"
)

// A Member is a process of the group, a View a stretch of the ring's order in
// which the group is offloaded.
type (
	Member = offload.Member
	View   = offload.View
)

// A Payload is one message's bytes, which the core never looks at. A payload that
// is handed to the core is the core's until an effect gives it back: Release,
// Drop, or, for those sent, Ring and Release.
type Payload interface{ Len() int }

// Config bounds what a Core keeps and how long it waits.
type Config struct {
	// SmallLimit is the longest message that travels in the ring of its own will:
	// while no other of this process's is under way. Then it is there sooner; many
	// are there sooner if they are offloaded.
	SmallLimit int
	// LargeLimit is the longest message that is offloaded; longer ones go in the
	// ring, in parts.
	LargeLimit int
	// Overhead is what each message costs of Window and Credit beside its bytes. All
	// processes must agree on it.
	Overhead int
	// Window is how many bytes of own messages may wait for their place in the
	// order. One message more than that is taken.
	Window int
	// Credit is how many bytes all senders together may have this process hold,
	// or LargeLimit for each sender, if that is more.
	Credit int
	// Batch is how many bytes that all others hold are submitted without waiting for
	// more, BatchDelay how long the first of them waits. While nothing else is on its
	// way to others there is no wait. Each submission makes the token go round.
	Batch      int
	BatchDelay time.Duration
	// AckTimeout is how long a member may hold nothing new of what it lacks.
	AckTimeout time.Duration
	// Backoff is how long a process that was suspended waits before it offers
	// its endpoint again; it doubles each time up to MaxBackoff, and begins anew
	// after a view that lasted so long.
	Backoff, MaxBackoff time.Duration
}

// Defaults are the values that libcpg uses.
var Defaults = Config{
	SmallLimit: 8 << 10,
	LargeLimit: 8 << 20,
	Overhead:   256,
	Window:     16 << 20,
	Credit:     64 << 20,
	Batch:      2 << 20,
	BatchDelay: 2 * time.Millisecond,
	AckTimeout: time.Second,
	Backoff:    time.Second,
	MaxBackoff: 30 * time.Second,
}

// Never is the deadline of a core that waits for nothing.
const Never = time.Duration(1<<63 - 1)

// ErrFull says that the window is full; [Room] tells when it is not.
var ErrFull = errors.New("too many bytes of own messages wait for their order")

// An EffectKind tells effects apart.
type EffectKind uint8

// The kinds of effects.
const (
	// Transmit sends Payload, number Seq of View, to each of To. The bytes must
	// not change before the message is released or its view has ended.
	Transmit EffectKind = iota
	// Hold tells Peer that this process holds its messages up to number Seq of
	// View and takes Credit bytes of it, counted from the view's beginning.
	Hold
	// Submit asks the daemon to order Count messages from number Seq of View on.
	Submit
	// Release gives the application From's message Payload.
	Release
	// Drop gives Payload back: it will not be delivered from here.
	Drop
	// Suspend asks the daemon to take Peer's endpoint out of the group.
	Suspend
	// Announce asks the daemon to offer this process's endpoint again.
	Announce
	// Room says that Send will take a message again.
	Room
	// Broken says that Peer had a message ordered that it never sent here. The
	// group's history can't be followed any more: the process must leave.
	Broken
)

// An Effect is one thing to do. Which fields matter depends on Kind.
type Effect struct {
	Kind    EffectKind
	To      []Member // the output's, valid until it is emptied
	Peer    Member
	From    Member
	View    View
	Seq     uint64
	Count   uint32
	Credit  uint64
	Payload Payload
}

// An Output collects effects, to be performed in order. Reset empties it and
// keeps its storage.
type Output struct {
	Effects []Effect
	members []Member // behind the effects' To
}

// Reset empties the list.
func (o *Output) Reset() {
	clear(o.Effects)
	o.Effects, o.members = o.Effects[:0], o.members[:0]
}

func (o *Output) add(e Effect) { o.Effects = append(o.Effects, e) }
