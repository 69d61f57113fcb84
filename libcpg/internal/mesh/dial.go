package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/wire/offload"
)

// A layerFunc makes a layer of a connection after its handshake.
type layerFunc func(tc *tls.Conn, raw net.Conn, dialled bool) (*layer, error)

const (
	// connectTime is how long one address may take: short enough to come to
	// the next before the member is given up.
	connectTime = 500 * time.Millisecond
	// Between attempts. The first comes at once, also after a connection that
	// lasted; the second soon, also after one that was used.
	leastBackoff = 20 * time.Millisecond
	mostBackoff  = time.Second
	steady       = time.Second
)

// run sees to it that there is a connection to the member while it is one and a
// view is on.
func (p *peer) run() {
	m := p.mesh
	var backoff time.Duration
	for p.ctx.Err() == nil {
		m.mu.Lock()
		v, id, e, changed := m.view, m.identity, p.endpoint, m.changed
		m.mu.Unlock()
		if v == (offload.View{}) || id == nil {
			select {
			case <-changed:
			case <-p.ctx.Done():
			}
			continue
		}
		if conn, l, err := p.connect(id, &e, v); err != nil {
			m.counts.failed.Add(1)
		} else {
			m.counts.met.Add(1)
			began := time.Now()
			used := p.session(conn, l, id)
			if time.Since(began) > steady {
				backoff = 0
			} else if used {
				backoff = min(backoff, leastBackoff)
			}
		}
		wait := backoff + time.Duration(rand.Int64N(int64(backoff/4+1)))
		backoff = min(max(2*backoff, leastBackoff), mostBackoff)
		select {
		case <-time.After(wait):
		case <-changed: // to another view, or with another certificate
			backoff = 0
		case <-p.ctx.Done():
		}
	}
}

var errNowhere = errors.New("mesh: no address to dial")

// socketTries is how often the member's socket is tried in a row before its addresses are
// too. Where processes see each other's PIDs the socket works, or soon will; a
// connection over TCP would stay and be the slower one.
const socketTries = 3

// connect tries the member's addresses in their order: its socket, if it is on
// this node, and those of TCP.
func (p *peer) connect(id *identity, e *offload.Endpoint, v offload.View) (net.Conn, *layer, error) {
	err := errNowhere
	try := func(dial func(context.Context) (net.Conn, error)) (net.Conn, *layer) {
		conn, l, e := p.attempt(id, e, v, dial)
		if e != nil {
			err = e
		}
		return conn, l
	}
	if p.Node == p.mesh.opt.Self.Node && strings.HasPrefix(e.Socket, socketPrefix) {
		if conn, l := try(func(ctx context.Context) (net.Conn, error) { return p.dialUnix(ctx, e.Socket) }); l != nil {
			p.refused = 0
			return conn, l, nil
		}
		if p.refused++; p.refused < socketTries && !errors.Is(err, errRelay) && !errors.Is(err, unix.ECONNREFUSED) {
			return nil, nil, err
		}
	}
	for _, a := range e.Addresses {
		if p.ctx.Err() != nil {
			break
		}
		if conn, l := try(func(ctx context.Context) (net.Conn, error) { return dialTCP(ctx, a) }); l != nil {
			return conn, l, nil
		}
	}
	return nil, nil, err
}

// attempt dials once and shakes hands. Not too many do at once; who waits to be
// welcomed is not counted.
func (p *peer) attempt(id *identity, e *offload.Endpoint, v offload.View, dial func(context.Context) (net.Conn, error)) (net.Conn, *layer, error) {
	m := p.mesh
	select {
	case m.dials <- struct{}{}:
	case <-p.ctx.Done():
		return nil, nil, p.ctx.Err()
	}
	conn, tc, err := p.call(id, e, v, dial)
	<-m.dials
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(p.ctx, func() { conn.Close() })
	defer stop()
	l, err := p.welcomed(conn, tc)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, l, nil
}

func (p *peer) call(id *identity, e *offload.Endpoint, v offload.View, dial func(context.Context) (net.Conn, error)) (net.Conn, *tls.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, connectTime)
	conn, err := dial(ctx)
	cancel()
	if err != nil {
		return nil, nil, err
	}
	tc, err := p.greet(conn, id, e, v)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, tc, nil
}

var errRelay = errors.New("mesh: another process listens at the member's socket")

// dialUnix dials the socket of a member on this node. What goes over it later is
// not sealed, so it must be the member itself that listens, and not somebody who
// hands the handshake on to it. A process of another PID namespace can't be told;
// it is dialled over TCP.
func (p *peer) dialUnix(ctx context.Context, name string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", "@"+name)
	if err != nil {
		return nil, err
	}
	if pid, err := pidOf(conn.(*net.UnixConn)); err != nil || !p.mesh.pidIs(pid, p.PID) {
		conn.Close()
		return nil, errors.Join(errRelay, err)
	}
	return conn, nil
}

func dialTCP(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", a.String())
	if err != nil {
		return nil, err
	}
	keepAlive(conn.(*net.TCPConn))
	return conn, nil
}
