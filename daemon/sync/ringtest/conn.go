package ringtest

import (
	"bytes"
	"fmt"
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
)

// A Conn is a client's connection to one service of one node. It keeps what it
// was told.
type Conn struct {
	Node      *Node
	Responses [][]byte
	Events    [][]byte

	service service.Service
	pid     uint32
	serial  uint64
	closed  bool
}

var _ service.Conn = (*Conn)(nil)

var serial uint64

// Connect opens a connection of process pid to a service of the node.
func (n *Node) Connect(id service.ID, pid uint32) *Conn {
	serial++
	c := &Conn{Node: n, service: n.service(id), pid: pid, serial: serial}
	n.conns = append(n.conns, c)
	c.service.Connected(c)
	return c
}

// Close ends the connection, as when the client dies.
func (c *Conn) Close() {
	if !c.closed {
		c.closed = true
		c.Node.conns = slices.DeleteFunc(c.Node.conns, func(d *Conn) bool { return d == c })
		c.service.Closed(c)
	}
}

// Request passes a request through the gate to the service and returns the
// answer, nil if there was none (cs_ipcs_msg_process).
func (c *Conn) Request(msg []byte) []byte {
	id, size, err := abi.CutRequest(msg)
	if err != nil {
		return nil // the connection would end
	}
	was := len(c.Responses)
	rows := c.service.Requests()
	refusal := abi.Status(0)
	switch {
	case id < 0 || int(id) >= len(rows):
		return abi.AppendStatus(nil, 0, abi.InvalidParam)
	case size < rows[id].Size:
		refusal = abi.InvalidParam
	case rows[id].Throttled && c.Node.SyncInProgress():
		refusal = abi.TryAgain
	}
	switch {
	case refusal != 0 && rows[id].Async:
		return nil
	case refusal != 0:
		return abi.AppendStatus(nil, 0, refusal)
	}
	rows[id].Handle(c, bytes.Clone(msg[:size]))
	switch n := len(c.Responses) - was; {
	case n > 1 || n == 1 && rows[id].Async:
		panic(fmt.Sprintf("ringtest: %s answered %d times", rows[id].Name, n))
	case n == 1:
		return c.Responses[was]
	}
	return nil
}

// Take returns the events so far and forgets them.
func (c *Conn) Take() [][]byte {
	events := c.Events
	c.Events = nil
	return events
}

// Respond keeps an answer.
func (c *Conn) Respond(msg []byte) {
	c.mustBeOpen("response")
	c.Responses = append(c.Responses, bytes.Clone(msg))
}

// Event keeps an event.
func (c *Conn) Event(head, body []byte) {
	c.mustBeOpen("event")
	event := slices.Concat(head, body)
	c.Events = append(c.Events, event)
	if tap := c.Node.world.OnEvent; tap != nil {
		tap(c, event)
	}
}

func (c *Conn) mustBeOpen(what string) {
	if c.closed {
		panic("ringtest: " + what + " to a closed connection")
	}
}

// PID returns the client's process id.
func (c *Conn) PID() uint32 { return c.pid }

// UID returns 0: tests are root.
func (c *Conn) UID() uint32 { return 0 }

// GID returns 0.
func (c *Conn) GID() uint32 { return 0 }

// Serial is unique among all connections of the test.
func (c *Conn) Serial() uint64 { return c.serial }
