package cpg

import (
	"maps"
	"slices"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// round is what this service knows of the synchronisation that runs.
type round struct {
	running   bool
	down      []totem.NodeID // nodes of the last round that did not come along
	sentDown  bool           // DOWNLIST is sent
	sentJoins bool           // JOINLIST is sent
	// dead are the processes of this node that ended after its JOINLIST named
	// them: C peers add them when the round is over.
	dead []member
	// announced is what each peer's JOINLIST named, in the order they came.
	announced []announcement
	total     int // processes in announced
}

// An announcement is one peer's JOINLIST.
type announcement struct {
	node  totem.NodeID
	procs []member
}

// drop forgets what a node announced.
func (r *round) drop(node totem.NodeID) {
	r.announced = slices.DeleteFunc(r.announced, func(a announcement) bool {
		if a.node == node {
			r.total -= len(a.procs)
		}
		return a.node == node
	})
}

// forget drops one announced process: it left before the round was over.
func (r *round) forget(node totem.NodeID, is member) {
	for i := range r.announced {
		if a := &r.announced[i]; a.node == node {
			was := len(a.procs)
			a.procs = slices.DeleteFunc(a.procs, func(m member) bool { return m == is })
			r.total -= was - len(a.procs)
		}
	}
}

// SyncInit begins a round. The nodes that are down are those of the last round
// that was completed, less those that came along (cpg_sync_init).
func (s *Service) SyncInit(trans, members []totem.NodeID, ring totem.RingID) {
	s.members = append(s.members[:0], members...)
	s.ring = ring
	s.round = round{running: true}
	for _, n := range s.oldMembers {
		if !slices.Contains(trans, n) {
			s.round.down = append(s.round.down, n)
		}
	}
}

// SyncStarted drops what a peer announced before it entered this round: it is
// of an earlier one. Called for every member.
func (s *Service) SyncStarted(peer totem.NodeID) { s.round.drop(peer) }

// SyncProcess sends DOWNLIST, and JOINLIST if there is any process here; what
// the queue has no room for is sent next time (cpg_sync_process).
func (s *Service) SyncProcess() bool {
	if !s.round.sentDown {
		m := exec.Downlist{OldMembers: uint32(len(s.oldMembers))}
		m.Count = copy(m.Nodes[:], s.round.down)
		s.buf = m.Append(s.buf[:0])
		if s.host.Multicast(s.buf, nil) != nil {
			return false
		}
		s.round.sentDown = true
	}
	if !s.round.sentJoins {
		var m exec.JoinList
		for _, p := range s.procs.all {
			if p.node == s.self && !s.dying[member{p.pid, p.group.name}] {
				m.Entries = append(m.Entries, exec.JoinEntry{PID: p.pid, Group: p.group.name})
			}
		}
		if len(m.Entries) > 0 {
			s.buf = m.Append(s.buf[:0])
			if s.host.Multicast(s.buf, nil) != nil {
				return false
			}
		}
		s.round.sentJoins = true
	}
	return true
}

// joinList keeps what a peer announces until the round is complete.
func (s *Service) joinList(from totem.NodeID, msg []byte) {
	var m exec.JoinList
	if _, err := m.Decode(msg); err != nil {
		s.stats.Malformed++
		return
	}
	if !s.round.running {
		s.stats.Stale++
		return
	}
	if from == s.self {
		return
	}
	s.round.drop(from) // a member sends one in a round
	if n := len(m.Entries); n > maxPerNode || s.round.total+n > maxProcesses {
		s.stats.Refused += uint64(n)
		return
	}
	a := announcement{node: from}
	for i := range m.Entries {
		a.procs = append(a.procs, member{m.Entries[i].PID, m.Entries[i].Group})
	}
	s.round.announced = append(s.round.announced, a)
	s.round.total += len(a.procs)
}

// SyncAbort ends the round: what peers announced is void.
func (s *Service) SyncAbort() { s.round = round{} }

// SyncActivate brings the table into step with what all members said, and
// tells the clients in the reference's order: groups that lost nodes, groups
// that won processes, processes that went unseen, and the ring
// (cpg_sync_activate).
func (s *Service) SyncActivate() {
	if s.observer != nil {
		s.observer.NewRing(s.ring)
	}
	s.oldMembers = append(s.oldMembers[:0], s.members...)
	s.removeDown()
	s.addAnnounced()
	s.removeUnannounced()
	dead := s.round.dead
	s.round = round{}
	s.tellRing()
	for _, is := range dead {
		s.sendLeave(is, exec.ReasonProcDown)
	}
}

// removeDown removes the processes of nodes that are down
// (downlist_inform_clients).
func (s *Service) removeDown() {
	lost := map[*group][]abi.Address{}
	for _, p := range s.procs.all {
		if slices.Contains(s.round.down, p.node) {
			a := abi.Address{Node: p.node, PID: p.pid, Reason: exec.ReasonNodeDown}
			lost[p.group] = append(lost[p.group], a)
		}
	}
	for _, g := range inOrder(lost) {
		s.inParts(g, lost[g], func(part []abi.Address) {
			for _, a := range part {
				s.remove(g.process(a.Node, a.PID))
			}
			s.tell(g, part, nil)
		})
	}
}

// addAnnounced adds the processes that peers announced, newest list first and
// each list from its end, as the reference's head insertion leaves them
// (joinlist_inform_clients).
func (s *Service) addAnnounced() {
	type key struct {
		node totem.NodeID
		is   member
	}
	won, seen := map[*group][]abi.Address{}, map[key]bool{}
	ofNode, ofAll := map[totem.NodeID]int{}, 0
	for _, a := range slices.Backward(s.round.announced) {
		for _, is := range slices.Backward(a.procs) {
			if seen[key{a.node, is}] || s.groups[is.group].process(a.node, is.pid) != nil {
				continue
			}
			if !s.room(a.node, ofNode[a.node], ofAll) {
				s.stats.Refused++
				continue
			}
			seen[key{a.node, is}] = true
			ofNode[a.node]++
			ofAll++
			g := s.group(&is.group)
			won[g] = append(won[g], abi.Address{Node: a.node, PID: is.pid, Reason: exec.ReasonNodeUp})
		}
	}
	for _, g := range inOrder(won) {
		s.inParts(g, won[g], func(part []abi.Address) {
			for _, a := range part {
				s.add(g, a.Node, a.PID)
			}
			s.tell(g, nil, part)
		})
	}
}

// removeUnannounced removes the processes of other nodes that their node did
// not announce: they ended where this node did not see it
// (joinlist_remove_zombie_pi_entries).
func (s *Service) removeUnannounced() {
	alive := map[totem.NodeID]map[member]bool{}
	for _, a := range s.round.announced {
		alive[a.node] = map[member]bool{}
		for _, is := range a.procs {
			alive[a.node][is] = true
		}
	}
	for _, p := range slices.Clone(s.procs.all) {
		is := member{p.pid, p.group.name}
		if p.node != s.self && !alive[p.node][is] {
			s.procLeave(p.node, is, exec.ReasonProcDown)
		}
	}
}

// inOrder returns the groups in the order of their names.
func inOrder(m map[*group][]abi.Address) []*group {
	return slices.SortedFunc(maps.Keys(m), func(a, b *group) int { return a.name.Compare(&b.name) })
}
