package net

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// slotBytes holds any UDP datagram, and any run of them that the kernel
	// joined (UDP_GRO).
	slotBytes = 65536
	// inboxSlots bounds what one recvmmsg fetches: 2 MiB, of which small
	// datagrams touch only the first page of each slot.
	inboxSlots = 32
	// tokenSlots is enough for a socket that gets one datagram a rotation.
	tokenSlots = 4
)

// An inbox is the memory of one recvmmsg. Sockets of one transport share it:
// each hands on what it received before the next one's turn.
type inbox struct {
	slots    int
	memory   []byte // made at the first use; the kernel backs it page by page
	headers  []unix.Mmsghdr
	vectors  []unix.Iovec
	names    []rawAddr
	controls []groControl
}

// groControl has room for the control message of UDP_GRO and for one more, so
// that no option set beside it can push it out.
type groControl struct {
	unix.Cmsghdr
	segment int32
	_       [28]byte
}

func newInbox(slots int) *inbox { return &inbox{slots: slots} }

// prepare makes the first n headers ready for the kernel to fill in.
func (b *inbox) prepare(n int) {
	if b.memory == nil {
		b.allocate()
	}
	for i := range n {
		h := &b.headers[i].Hdr
		h.Namelen = uint32(unsafe.Sizeof(b.names[i]))
		h.SetControllen(int(unsafe.Sizeof(b.controls[i])))
		h.Flags = 0
		b.names[i].Family = unix.AF_UNSPEC
	}
}

func (b *inbox) allocate() {
	b.memory = make([]byte, b.slots*slotBytes)
	b.headers = make([]unix.Mmsghdr, b.slots)
	b.vectors = make([]unix.Iovec, b.slots)
	b.names = make([]rawAddr, b.slots)
	b.controls = make([]groControl, b.slots)
	for i := range b.headers {
		b.vectors[i].Base = &b.memory[i*slotBytes]
		b.vectors[i].SetLen(slotBytes)
		h := &b.headers[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&b.controls[i]))
	}
	b.prepare(b.slots)
}

// received gives the i-th message's bytes and the length of each datagram in
// it. whole is false if it did not fit, which no datagram of IP does.
func (b *inbox) received(i int) (bytes []byte, segment int, whole bool) {
	h := &b.headers[i]
	n := min(int(h.Len), slotBytes)
	bytes = b.memory[i*slotBytes : i*slotBytes+n]
	segment = n
	c := &b.controls[i]
	if int(h.Hdr.Controllen) >= unix.CmsgLen(4) && c.Level == unix.IPPROTO_UDP && c.Type == unix.UDP_GRO && c.segment > 0 {
		segment = int(c.segment)
	}
	return bytes, segment, h.Hdr.Flags&unix.MSG_TRUNC == 0
}
