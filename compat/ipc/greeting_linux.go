package ipc

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// maxGreetings bounds the clients that connected and said nothing yet. Honest
// ones speak at once; beyond the bound the oldest is hung up on. The reference
// lets them hold descriptors for ever.
const maxGreetings = 128

// minMessage is the least message size of a connection: clients of the
// reference raise theirs to the connection response's (libqb
// lib/ipcc.c:qb_ipcc_connect).
const minMessage = shm.ResponseLen

// A greeting is a socket before it is a connection.
type greeting struct {
	listener *Listener
	fd       int
	buf      [shm.RequestLen]byte
	n        int
	cred     *unix.Ucred
}

// greet waits for an accepted client's first message.
func (s *Server) greet(l *Listener, fd int) {
	if len(s.greeting) >= maxGreetings {
		s.greeting[0].close()
	}
	g := &greeting{listener: l, fd: fd}
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = s.poll.Add(fd, unix.EPOLLIN, func(uint32) { s.enter(g.ready) })
	}
	if err != nil {
		unix.Close(fd)
		s.stats.Strays++
		return
	}
	s.greeting = append(s.greeting, g)
}

// ready reads on; a client that hangs up or says anything unexpected is closed
// without an answer (libqb lib/ipc_setup.c:process_auth).
func (g *greeting) ready() {
	if g.fd < 0 {
		return
	}
	// There is room for credentials and for nothing else, so descriptors that
	// a client passes along are not installed.
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	n, oobn, _, _, err := unix.Recvmsg(g.fd, g.buf[g.n:], oob, unix.MSG_CMSG_CLOEXEC)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		g.close()
		return
	}
	if cred := credentials(oob[:oobn]); cred != nil {
		g.cred = cred
	}
	if g.n += n; g.n < len(g.buf) {
		return
	}
	var req shm.ConnectRequest
	if _, err := req.Decode(g.buf[:]); err != nil || g.cred == nil {
		g.close()
		return
	}
	g.leave()
	g.connect(req)
}

func credentials(oob []byte) *unix.Ucred {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if cred, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			return cred
		}
	}
	return nil
}

// leave ends the greeting; the socket stays open.
func (g *greeting) leave() {
	s := g.listener.server
	s.poll.Remove(g.fd)
	s.greeting = slices.DeleteFunc(s.greeting, func(other *greeting) bool { return other == g })
}

func (g *greeting) close() {
	g.leave()
	unix.Close(g.fd)
	g.fd = -1
	g.listener.server.stats.Strays++
}

// connect makes a connection of the socket or tells the client why not. The
// response is always of one size and goes out in one write: clients before
// libqb 2.0.7 fail on a short read (handle_new_connection).
func (g *greeting) connect(req shm.ConnectRequest) {
	s := g.listener.server
	unix.SetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 0)
	var res shm.ConnectResponse
	c, err := g.admit(req, &res)
	if err != nil {
		res = shm.ConnectResponse{Errno: int32(errnoOf(err))}
	}
	n, writeErr := unix.Write(g.fd, res.Append(nil))
	switch {
	case err != nil:
		unix.Close(g.fd)
		s.stats.Refused++
	case writeErr != nil || n != shm.ResponseLen:
		c.release()
		s.stats.Strays++
	default:
		s.stats.Accepted++
		s.conns[c] = struct{}{}
		g.listener.handler.Connected(c)
	}
}

// admit decides, then makes the rings. Where the reference makes the directory
// first, nothing is made here for a client that is refused.
func (g *greeting) admit(req shm.ConnectRequest, res *shm.ConnectResponse) (*Conn, error) {
	s := g.listener.server
	cred := Credentials{PID: uint32(g.cred.Pid), UID: g.cred.Uid, GID: g.cred.Gid}
	if errno := g.listener.handler.Accept(cred); errno != 0 {
		return nil, errno
	}
	if len(s.conns) >= s.opt.MaxConnections {
		return nil, unix.EMFILE
	}
	if req.MaxMessage > uint32(s.opt.MaxMessage) {
		return nil, unix.EMSGSIZE
	}
	c := &Conn{
		server:   s,
		listener: g.listener,
		fd:       g.fd,
		cred:     cred,
		serial:   serials.Add(1),
		max:      max(int(req.MaxMessage), minMessage),
	}
	if err := c.makeCarrier(res); err != nil {
		return nil, err
	}
	if err := s.poll.Add(c.fd, unix.EPOLLIN, c.ready); err != nil {
		c.fd = -1 // the socket is still the greeting's
		c.release()
		return nil, err
	}
	return c, nil
}

// makeCarrier makes the connection's directory and what carries its messages.
func (c *Conn) makeCarrier(res *shm.ConnectResponse) error {
	s := c.server
	dir, fd, err := makeDirectory(s.parent, os.Getpid(), c.cred.PID, c.fd)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	c.dir = dir
	*res = shm.ConnectResponse{MaxMessage: uint32(c.max), Connection: c.serial}
	path := s.opt.Dir + "/" + dir.name + "/"
	owner := shm.Owner{UID: int(c.cred.UID), GID: int(c.cred.GID)}
	make := newRings
	if s.opt.Transport == Sockets {
		make = newSockets
	}
	c.carrier, err = make(c, fd, path, owner, res)
	if err == nil {
		if err = giveDirectory(fd, c.cred); err != nil {
			c.carrier.close()
		}
	}
	if err != nil {
		c.removeFiles()
		return err
	}
	answers, events := c.carrier.sinks()
	c.response = outlet{to: answers, pool: &s.blocks}
	c.event = outlet{to: events, pool: &s.blocks}
	return nil
}

func (c *Conn) removeFiles() {
	c.dir.remove(func(fd int) {
		for name := range connectionFiles(c.listener.name) {
			unix.Unlinkat(fd, name, 0)
		}
	})
}

// errnoOf is what the client is told of err.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != 0 {
		return errno
	}
	return unix.EIO
}
