package offload

import (
	"maps"
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// Added says that a process is in a group from this place of the order on. It
// comes before the group is told.
func (s *Service) Added(name exec.GroupName, m offload.Member) {
	s.epoch++
	if g := s.groups[name]; g != nil {
		s.end(g, abi.ViewJoined, m)
	}
}

// Removed says that a process is no longer in a group. It comes after the group
// was told: the rest may be able to offload now.
func (s *Service) Removed(name exec.GroupName, m offload.Member) {
	if m.Node == s.host.Self() {
		for c, client := range s.clients {
			if _, _, ok := s.cpg.Joined(c); !ok {
				client.endpoint = nil // was the membership's that is over
			}
		}
	}
	g := s.groups[name]
	if g == nil {
		return
	}
	delete(g.all, m)
	delete(g.next, m)
	if len(g.all) == 0 {
		delete(s.groups, name)
		return
	}
	s.begin(g)
}

// NewRing says that the services are in step in a new ring. Every node begins
// anew, and announces its own processes.
func (s *Service) NewRing(ring totem.RingID) {
	s.ring, s.epoch = ring, 0
	s.count = 0 // what it asks for is void
	names := slices.SortedFunc(maps.Keys(s.groups), func(a, b exec.GroupName) int { return a.Compare(&b) })
	for _, name := range names {
		g := s.groups[name]
		clear(g.all)
		s.end(g, abi.ViewNewRing, offload.Member{})
	}
	clear(s.groups)
	for _, c := range s.connections() {
		if name, pid, ok := s.cpg.Joined(c); ok && s.clients[c].endpoint != nil {
			s.sendAnnounce(name, pid, s.clients[c].endpoint)
		}
	}
	s.formed()
}

// Renew has every library ask for a new certificate, and where it may listen, and
// announce itself again.
func (s *Service) Renew() {
	for _, c := range s.connections() {
		s.buf = abi.AppendStatus(s.buf[:0], abi.OffloadRenewEvent, abi.OK)
		c.Event(s.buf, nil)
	}
}

// Deliver takes a message of the process group, at its place in the order.
func (s *Service) Deliver(from totem.NodeID, msg []byte) {
	kind, err := offload.Kind(msg)
	switch {
	case err == offload.ErrUnknown:
		s.stats.Unknown++
		return
	case err == nil && kind == offload.KindAnnounce:
		var m offload.Announce
		if _, err = m.Decode(msg); err == nil {
			s.announced(from, &m)
		}
	case err == nil && kind == offload.KindPresent:
		var m offload.Present
		if _, err = m.Decode(msg); err == nil {
			s.present(from, &m)
		}
	case err == nil && kind == offload.KindSuspend:
		var m offload.Suspend
		if _, err = m.Decode(msg); err == nil {
			s.suspended(&m)
		}
	case err == nil && kind == offload.KindOrder:
		if _, err = s.order.Decode(msg); err == nil {
			s.orders(from)
		}
	}
	if err != nil {
		s.stats.Malformed++
	}
}

// announced takes a process's endpoint.
func (s *Service) announced(from totem.NodeID, m *offload.Announce) {
	who := offload.Member{Node: from, PID: m.PID}
	if !s.member(m.Group, who) {
		return
	}
	g := s.groups[m.Group]
	if g == nil {
		g = &group{name: m.Group, all: make(map[offload.Member]*offload.Endpoint), next: make(map[offload.Member]uint64),
			reason: abi.ViewPlain}
		s.groups[m.Group] = g
	}
	if old := g.all[who]; old != nil {
		if same(old, &m.Endpoint) {
			return
		}
		s.end(g, abi.ViewRenewed, who)
	}
	s.epoch++
	g.all[who] = &m.Endpoint
	s.begin(g)
}

func same(a, b *offload.Endpoint) bool {
	if a.Key != b.Key || a.Socket != b.Socket || len(a.Addresses) != len(b.Addresses) {
		return false
	}
	for i := range a.Addresses {
		if a.Addresses[i] != b.Addresses[i] {
			return false
		}
	}
	return true
}

func (s *Service) member(name exec.GroupName, who offload.Member) bool {
	for _, m := range s.cpg.Members(name) {
		if m == who {
			return true
		}
	}
	return false
}

// suspended ends a view whose member does not answer. It is not announced again
// before it asks for that itself, which shows that it lives.
func (s *Service) suspended(m *offload.Suspend) {
	g := s.groups[m.Group]
	if g == nil || !g.on || g.view != m.View || g.all[m.Member] == nil {
		return
	}
	s.epoch++
	delete(g.all, m.Member)
	for c, client := range s.clients {
		if name, pid, ok := s.cpg.Joined(c); ok && name == m.Group && m.Member == (offload.Member{Node: s.host.Self(), PID: pid}) {
			client.endpoint = nil
		}
	}
	s.end(g, abi.ViewSuspended, m.Member)
}

// begin begins a view if none is on and every process has an endpoint.
func (s *Service) begin(g *group) {
	if g.on {
		return
	}
	members := s.cpg.Members(g.name)
	if len(members) > abi.MaxCPGMembers {
		return
	}
	for _, m := range members {
		if g.all[m] == nil {
			return
		}
	}
	s.epoch++
	g.on, g.reason, g.cause = true, abi.ViewOn, offload.Member{}
	g.view = offload.View{Ring: s.ring, Epoch: s.epoch}
	clear(g.next)
	v := &s.view
	*v = abi.OffloadView{Group: g.name, View: g.view, Members: v.Members[:0]}
	for _, m := range members {
		v.Members = append(v.Members, abi.OffloadPeer{Member: m, Endpoint: *g.all[m]})
	}
	s.tellView(g)
}

// end ends a view that is on. Its members are told.
func (s *Service) end(g *group, why abi.ViewReason, cause offload.Member) {
	was := g.on
	g.on, g.reason, g.cause = false, why, cause
	if !was {
		return
	}
	v := &s.view
	*v = abi.OffloadView{Group: g.name, Reason: why, Cause: cause, Members: v.Members[:0]}
	s.tellView(g)
}

func (s *Service) tellView(g *group) {
	s.buf = s.view.Append(s.buf[:0])
	s.tell(g, s.buf)
}

// tell sends an event to the group's local processes that offload.
func (s *Service) tell(g *group, event []byte) {
	s.hearers = s.cpg.AppendHearers(s.hearers[:0], g.name)
	for _, c := range s.hearers {
		if s.clients[c] != nil {
			c.Event(event, nil)
		}
	}
	clear(s.hearers)
}

// orders gives messages their places, or none.
func (s *Service) orders(from totem.NodeID) {
	for e := range s.order.All() {
		g := s.groups[e.Group]
		who := offload.Member{Node: from, PID: e.PID}
		if g == nil || !g.on || s.order.Ring != s.ring || e.Epoch != g.view.Epoch || g.all[who] == nil || e.First != g.next[who]+1 {
			s.stats.Void++
			continue
		}
		g.next[who] += uint64(e.Count)
		s.stats.Ordered += uint64(e.Count)
		o := &s.ordered
		*o = abi.OffloadOrdered{View: g.view, From: who, First: e.First, Count: e.Count}
		s.buf = o.Append(s.buf[:0])
		s.tell(g, s.buf)
	}
}

// tellStatus answers whether each group is offloaded.
func (s *Service) tellStatus(c service.Conn, _ []byte) {
	m := abi.OffloadStatus{Status: abi.OK}
	for _, name := range s.cpg.Groups() {
		status := abi.OffloadGroup{Group: name, Members: uint32(len(s.cpg.Members(name))), Reason: abi.ViewPlain}
		if g := s.groups[name]; g != nil {
			status.Reason, status.Cause = g.reason, g.cause
		}
		m.Groups = append(m.Groups, status)
	}
	s.buf = m.Append(s.buf[:0])
	c.Respond(s.buf)
}
