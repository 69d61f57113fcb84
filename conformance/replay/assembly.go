package replay

import (
	"bytes"

	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// An assembler joins fragments just as stock's does, defects included: a
// receiver that comes in the middle of a message discards every frame up to the
// first that ends with a whole message, and what else is in that one as well
// (exec/totempg.c: totempg_deliver_fn). Package pg's does better, but what the
// recorded clients were told came through this.
type assembler map[totem.NodeID]*assembly

type assembly struct {
	data    []byte
	last    uint8
	discard bool
}

// frame takes a node's next frame and calls emit for each message that is whole;
// end is where in the frame's data it ends.
func (a assembler) frame(from totem.NodeID, f *pg.Frame, emit func(msg []byte, end int)) {
	as := a[from]
	if as == nil {
		as = &assembly{}
		a[from] = as
	}
	if f.Fragmented == 0 {
		delete(a, from)
	}
	if as.discard {
		as.data = nil
		as.discard = f.Fragmented > 1
		return
	}
	if f.Continuation != as.last {
		as.data, as.discard = nil, true
		return
	}
	as.last = f.Fragmented
	at := 0
	for i, n := range f.Lengths {
		piece := f.Data[at : at+int(n)]
		at += int(n)
		msg := piece
		if i == 0 && len(as.data) > 0 {
			as.data = append(as.data, piece...)
			msg = as.data
		}
		if i == len(f.Lengths)-1 && f.Fragmented != 0 {
			if i > 0 || len(as.data) == 0 {
				as.data = bytes.Clone(piece)
			}
			return
		}
		emit(msg, at)
	}
	as.data = nil
}

func (a assembler) forget(n totem.NodeID) { delete(a, n) }
