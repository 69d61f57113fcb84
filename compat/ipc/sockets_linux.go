package ipc

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/dgram"
	"cpgol/compat/ipc/internal/shm"
)

// sockets carry a connection as datagrams (libqb lib/ipc_socket.c). There is a
// pair of sockets for requests and answers and one for events, with names that
// anybody in the network namespace can see, and a file with the flow-control
// word.
//
// A stranger may send to our sockets until they are connected, and may even
// take the client's names before it does, which then cannot start. So until
// the first request only a datagram counts that comes from the client's name and
// from its user or process; that one proves that the client holds both its
// names, and the sockets are connected to them. From there on the kernel keeps
// strangers out, and a client may fork and change its user (before it, either;
// one that has done both is not told from a stranger). What the reference takes
// from anybody until it first answers, is dropped and counted here.
//
// Events before the proof, which a cpg client that did not ask for anything
// gets at a change of membership, go to whoever holds the client's name, as in
// the reference; they tell no more than the membership.
type sockets struct {
	conn       *Conn
	in         *dgram.Socket // requests in, answers out
	out        *dgram.Socket // events
	toResponse dgramSink
	toEvent    dgramSink
	control    shm.Control

	proven bool // the client has shown itself
	sealed bool // it has hung up
	held   bool // the poller does not tell of requests
}

var _ carrier = (*sockets)(nil)

// newSockets makes the control file in the directory open at dir, whose path is
// path, and binds the server's two sockets.
func newSockets(c *Conn, dir int, path string, owner shm.Owner, res *shm.ConnectResponse) (_ carrier, err error) {
	s := &sockets{conn: c}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	base := path + "qb-" + c.listener.name
	if s.in, err = bind(base, "request"); err != nil {
		return nil, err
	}
	if s.out, err = bind(base, "event-tx"); err != nil {
		return nil, err
	}
	s.out.CloseRead()
	if err = s.toResponse.init(s, s.in, shm.ResponseChannel, base, "response", c.max); err != nil {
		return nil, err
	}
	if err = s.toEvent.init(s, s.out, shm.EventChannel, base, "event", c.max); err != nil {
		return nil, err
	}
	file := controlName(c.listener.name)
	if s.control, err = shm.CreateControl(dir, file, owner); err != nil {
		return nil, err
	}
	if err = c.server.poll.Add(s.in.FD(), unix.EPOLLIN, s.ready); err != nil {
		return nil, err
	}
	res.Transport = shm.TypeSocket
	res.Request, res.Response = path+file, base
	return s, nil
}

// bind opens a socket of ours. Credentials are asked for before it has a name,
// so that every datagram bears them.
func bind(base, suffix string) (*dgram.Socket, error) {
	name, err := dgram.MakeName(base, suffix)
	if err != nil {
		return nil, err
	}
	s, err := dgram.Open()
	if err == nil {
		if err = s.PassCredentials(); err == nil {
			err = s.Bind(&name)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, err
}

func (s *sockets) sinks() (answers, events sink) { return &s.toResponse, &s.toEvent }
func (s *sockets) longest() int                  { return min(s.toResponse.limit, s.toEvent.limit) }
func (s *sockets) told() bool                    { return false }

// ready is the poller's call for requests. While none may be read it is not to
// call again. It would for an error, which a client causes that connects its
// socket to another's.
func (s *sockets) ready(events uint32) {
	c := s.conn
	c.server.enter(func() {
		if !c.open() {
			return
		}
		if events&unix.EPOLLERR != 0 {
			c.fail(fmt.Errorf("error on the socket for requests: %w", ErrCorrupt))
			return
		}
		if !c.readable() {
			c.fail(s.hold())
			return
		}
		c.process()
	})
}

func (s *sockets) hold() error {
	if s.held || s.sealed {
		return nil
	}
	s.held = true
	return s.conn.server.poll.Modify(s.in.FD(), 0)
}

func (s *sockets) release() error {
	if !s.held || s.sealed {
		return nil
	}
	s.held = false
	return s.conn.server.poll.Modify(s.in.FD(), unix.EPOLLIN)
}

// maxForeign is how many strangers' datagrams are dropped in a row.
const maxForeign = 64

// take drops what is not the client's, then takes a request.
func (s *sockets) take(buf []byte) ([]byte, error) {
	if cap(buf) < s.conn.max {
		buf = make([]byte, s.conn.max)
	}
	buf = buf[:s.conn.max]
	for range maxForeign {
		n, whole, err := s.in.Recv(buf)
		switch {
		case dgram.Full(err):
			return nil, shm.ErrEmpty
		case err != nil:
			return nil, fmt.Errorf("receive a request: %w: %w", ErrCorrupt, err)
		case !s.fromClient():
			s.conn.server.stats.Foreign++
			continue
		case !whole:
			return nil, fmt.Errorf("request of more than %d bytes: %w", len(buf), ErrMalformed)
		}
		return buf[:n], s.control.Guard(func() error {
			s.control.Taken(shm.RequestChannel)
			return nil
		})
	}
	return nil, errAgain
}

// fromClient reports whether the client sent the last datagram. The first such
// connects the sockets. What others had sent before that is still to come, so
// the name is looked at for ever.
func (s *sockets) fromClient() bool {
	if *s.in.From() != s.toResponse.name {
		return false
	}
	if s.proven {
		return true
	}
	cred, ok := s.in.Credentials()
	us := s.conn.cred
	if !ok || cred.Uid != us.UID && (us.PID == 0 || uint32(cred.Pid) != us.PID) {
		return false
	}
	s.proven = true
	s.toResponse.connect()
	s.toEvent.connect() // anew, if it was: now the name is the client's
	return true
}

// queued: the poller tells of requests, until the client has hung up.
func (s *sockets) queued() (uint32, error) {
	if s.sealed {
		return 1, nil
	}
	return 0, nil
}

// seal lets no more requests in; those that are there are counted by taking
// them.
func (s *sockets) seal() (left uint32, err error) {
	s.in.CloseRead()
	s.unpoll()
	return math.MaxInt32, nil
}

func (s *sockets) unpoll() {
	if !s.sealed {
		s.sealed = true
		s.conn.server.poll.Remove(s.in.FD())
	}
}

func (s *sockets) setFlow(word int32) error {
	return s.control.Guard(func() error {
		s.control.SetFlow(word)
		return nil
	})
}

// close also serves a carrier that was not finished.
func (s *sockets) close() {
	if s.in != nil {
		s.unpoll()
		s.in.Close()
	}
	if s.out != nil {
		s.out.Close()
	}
	s.control.Unmap()
}

// A dgramSink is a socket towards the client. It is connected when there is
// first something to send, and at the latest when the client has shown itself.
type dgramSink struct {
	carrier   *sockets
	sock      *dgram.Socket
	name      dgram.Name // the client's
	channel   shm.Channel
	limit     int // longest message
	connected bool
	gone      bool // the client has closed its socket
}

func (d *dgramSink) init(s *sockets, sock *dgram.Socket, ch shm.Channel, base, suffix string, max int) (err error) {
	*d = dgramSink{carrier: s, sock: sock, channel: ch}
	if d.name, err = dgram.MakeName(base, suffix); err != nil {
		return err
	}
	d.limit, err = sock.Reserve(max)
	return err
}

// connect reports whether the client's socket is there. The reference waits for
// it in the middle of its loop, up to a second (_finish_connecting); here what
// is to be sent waits as if there were no room.
func (d *dgramSink) connect() bool {
	d.connected = d.sock.Connect(&d.name) == nil
	return d.connected
}

// write sends the message. A client that closes its sockets before it hangs up
// is not to lose the requests that it left; so what cannot reach it any more
// is as good as sent, and the hang-up is waited for.
func (d *dgramSink) write(head, body []byte) error {
	if d.gone {
		return nil
	}
	if !d.connected && !d.connect() {
		return shm.ErrFull
	}
	err := d.sock.Send(head, body)
	switch {
	case err == nil:
		return d.carrier.control.Guard(func() error {
			d.carrier.control.Sent(d.channel)
			return nil
		})
	case dgram.Full(err):
		return shm.ErrFull
	case errors.Is(err, unix.EMSGSIZE):
		return fmt.Errorf("message of %d bytes, at most %d: %w", len(head)+len(body), d.limit, ErrTooLong)
	case d.carrier.proven:
		d.gone = true
		return nil
	}
	d.connected = false // it was not the client
	return shm.ErrFull
}
