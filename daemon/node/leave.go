package node

import "time"

// Exit statuses, as the C daemon's (exec/util.h).
const (
	exitSocket  = 1 // udpu, which does not use its list of statuses
	exitFatal   = 15
	exitService = 20
	exitRingID  = 21
)

// goodbye is how long a stopping node goes on so that what its services said
// last is sent: their messages need the token to come by.
const goodbye = 500 * time.Millisecond

// leave ends the node: after a failure at once, otherwise by closing clients
// (whose processes thereby leave their groups), sending what is queued, and
// telling the ring (services.md 8.4).
func (n *Node) leave() int {
	if n.failure != nil {
		if n.failure != errTold {
			n.log.Error(n.failure.Error())
		}
		return n.exitCode
	}
	n.notify("STOPPING=1")
	for _, s := range n.services {
		if l, ok := slotAs[leaver](s); ok {
			l.Leaving()
		}
	}
	n.clients.close()
	n.tellUnloaded()
	n.perform()
	for end := n.Now() + goodbye; n.Now() < end && n.engine.Pending() && n.failure == nil; {
		n.timers.after(n.Now()+10*time.Millisecond, func() {})
		if n.turn() != nil {
			break
		}
	}
	n.engine.Leave(n.Now(), &n.out)
	n.perform()
	n.transport.Flush(n.Now())
	return 0
}

// A leaver has something to say before its node goes (votequorum's LEAVING).
type leaver interface{ Leaving() }

func slotAs[T any](s *slot) (t T, ok bool) {
	if s != nil {
		t, ok = s.Service.(T)
	}
	return t, ok
}
