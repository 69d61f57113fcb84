package mesh

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A hello is the dialler's first word, inside TLS: who it is, whom it means, its
// view, and what it takes the connection for. Who relays a handshake
// between two kinds of sockets, or from somebody who was meant for another, is told
// apart by the last two.
//
//	magic 4 "cpgM" | version 4 | from node 4 | pid 4 | to node 4 | pid 4 | view 20 | way 4
type hello struct {
	from, to offload.Member
	view     offload.View
	way      way
}

// A way is what a connection goes over.
type way uint32

const (
	overTCP  way = 1
	overUnix way = 2
)

func wayOf(c net.Conn) way {
	if _, ok := c.(*net.UnixConn); ok {
		return overUnix
	}
	return overTCP
}

const (
	helloLen      = 48
	helloMagic    = 0x4d677063 // "cpgM"
	meshVersion   = 1
	handshakeRoom = 16 << 10 // bytes that the other end may say before it is known
)

var errHello = errors.New("mesh: no hello of this version")

func (h *hello) append(b []byte) []byte {
	for _, v := range []uint32{helloMagic, meshVersion, uint32(h.from.Node), h.from.PID, uint32(h.to.Node), h.to.PID} {
		b = le.AppendUint32(b, v)
	}
	var view [viewLen]byte
	putView(view[:], h.view)
	return le.AppendUint32(append(b, view[:]...), uint32(h.way))
}

func (h *hello) decode(b *[helloLen]byte) error {
	if le.Uint32(b[0:]) != helloMagic || le.Uint32(b[4:]) != meshVersion {
		return errHello
	}
	h.from = offload.Member{Node: totem.NodeID(le.Uint32(b[8:])), PID: le.Uint32(b[12:])}
	h.to = offload.Member{Node: totem.NodeID(le.Uint32(b[16:])), PID: le.Uint32(b[20:])}
	h.view, h.way = cutView(b[24:]), way(le.Uint32(b[44:]))
	return nil
}

// A welcome is the answer: magic 4 | version 4. From then on each end says its next
// word in its layer; the receiver says none before the dialler did, so that
// TLS has not read ahead what is not its.
const welcomeLen = 8

func appendWelcome(b []byte) []byte {
	return le.AppendUint32(le.AppendUint32(b, helloMagic), meshVersion)
}

// A limited connection can be read only so far.
type limited struct {
	net.Conn
	left int
}

var errTooMuch = errors.New("mesh: too much before the handshake's end")

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooMuch
	}
	n, err := l.Conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// greet is the dialler's side: TLS and the hello. Then it waits for the welcome.
func (p *peer) greet(conn net.Conn, id *identity, e *offload.Endpoint, v offload.View) (*tls.Conn, error) {
	m := p.mesh
	conn.SetDeadline(time.Now().Add(m.opt.HandshakeTime))
	tc := tls.Client(&limited{conn, handshakeRoom}, id.client(p.Member, e.Key))
	if err := tc.HandshakeContext(p.ctx); err != nil {
		return nil, fmt.Errorf("mesh: handshake with %v: %w", p.Member, err)
	}
	h := hello{from: m.opt.Self, to: p.Member, view: v, way: wayOf(conn)}
	_, err := tc.Write(h.append(nil))
	return tc, err
}

// welcomed waits for the welcome and leaves TLS behind.
func (p *peer) welcomed(conn net.Conn, tc *tls.Conn) (*layer, error) {
	m := p.mesh
	conn.SetDeadline(time.Now().Add(m.opt.HandshakeTime + m.opt.ViewTime))
	var b [welcomeLen]byte
	if _, err := io.ReadFull(tc, b[:]); err != nil {
		return nil, err
	}
	if le.Uint32(b[0:]) != helloMagic || le.Uint32(b[4:]) != meshVersion {
		return nil, errHello
	}
	l, err := m.layer(tc, conn, true)
	if err != nil {
		return nil, err
	}
	if err := l.say(&record{kind: kindBegin}); err != nil {
		return nil, err
	}
	return l, conn.SetDeadline(time.Time{})
}

// say writes a single record.
func (l *layer) say(r *record) error {
	b := net.Buffers{l.out.append(make([]byte, 0, recordLen+sealLen), r)}
	return l.write(&b)
}
