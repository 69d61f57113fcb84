package mesh

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// accept takes connections until the listener is closed.
func (m *Mesh) accept(l net.Listener) {
	for m.ctx.Err() == nil {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the other end gave up
			select {
			case <-time.After(10 * time.Millisecond):
			case <-m.ctx.Done():
			}
			continue
		}
		src, err := m.source(conn)
		if err != nil {
			conn.Close()
			continue
		}
		ticket, crowded := m.gate.enter(conn, src)
		if crowded {
			m.counts.crowded.Add(1)
		}
		if ticket != nil {
			m.wg.Go(func() { m.serve(conn, ticket) })
		}
	}
}

func (m *Mesh) source(conn net.Conn) (source, error) {
	switch c := conn.(type) {
	case *net.UnixConn:
		pid, err := pidOf(c)
		return source{pid: pid}, err
	case *net.TCPConn:
		keepAlive(c)
		return sourceOf(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()), nil
	}
	return source{}, errors.ErrUnsupported
}

var errStranger = errors.New("mesh: not a member of the view")

// serve is an accepted connection's life.
func (m *Mesh) serve(conn net.Conn, ticket *pending) {
	defer conn.Close()
	tc, in, err := m.meet(conn, ticket)
	if still := m.gate.leave(ticket); !still && err != nil {
		return // counted as crowded
	}
	switch {
	case err == nil:
		m.counts.met.Add(1)
		in.run(tc)
	case errors.Is(err, errStranger):
		m.counts.strangers.Add(1)
	case errors.Is(err, os.ErrDeadlineExceeded):
		m.counts.slow.Add(1)
	default:
		m.counts.refused.Add(1)
	}
}

// meet finds out who dialled.
func (m *Mesh) meet(conn net.Conn, ticket *pending) (*tls.Conn, *incoming, error) {
	id := m.identified(ticket)
	if id == nil {
		return nil, nil, errStranger
	}
	conn.SetDeadline(time.Now().Add(m.opt.HandshakeTime))
	tc := tls.Server(&limited{conn, handshakeRoom}, id.server())
	if err := tc.HandshakeContext(m.ctx); err != nil {
		return nil, nil, err
	}
	var b [helloLen]byte
	if _, err := io.ReadFull(tc, b[:]); err != nil {
		return nil, nil, err
	}
	var h hello
	if err := h.decode(&b); err != nil {
		return nil, nil, err
	}
	if h.to != m.opt.Self || h.way != wayOf(conn) || h.way == overUnix && !m.pidIs(ticket.source.pid, h.from.PID) {
		return nil, nil, errStranger
	}
	in := &incoming{mesh: m, conn: conn, wake: make(chan struct{}, 1), done: make(chan struct{})}
	before, err := m.admit(in, ticket, id, &h, tc.ConnectionState().PeerCertificates[0])
	if err != nil {
		return nil, nil, err
	}
	if before != nil { // its last message comes before our first
		before.conn.Close()
		<-before.done
	}
	return tc, in, nil
}

// identified waits a while for this process's identity; nil if it has none then.
func (m *Mesh) identified(ticket *pending) *identity {
	patience := time.NewTimer(m.opt.HandshakeTime)
	defer patience.Stop()
	for {
		m.mu.Lock()
		id, changed := m.identity, m.changed
		m.mu.Unlock()
		if id != nil {
			return id
		}
		select {
		case <-changed:
		case <-patience.C:
			return nil
		case <-ticket.gone:
			return nil
		case <-m.ctx.Done():
			return nil
		}
	}
}

// admit makes a connection its dialler's, if that is a member. If it says that
// it is in a later view, this process comes to it soon, and it may wait a while.
// It returns the connection of the member's that this one is in place of.
func (m *Mesh) admit(in *incoming, ticket *pending, id *identity, h *hello, cert *x509.Certificate) (before *incoming, err error) {
	patience := time.NewTimer(m.opt.ViewTime)
	defer patience.Stop()
	for {
		m.mu.Lock()
		p, changed := m.peers[h.from], m.changed
		switch {
		case m.closed || m.identity == nil || !m.identity.sameRoot(id):
			err = errStranger
		case p != nil && !p.banned && id.is(cert, p.Member, p.endpoint.Key) == nil:
			before, p.in, in.peer = p.in, in, p
			m.mu.Unlock()
			return before, nil
		case !later(h.view, m.last) || p != nil && p.banned:
			err = errStranger
		}
		m.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-patience.C:
			return nil, errStranger
		case <-ticket.gone:
			return nil, errStranger
		case <-m.ctx.Done():
			return nil, errStranger
		}
	}
}
