package net

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sendBatch = 64      // messages in one sendmmsg
	sendBytes = 1 << 20 // and their bytes: the call is not interruptible
	// maxSegments is what every kernel with UDP_SEGMENT takes (128 since 6.9).
	maxSegments = 64
	// The largest UDP payloads: 65535 less the headers that count towards it.
	maxPayload4 = 65535 - 20 - 8
	maxPayload6 = 65535 - 8
)

// A parcel is one message for the kernel: one datagram, or several back to back
// that it cuts apart, each segment long but for the last.
type parcel struct {
	to      netip.AddrPort
	b       []byte
	segment int // 0: a single datagram
	tag     uint32
}

// datagrams is how many the parcel holds.
func (p *parcel) datagrams() int {
	if p.segment == 0 {
		return 1
	}
	return (len(p.b) + p.segment - 1) / p.segment
}

// An outbox is one sendmmsg in the making: parcels beside the headers that
// describe them. It holds the bytes' addresses, not the bytes. Parcels before
// head are done.
type outbox struct {
	parcels  [sendBatch]parcel
	headers  [sendBatch]unix.Mmsghdr
	vectors  [sendBatch]unix.Iovec
	names    [sendBatch]rawAddr
	controls [sendBatch]segmentControl
	head, n  int
	bytes    int
}

// segmentControl is the control message that carries UDP_SEGMENT, padded as
// CMSG_SPACE does.
type segmentControl struct {
	unix.Cmsghdr
	segment uint16
	_       [6]byte
}

func newOutbox() *outbox {
	o := new(outbox)
	for i := range o.headers {
		h := &o.headers[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&o.names[i]))
		h.Iov = &o.vectors[i]
		h.SetIovlen(1)
		c := &o.controls[i]
		c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
	}
	return o
}

func (o *outbox) full() bool { return o.n == sendBatch || o.bytes >= sendBytes }

func (o *outbox) reset() { o.head, o.n, o.bytes = 0, 0, 0 }

// add appends a parcel; the outbox must not be full.
func (o *outbox) add(p parcel, scope uint32) {
	i := o.n
	o.n++
	o.bytes += len(p.b)
	// The name is written anew only if it changed: bursts go to one peer.
	if o.parcels[i].to != p.to {
		o.headers[i].Hdr.Namelen = o.names[i].put(p.to, scope)
	}
	o.parcels[i] = p
	o.describe(i)
}

// describe makes the i-th header fit the i-th parcel.
func (o *outbox) describe(i int) {
	p, h := &o.parcels[i], &o.headers[i].Hdr
	o.vectors[i].Base = unsafe.SliceData(p.b)
	o.vectors[i].SetLen(len(p.b))
	h.Control = nil
	h.SetControllen(0)
	if p.segment != 0 && len(p.b) > p.segment {
		o.controls[i].segment = uint16(p.segment)
		h.Control = (*byte)(unsafe.Pointer(&o.controls[i]))
		h.SetControllen(int(unsafe.Sizeof(o.controls[i])))
	}
}
