package shm

import (
	"sync/atomic"
	"unsafe"
)

// ControlSize is the size of the socket transport's control file: for each of
// request, response and event
//
//	sent int32 | flow_control int32
//
// (libqb lib/ipc_socket.c: struct ipc_us_control).
const ControlSize = 24

// A Channel is one direction's place in the control file.
type Channel int

// The three channels in the file's order.
const (
	RequestChannel Channel = iota
	ResponseChannel
	EventChannel
)

// A Control is the control file in memory. The other end is trusted with it as
// little as with a ring: nothing is believed that it says.
type Control struct{ mem Memory }

// ControlIn is the control file whose mapping is b: ControlSize bytes, 8-aligned.
func ControlIn(b []byte) Control { return Control{Memory{Head: b}} }

// Guard runs access, which touches the file; see [Memory.Guard].
func (c Control) Guard(access func() error) error { return c.mem.Guard(access) }

// Sent counts a message in, as its sender does after each send.
func (c Control) Sent(ch Channel) { c.word(ch, 0).Add(1) }

// Taken counts a message out, as its receiver does.
func (c Control) Taken(ch Channel) { c.word(ch, 0).Add(-1) }

// Pending is how many messages were sent and not taken, if both ends count.
func (c Control) Pending(ch Channel) int32 { return c.word(ch, 0).Load() }

// Flow is the flow-control word that clients look at before they send
// (qb_ipc_us_fc_get).
func (c Control) Flow() int32 { return c.word(RequestChannel, 4).Load() }

// SetFlow sets that word (qb_ipc_us_fc_set).
func (c Control) SetFlow(word int32) { c.word(RequestChannel, 4).Store(word) }

func (c Control) word(ch Channel, off int) *atomic.Int32 {
	return (*atomic.Int32)(unsafe.Pointer(&c.mem.Head[int(ch)*8+off]))
}

// Unmap gives the memory back.
func (c Control) Unmap() { c.mem.Unmap() }
