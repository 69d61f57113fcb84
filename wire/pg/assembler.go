package pg

import (
	"errors"

	"cpgol/wire/totem"
)

// Limits of a message.
const (
	// MaxMessage is the longest message, group header included, that may be
	// sent: every receiver of the reference can take it.
	MaxMessage = 1 << 20
	// MaxAssembly bounds what is held of one node's message; the reference
	// aborts beyond it.
	MaxAssembly = MaxMessage + 64<<10
)

// What an Assembler refuses besides malformed frames.
var (
	// ErrTooLong tells that a message grew beyond MaxAssembly and was dropped.
	ErrTooLong = errors.New("pg: message too long to assemble")
	// ErrTooMany tells that more nodes than a ring can have left messages open.
	ErrTooMany = errors.New("pg: too many nodes with open messages")
)

// maxFree is how many assemblies are kept for the next message. Each may have
// grown to MaxAssembly, so they are few.
const maxFree = 8

// An Assembler puts messages together again. It holds memory only for nodes
// that are in the middle of a message. The zero value is ready to use.
type Assembler struct {
	open  map[totem.NodeID]*assembly
	free  []*assembly
	frame Frame
	// Discarded counts pieces dropped because their message's beginning was
	// never seen, or its end never came.
	Discarded uint64
}

// An assembly is the beginning of a node's message.
type assembly struct {
	data []byte
	last uint8 // Fragmented of the frame that data ends with; never zero
}

// Frame takes one frame of a node and calls emit with each message that is
// complete, in order; msg is valid during the call only.
//
// A receiver that comes in the middle of a message drops its remaining pieces,
// but not complete messages packed behind them. (The reference drops those too
// and only goes on after a frame that is not continued; see totempg_deliver_fn.)
// The error is a *FrameError, ErrTooLong or ErrTooMany; messages of the same
// frame before and behind the offending one have been emitted.
func (a *Assembler) Frame(from totem.NodeID, bigEndian bool, frame []byte, emit func(msg []byte)) error {
	f := &a.frame
	f.BigEndian = bigEndian
	if _, err := f.Decode(frame); err != nil {
		return err
	}
	lengths, data := f.Lengths, f.Data
	var err error
	if f.Continuation != 0 && len(lengths) > 0 {
		// The first piece continues a message, and if the only piece is itself
		// continued nothing is complete yet.
		whole := len(lengths) > 1 || f.Fragmented == 0
		err = a.resume(from, f.Continuation, f.Fragmented, data[:lengths[0]], whole, emit)
		if !whole {
			return err
		}
		data, lengths = data[lengths[0]:], lengths[1:]
	} else {
		a.drop(from)
	}
	for i, n := range lengths {
		msg := data[:n]
		data = data[n:]
		if i == len(lengths)-1 && f.Fragmented != 0 {
			if e := a.begin(from, f.Fragmented, msg); err == nil {
				err = e
			}
			return err
		}
		emit(msg)
	}
	return err
}

// resume adds the piece that continues a message, and emits the message if this
// was its last one.
func (a *Assembler) resume(from totem.NodeID, continuation, fragmented uint8, piece []byte, whole bool, emit func([]byte)) error {
	as := a.open[from]
	if as == nil || as.last != continuation {
		a.drop(from)
		a.Discarded++
		return nil
	}
	if len(as.data)+len(piece) > MaxAssembly {
		a.drop(from)
		return ErrTooLong
	}
	as.data = append(as.data, piece...)
	as.last = fragmented
	if whole {
		delete(a.open, from) // before emit, which may call Forget
		emit(as.data)
		a.release(as)
	}
	return nil
}

// begin holds the first piece of a message.
func (a *Assembler) begin(from totem.NodeID, fragmented uint8, piece []byte) error {
	if len(a.open) >= totem.MaxNodes {
		a.Discarded++
		return ErrTooMany
	}
	if a.open == nil {
		a.open = make(map[totem.NodeID]*assembly)
	}
	var as *assembly
	if n := len(a.free); n > 0 {
		as, a.free = a.free[n-1], a.free[:n-1]
	} else {
		as = &assembly{}
	}
	as.data = append(as.data[:0], piece...)
	as.last = fragmented
	a.open[from] = as
	return nil
}

// Forget drops what is held of a node's message: it left, or came back with a
// life of its own (assembly_deref_from_normal_and_trans).
func (a *Assembler) Forget(n totem.NodeID) { a.drop(n) }

// drop gives up a node's open message, if there is one.
func (a *Assembler) drop(n totem.NodeID) {
	if as := a.open[n]; as != nil {
		delete(a.open, n)
		a.release(as)
		a.Discarded++
	}
}

func (a *Assembler) release(as *assembly) {
	if len(a.free) < maxFree {
		a.free = append(a.free, as)
	}
}
