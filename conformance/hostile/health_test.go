package hostile

import (
	"fmt"
	"slices"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
)

// A client is a program beside a node that uses its cpg service.
type client struct {
	n      *node
	serial uint64
	// members and got are what it was told: how many are in its group, and who
	// said what, in order.
	members int
	got     []string
	answers int
}

var _ service.Conn = (*client)(nil)

func (n *node) connect() *client {
	n.w.clients++
	c := &client{n: n, serial: n.w.clients}
	n.clients = append(n.clients, c)
	n.inside.Service(service.CPG).Connected(c)
	n.step()
	return c
}

func (c *client) request(m interface{ Append([]byte) []byte }) {
	msg := m.Append(nil)
	id, _, err := abi.CutRequest(msg)
	if err != nil || c.n.inside == nil {
		return
	}
	c.n.inside.Service(service.CPG).Requests()[id].Handle(c, msg)
	c.n.step()
}

func (c *client) close() {
	if i := slices.Index(c.n.clients, c); i >= 0 && c.n.inside != nil {
		c.n.clients = slices.Delete(c.n.clients, i, i+1)
		c.n.inside.Service(service.CPG).Closed(c)
		c.n.step()
	}
}

// Respond counts answers.
func (c *client) Respond([]byte) { c.answers++ }

// Event takes in a change of the group or a message.
func (c *client) Event(head, body []byte) {
	msg := slices.Concat(head, body)
	var change abi.CPGChange
	var deliver abi.CPGDeliver
	if _, err := change.Decode(msg); err == nil {
		c.members = len(change.Members)
	} else if _, err := deliver.Decode(msg); err == nil {
		c.got = append(c.got, fmt.Sprintf("%d:%s", deliver.Node, deliver.Message))
	}
}

func (c *client) PID() uint32    { return uint32(10_000 + c.serial) }
func (c *client) UID() uint32    { return 0 }
func (c *client) GID() uint32    { return 0 }
func (c *client) Serial() uint64 { return c.serial }

// healthy waits until the nodes are one ring that serves its clients: new ones
// find each other in a group of their own and hear each other in one order.
func (w *world) healthy(limit time.Duration) error {
	end := w.now + limit
	var err error
	for try := 0; w.now < end; try++ {
		whole := w.until(end-w.now, func() bool {
			for _, n := range w.nodes {
				if !n.inService() || n.engine().Ring() != w.nodes[0].engine().Ring() {
					return false
				}
			}
			return true
		})
		if !whole {
			return fmt.Errorf("no ring of all nodes after %v: %s", limit, w.describe())
		}
		if err = w.talk(fmt.Sprintf("health %d", try)); err == nil {
			return nil
		}
	}
	return err
}

// talk has a client on each node join a group and say something.
func (w *world) talk(group string) error {
	var clients []*client
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	name, _ := exec.NewGroupName([]byte(group))
	for _, n := range w.nodes {
		c := n.connect()
		clients = append(clients, c)
		c.request(&abi.CPGJoin{Group: name, PID: c.PID()})
	}
	all := func(done func(*client) bool) bool {
		return w.until(20*time.Second, func() bool {
			return !slices.ContainsFunc(clients, func(c *client) bool { return c.n.inside == nil || !done(c) })
		})
	}
	if !all(func(c *client) bool { return c.members == len(w.nodes) }) {
		return fmt.Errorf("clients see %d, %d and %d members: %s", clients[0].members, clients[1].members, clients[2].members, w.describe())
	}
	const each = 5
	for i := range each {
		for _, c := range clients {
			c.request(&abi.CPGMcast{Message: fmt.Appendf(nil, "%d", i)})
		}
	}
	if !all(func(c *client) bool { return len(c.got) >= each*len(clients) }) {
		return fmt.Errorf("clients heard %q, %q and %q: %s", clients[0].got, clients[1].got, clients[2].got, w.describe())
	}
	for _, c := range clients[1:] {
		if !slices.Equal(c.got, clients[0].got) {
			return fmt.Errorf("clients heard %q and %q", clients[0].got, c.got)
		}
	}
	return nil
}
