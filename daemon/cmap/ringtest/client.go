package ringtest

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
)

// A Client is a connection to one service of a node.
type Client struct {
	Responses [][]byte
	Events    [][]byte
	Closed    bool

	node *Node
	svc  service.Service
	id   uint64
}

var _ service.Conn = (*Client)(nil)

// Connect makes a client of a service.
func (n *Node) Connect(id service.ID) *Client {
	n.cluster.seq += 4
	c := &Client{node: n, svc: n.Service(id), id: n.cluster.seq}
	c.svc.Connected(c)
	return c
}

// Request sends a request as the daemon's gate would pass it on: whole, of a
// number and a size that the service has. Others get the gate's answer.
func (c *Client) Request(msg []byte) {
	id, size, err := abi.CutRequest(msg)
	rows := c.svc.Requests()
	if err != nil || id < 0 || int(id) >= len(rows) || size < rows[id].Size {
		c.Respond(abi.AppendStatus(nil, 0, abi.InvalidParam))
		return
	}
	if rows[id].Throttled && c.node.SyncInProgress() {
		c.Respond(abi.AppendStatus(nil, 0, abi.TryAgain))
		return
	}
	rows[id].Handle(c, slices.Clone(msg[:size]))
}

// Call sends a request and returns its answer, or nil if there is none yet.
func (c *Client) Call(msg []byte) []byte {
	before := len(c.Responses)
	c.Request(msg)
	if len(c.Responses) == before {
		return nil
	}
	return c.Responses[before]
}

// Status is the status of an answer; 0 for none.
func Status(answer []byte) abi.Status {
	_, _, st, err := abi.CutResponse(answer)
	if err != nil {
		return 0
	}
	return st
}

// TakeEvents returns the events so far and forgets them.
func (c *Client) TakeEvents() [][]byte {
	all := c.Events
	c.Events = nil
	return all
}

// Close ends the connection.
func (c *Client) Close() {
	c.Closed = true
	c.svc.Closed(c)
}

// Respond keeps an answer.
func (c *Client) Respond(msg []byte) { c.Responses = append(c.Responses, slices.Clone(msg)) }

// Event keeps an event.
func (c *Client) Event(head, body []byte) { c.Events = append(c.Events, slices.Concat(head, body)) }

// PID is a number that no two clients share.
func (c *Client) PID() uint32 { return uint32(c.id) }

// UID is root's.
func (c *Client) UID() uint32 { return 0 }

// GID is root's.
func (c *Client) GID() uint32 { return 0 }

// Serial is a number that no two clients share.
func (c *Client) Serial() uint64 { return c.id }
