package offloadsim

import (
	"fmt"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// An entry is one thing that an application was told, in order. Exactly one of
// number, change and ring says what.
type entry struct {
	at     time.Duration
	from   offload.Member // of the message
	number uint32
	change *change
	ring   totem.RingID
	long   bool // the message came in parts
	// offloaded says that the message did not come as the reference's do.
	offloaded bool
}

// A change is a configuration of the group.
type change struct {
	members, left, joined []offload.Member
	why                   exec.Reason // of the first who left or joined
}

func (e *entry) String() string {
	switch {
	case e.change != nil:
		return fmt.Sprintf("[%v left %v joined %v (%d)]", e.change.members, e.change.left, e.change.joined, e.change.why)
	case e.number != 0:
		return fmt.Sprintf("%d.%d #%d", e.from.Node, e.from.PID, e.number)
	}
	return fmt.Sprintf("ring %v", e.ring)
}

func addresses(list []abi.Address) (all []offload.Member) {
	for _, a := range list {
		all = append(all, offload.Member{Node: a.Node, PID: a.PID})
	}
	return all
}

func changeOf(m *abi.CPGChange) *change {
	c := &change{members: addresses(m.Members), left: addresses(m.Left), joined: addresses(m.Joined)}
	switch {
	case len(m.Left) > 0:
		c.why = m.Left[0].Reason
	case len(m.Joined) > 0:
		c.why = m.Joined[0].Reason
	}
	return c
}

const (
	reasonNodeDown = exec.ReasonNodeDown
	reasonNodeUp   = exec.ReasonNodeUp
)
