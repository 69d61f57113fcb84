package cpg

import (
	"errors"
	"io/fs"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
)

// A Buffer is a file of a client's from which messages are sent. Its methods
// return errors and never panic, whatever the client does to the file.
type Buffer interface {
	// Size is what the buffer costs, in bytes.
	Size() int
	// Message appends the message that is in the buffer now to dst.
	Message(dst []byte) ([]byte, error)
	// Close gives the buffer back.
	Close()
}

// An Opener takes the file of size bytes that a client of user uid says is at
// path, and writes into it by which address the client will name it.
type Opener func(path string, uid uint32, size, address uint64) (Buffer, error)

// Bounds of what clients can make this node map. Stock has none; the library's
// buffers are of about the length of one message.
const (
	maxBuffers        = 256      // of one connection
	maxBufferBytes    = 64 << 20 // of one connection
	maxAllBuffers     = 4096
	maxAllBufferBytes = 256 << 20
)

// buffers keeps the accounts of zero-copy buffers.
type buffers struct {
	open    Opener
	address uint64 // of the last one; where the reference gives out pointers
	count   int
	bytes   int
	message []byte // scratch
}

// SetOpener says how files are opened. Without one, zero copy is not supported,
// as since 3.1.10.
func (s *Service) SetOpener(open Opener) { s.zero.open = open }

// zeroClient is the client that asks for something of zero copy. It is nil if there
// is none of that, which the connection is told then.
func (s *Service) zeroClient(conn service.Conn) *client {
	c := s.clients[conn]
	if c != nil && s.zero.open == nil {
		s.status(conn, abi.CPGZeroGoneRes, abi.NotSupported)
		return nil
	}
	return c
}

// zeroAlloc is cpg_zcb_alloc, which does not look at the status; after an error
// the library's buffer has the address zero, which nothing has.
func (s *Service) zeroAlloc(conn service.Conn, msg []byte) {
	c := s.zeroClient(conn)
	if c == nil {
		return
	}
	var m abi.CPGZeroAlloc
	st := abi.InvalidParam
	if _, err := m.Decode(msg); err == nil {
		st = s.zero.take(c, &m)
	}
	s.status(conn, abi.CPGZeroRes, st)
}

// take opens a client's file if there is room for it.
func (z *buffers) take(c *client, m *abi.CPGZeroAlloc) abi.Status {
	if len(c.buffers) >= maxBuffers || z.count >= maxAllBuffers {
		return abi.NoResources
	}
	b, err := z.open(m.Path, c.conn.UID(), m.MapSize, z.address+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return abi.NotExist
	case errors.Is(err, fs.ErrPermission):
		return abi.Access
	case err != nil:
		return abi.InvalidParam
	}
	have := b.Size()
	for _, other := range c.buffers {
		have += other.Size()
	}
	if have > maxBufferBytes || z.bytes+b.Size() > maxAllBufferBytes {
		b.Close()
		return abi.NoResources
	}
	if c.buffers == nil {
		c.buffers = make(map[uint64]Buffer)
	}
	z.address++
	c.buffers[z.address] = b
	z.count++
	z.bytes += b.Size()
	return abi.OK
}

// drop gives one of a client's buffers back.
func (z *buffers) drop(c *client, address uint64) {
	b := c.buffers[address]
	delete(c.buffers, address)
	z.count--
	z.bytes -= b.Size()
	b.Close()
}

// zeroFree is cpg_zcb_free, which does not look at the status either.
func (s *Service) zeroFree(conn service.Conn, msg []byte) {
	c := s.zeroClient(conn)
	if c == nil {
		return
	}
	var m abi.CPGZeroFree
	st := abi.InvalidParam
	if _, err := m.Decode(msg); err == nil {
		st = abi.BadHandle
		if c.buffers[m.Address] != nil {
			s.zero.drop(c, m.Address)
			st = abi.OK
		}
	}
	s.status(conn, abi.CPGZeroRes, st)
}

// zeroExecute is cpg_zcb_mcast_joined.
func (s *Service) zeroExecute(conn service.Conn, msg []byte) {
	c := s.zeroClient(conn)
	if c == nil {
		return
	}
	var m abi.CPGZeroExecute
	st := abi.InvalidParam
	if _, err := m.Decode(msg); err == nil {
		st = s.sendFrom(c, m.Address)
	}
	s.status(conn, abi.CPGZeroExecuteRes, st)
}

// sendFrom sends the message in one of a client's buffers, by way of a copy:
// the ring must not touch memory that can fault.
func (s *Service) sendFrom(c *client, address uint64) abi.Status {
	b := c.buffers[address]
	switch {
	case !c.state.maySend():
		return abi.NotExist
	case b == nil:
		return abi.BadHandle
	}
	message, err := b.Message(s.zero.message[:0])
	s.zero.message = message
	switch {
	case err != nil:
		return abi.InvalidParam
	case len(message) > abi.MaxCPGMessage:
		return abi.TooBig // no ring of every version carries it
	}
	if s.mcastFrom(c, message) != nil {
		return abi.TryAgain
	}
	return abi.OK
}
