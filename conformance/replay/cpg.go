package replay

import (
	"cmp"
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A process is an entry of CPG's process list.
type process struct {
	node  totem.NodeID
	pid   uint32
	group exec.GroupName
}

func (p process) address(r exec.Reason) address { return address{uint32(p.node), p.pid, uint32(r)} }

// A client is one connection of a local process that has joined a group.
type client struct {
	node   totem.NodeID
	pid    uint32
	group  exec.GroupName
	life   *life
	before []event // the ring events of this life before it joined
	events []event
	places []place // of the messages that caused them
	// early tells that the initial ring event may have come before the client's
	// own join was told: another change was told while its join was on the way.
	early   bool
	initial int  // where in events the initial ring event is; -1 if not yet told
	found   bool // it had joined before the recording began
	ended   bool
	partial map[process][]byte
}

// cpgState is one daemon's CPG service (exec/cpg.c).
type cpgState struct {
	self       totem.NodeID
	life       *life
	now        place            // of the message at hand
	processes  []process        // ascending by node and pid, older first
	known      map[process]bool // local processes that ever joined
	clients    []*client
	members    []totem.NodeID // of the round at hand
	active     []totem.NodeID // of the last round that completed
	activeRing totem.RingID
	ring       totem.RingID // of the round at hand
	down       []totem.NodeID
	joinlist   []process // newest first
	trans      []totem.NodeID
	rings      []event // every ring event of this life
	notified   bool    // a change was told since this was last cleared
	// learning: the recording begins in the middle of the ring, so processes are
	// learnt as they speak and from the next joinlists.
	learning bool
}

// init is the service's sync_init.
func (c *cpgState) init(trans, members []totem.NodeID, ring totem.RingID) {
	c.members, c.ring, c.trans = members, ring, trans
	c.down = nil
	for _, n := range c.active {
		if !slices.Contains(trans, n) {
			c.down = append(c.down, n)
		}
	}
}

// joined handles a PROCJOIN. early tells that the client may have asked to join
// before the latest change was told.
func (c *cpgState) joined(from totem.NodeID, m *exec.ProcChange, early bool) {
	p := process{from, m.PID, m.Group}
	if slices.Contains(c.processes, p) {
		return
	}
	c.insert(p)
	if from == c.self {
		c.addClient(p, early)
	}
	c.notify(p.group, nil, []address{p.address(exec.ReasonJoin)})
}

func (c *cpgState) addClient(p process, early bool) {
	if c.known[p] {
		for _, cl := range c.clients { // a pid that came round
			cl.ended = cl.ended || cl.pid == p.pid && cl.group == p.group
		}
	}
	c.known[p] = true
	c.clients = append(c.clients, &client{
		node: p.node, pid: p.pid, group: p.group, life: c.life,
		before: slices.Clone(c.rings), early: early, initial: -1,
	})
}

// left handles a PROCLEAVE: told even if the process is unknown, and told
// before the process goes.
func (c *cpgState) left(from totem.NodeID, m *exec.ProcChange) {
	p := process{from, m.PID, m.Group}
	if from == c.self && m.Reason == exec.ReasonProcDown {
		for _, cl := range c.clients { // the leave was sent for it, after its end
			cl.ended = cl.ended || cl.pid == p.pid && cl.group == p.group
		}
	}
	c.leave(p, m.Reason)
}

func (c *cpgState) leave(p process, reason exec.Reason) {
	c.notify(p.group, []address{p.address(reason)}, nil)
	c.processes = slices.DeleteFunc(c.processes, func(q process) bool { return q == p })
}

func (c *cpgState) insert(p process) {
	i, _ := slices.BinarySearchFunc(c.processes, p, func(q, p process) int {
		if d := cmp.Or(cmp.Compare(q.node, p.node), cmp.Compare(q.pid, p.pid)); d != 0 {
			return d
		}
		return -1 // new equals go after old ones
	})
	c.processes = slices.Insert(c.processes, i, p)
}

// notify tells the clients of a group what changed, then whoever still lacks it
// the ring (notify_lib_joinlist).
func (c *cpgState) notify(group exec.GroupName, left, joined []address) {
	c.notified = true
	e := event{kind: eventConfchg, group: displayName(group), left: left, joined: joined}
	for _, p := range c.processes {
		gone := slices.ContainsFunc(left, func(a address) bool { return a[0] == uint32(p.node) && a[1] == p.pid })
		if p.group == group && !gone {
			e.members = append(e.members, p.address(exec.ReasonUndefined))
		}
	}
	for _, cl := range c.clients {
		if cl.group == group {
			cl.tell(c.now, e)
			cl.forgetPartial(left)
		}
	}
	for _, cl := range c.clients {
		if cl.initial < 0 {
			cl.initial = len(cl.events)
			cl.tell(c.now, c.ringEvent())
		}
	}
}

func (c *cpgState) ringEvent() event {
	return event{kind: eventRing, ring: c.ring, nodes: slices.Clone(c.active)}
}

// forgetPartial gives up the unfinished messages of processes that left.
func (cl *client) forgetPartial(left []address) {
	for p := range cl.partial {
		if slices.ContainsFunc(left, func(a address) bool { return a[0] == uint32(p.node) && a[1] == p.pid }) {
			delete(cl.partial, p)
		}
	}
}

func (cl *client) tell(at place, e event) {
	if !cl.ended {
		cl.events = append(cl.events, e)
		cl.places = append(cl.places, at)
	}
}

// deliver handles a message. Stock asks for some process of the group on the
// sender's node, not for the sender.
func (c *cpgState) deliver(from totem.NodeID, group exec.GroupName, pid uint32, tell func(*client)) {
	member := func(p process) bool { return p.node == from && p.group == group }
	if !slices.ContainsFunc(c.processes, member) {
		if !c.learning {
			return
		}
		c.find(process{from, pid, group})
	} else if c.learning {
		c.find(process{from, pid, group})
	}
	for _, cl := range c.clients {
		if cl.group == group {
			tell(cl)
		}
	}
}

func (c *cpgState) mcast(from totem.NodeID, m *exec.Mcast) {
	e := deliverEvent(m.Group, from, m.PID, m.Data)
	c.deliver(from, m.Group, m.PID, func(cl *client) { cl.tell(c.now, e) })
}

// partial handles a piece of a message that the client library will put
// together: by sender, from the first piece to the last.
func (c *cpgState) partial(from totem.NodeID, m *exec.PartialMcast) {
	key := process{from, m.PID, m.Group}
	c.deliver(from, m.Group, m.PID, func(cl *client) {
		if cl.partial == nil {
			cl.partial = make(map[process][]byte)
		}
		have, started := cl.partial[key]
		switch {
		case m.Part == exec.PartFirst:
			have = nil // a new slice: nobody else may hold it
		case !started:
			return
		}
		have = append(have, m.Data...)
		cl.partial[key] = have
		if m.Part == exec.PartLast {
			delete(cl.partial, key)
			cl.tell(c.now, deliverEvent(m.Group, from, m.PID, have))
		}
	})
}

// find notes a process that was there before the recording began.
func (c *cpgState) find(p process) {
	if slices.Contains(c.processes, p) {
		return
	}
	c.insert(p)
	if p.node == c.self {
		c.addClient(p, false)
		cl := c.clients[len(c.clients)-1]
		cl.found, cl.initial = true, 0
	}
}

// keepJoinlist stores a JOINLIST until the round gets there. This node's own
// names processes that joined while it was alone and nobody saw it: their own
// join was told to them then.
func (c *cpgState) keepJoinlist(from totem.NodeID, m *exec.JoinList) {
	for _, e := range m.Entries {
		p := process{from, e.PID, e.Group}
		switch {
		case from != c.self || c.known[p]:
		case c.learning:
			c.find(p)
		default:
			ring := c.ring
			c.ring = c.activeRing
			c.joined(from, &exec.ProcChange{PID: e.PID, Group: e.Group}, false)
			c.ring = ring
		}
		c.joinlist = slices.Insert(c.joinlist, 0, process{from, e.PID, e.Group})
	}
}

// activate is the service's sync_activate.
func (c *cpgState) activate() {
	c.active, c.activeRing = slices.Clone(c.members), c.ring
	if c.learning { // who came along was known before
		for _, p := range c.joinlist {
			if slices.Contains(c.trans, p.node) {
				c.find(p)
			}
		}
		c.learning = false
	}
	gone := make(map[exec.GroupName][]address)
	c.processes = slices.DeleteFunc(c.processes, func(p process) bool {
		if !slices.Contains(c.down, p.node) {
			return false
		}
		gone[p.group] = append(gone[p.group], p.address(exec.ReasonNodeDown))
		return true
	})
	for _, g := range sortedGroups(gone) {
		c.notify(g, gone[g], nil)
	}
	came := make(map[exec.GroupName][]address)
	for _, p := range c.joinlist {
		if p.node != c.self && !slices.Contains(c.processes, p) {
			c.insert(p)
			came[p.group] = append(came[p.group], p.address(exec.ReasonNodeUp))
		}
	}
	for _, g := range sortedGroups(came) {
		c.notify(g, nil, came[g])
	}
	for _, p := range slices.Clone(c.processes) {
		if p.node != c.self && !slices.Contains(c.joinlist, p) {
			c.leave(p, exec.ReasonProcDown)
		}
	}
	c.joinlist = nil
	e := c.ringEvent()
	for _, cl := range c.clients {
		cl.tell(c.now, e)
	}
	c.rings = append(c.rings, e)
}

// assumeActivated is activate for a round that nobody saw: who came along said
// again what was known.
func (c *cpgState) assumeActivated() {
	for _, p := range c.processes {
		if slices.Contains(c.trans, p.node) {
			c.joinlist = append(c.joinlist, p)
		}
	}
	c.activate()
}

func sortedGroups(m map[exec.GroupName][]address) []exec.GroupName {
	var names []exec.GroupName
	for g := range m {
		names = append(names, g)
	}
	slices.SortFunc(names, func(a, b exec.GroupName) int { return a.Compare(&b) })
	return names
}
