package node

import (
	"bytes"

	"cpgol/daemon/engine"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/pg"
)

// The process groups in use, as every message names them (services.md 1.2).
var (
	groupEngines = []byte{1, 0, 1, 0, 'a'}
	groupSync    = []byte{1, 0, 4, 0, 's', 'y', 'n', 'c'}
)

// frame cuts a delivered frame into messages.
func (n *Node) frame(e *engine.Effect) {
	n.from = e.From
	if err := n.assembler.Frame(e.From, e.BigEndian, e.Packet, n.deliver); err != nil {
		n.drop("frame", err)
	}
}

// message hands one message to those whose group it names.
func (n *Node) message(msg []byte) {
	switch {
	case bytes.HasPrefix(msg, groupEngines):
		n.toService(msg[len(groupEngines):])
	case bytes.HasPrefix(msg, groupSync):
		n.sync.Deliver(n.from, msg[len(groupSync):])
	case n.toOffload(msg):
	default:
		n.otherGroups(msg)
	}
}

// otherGroups handles a prefix that names several groups or ones not ours.
func (n *Node) otherGroups(msg []byte) {
	names, payload, err := pg.CutGroup(msg, false)
	if err != nil {
		n.drop("group", err)
		return
	}
	if names.Has(pg.GroupServices) {
		n.toService(payload)
	}
	if names.Has(pg.GroupSync) {
		n.sync.Deliver(n.from, payload)
	}
}

// toService dispatches a message of group "a" (exec/main.c:deliver_fn). Unlike
// the reference it checks the number, the size and the length first.
func (n *Node) toService(msg []byte) {
	var h exec.Header
	if _, err := h.Decode(msg); err != nil {
		n.drop("service message", err)
		return
	}
	id, fn := exec.SplitID(h.ID)
	s := n.slot(service.ID(id))
	if s == nil {
		return // a service of the peer's that we do not run; stock is silent too
	}
	if fn < 0 || fn >= len(s.messages) {
		n.dropf("unknown function", "node %d sent unknown message %d for service %d", n.from, fn, id)
		return
	}
	m := &s.messages[fn]
	if len(msg) < m.Size {
		n.dropf("short message", "node %d sent %s %s of %d bytes, at least %d", n.from, s.Name(), m.Name, len(msg), m.Size)
		return
	}
	s.rx[fn].Inc()
	m.Handle(n.from, msg)
}

// slot finds a loaded service; nil if there is none of that number.
func (n *Node) slot(id service.ID) *slot {
	if id < 0 || int(id) >= len(n.services) {
		return nil
	}
	return n.services[id]
}

// Multicast queues a service's message for the ring.
func (n *Node) Multicast(head, body []byte) error {
	err := n.engine.Send(n.Now(), &n.out, groupEngines, head, body)
	if err != nil {
		return service.ErrQueueFull
	}
	var h exec.Header
	if _, err := h.Decode(head); err == nil {
		id, fn := exec.SplitID(h.ID)
		if s := n.slot(service.ID(id)); s != nil && fn >= 0 && fn < len(s.tx) {
			s.tx[fn].Inc()
		}
	}
	return nil
}

// sendSync queues a message of the synchronisation itself.
func (n *Node) sendSync(head, body []byte) error {
	if n.engine.Send(n.Now(), &n.out, groupSync, head, body) != nil {
		return service.ErrQueueFull
	}
	return nil
}
