package node

import (
	"log/slog"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/engine"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/daemon/service"
)

// An Inside is a node without its host: engine, assemblers, synchronisation and
// services wired as in a running daemon, but the clock and the network are
// whatever it is given, and no client finds a door. Whole nodes run so in
// virtual time (conformance/hostile).
//
// Whoever drives it calls Step at Deadline and after each packet that was
// received, until Err tells that the daemon would have ended.
type Inside struct{ n *Node }

// A Wire makes an Inside's transport. receive gets each packet; event, what
// knet's links did, as a real transport's Config has them.
type Wire func(receive func(packet []byte), event func(link.Effect)) net.Transport

// NewInside builds a node of configuration c around a clock and a wire. Only
// the files in c.StateDir are the host's.
func NewInside(c *conf.Config, log *slog.Logger, clock func() time.Duration, wire Wire) (*Inside, error) {
	n := newNode(c, log, clock)
	if err := n.openEngine(); err != nil {
		return nil, err
	}
	n.transport = wire(n.receive, n.linkEvent)
	if err := n.addServices(); err != nil {
		return nil, err
	}
	n.startSoon()
	return &Inside{n}, nil
}

// Step lets everything happen that is due.
func (i *Inside) Step() { i.n.step() }

// Deadline is when Step must be called next.
func (i *Inside) Deadline() time.Duration { return i.n.deadline() }

// Engine is the node's ring. It is for looking at only.
func (i *Inside) Engine() *engine.Engine { return i.n.engine }

// InService reports whether the node is in a ring and its services are in step.
func (i *Inside) InService() bool {
	return i.n.engine.State() == engine.StateOperational && !i.n.phase.running
}

// Service returns a loaded service, nil if there is none of that number. After
// a request was handed to it, call Step.
func (i *Inside) Service(id service.ID) service.Service {
	if s := i.n.slot(id); s != nil {
		return s.Service
	}
	return nil
}

// Host is the node as its services see it.
func (i *Inside) Host() service.Host { return i.n }

// Renew has local processes that offload ask for new certificates, and where they may
// listen, as a change of the cluster's key or of this node's addresses does.
func (i *Inside) Renew() { i.n.rekeyOffload() }

// Err is why the daemon would have ended, nil while it would not.
func (i *Inside) Err() error { return i.n.failure }

// Stopping reports whether the node was told to stop in good order.
func (i *Inside) Stopping() bool { return i.n.stopping }

// Send queues a message for the ring as it is, whatever groups it names and
// whatever it says: what no service would send.
func (i *Inside) Send(message []byte) error {
	err := i.n.engine.Send(i.n.Now(), &i.n.out, message)
	i.n.perform()
	return err
}
