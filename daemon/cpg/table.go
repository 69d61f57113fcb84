package cpg

import (
	"cmp"
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A process is one process in one group.
type process struct {
	node  totem.NodeID
	pid   uint32
	group *group
	long  assembly // the long message it is sending
}

// member names a process in a group, of the node that is clear from context.
type member struct {
	pid   uint32
	group exec.GroupName
}

// compare orders processes as every list that clients get: by node, then pid.
func (p *process) compare(node totem.NodeID, pid uint32) int {
	return cmp.Or(cmp.Compare(p.node, node), cmp.Compare(p.pid, pid))
}

// A list of processes in that order; among equals the later came later.
type list []*process

// find returns the index of the first process that is not before (node, pid).
func (l list) find(node totem.NodeID, pid uint32) int {
	at, _ := slices.BinarySearchFunc(l, 0, func(p *process, _ int) int {
		if p.compare(node, pid) < 0 {
			return -1
		}
		return 1
	})
	return at
}

func (l *list) insert(p *process) {
	at := l.find(p.node, p.pid)
	for at < len(*l) && (*l)[at].compare(p.node, p.pid) == 0 {
		at++
	}
	*l = slices.Insert(*l, at, p)
}

func (l *list) remove(p *process) {
	at := l.find(p.node, p.pid)
	for (*l)[at] != p {
		at++
	}
	*l = slices.Delete(*l, at, at+1)
}

// A table is every known process of every group (process_info_list).
type table struct {
	all     list
	perNode map[totem.NodeID]int
}

// A group is what is known of one name: it exists as long as it has processes
// or clients.
type group struct {
	name    exec.GroupName
	members list
	perNode map[totem.NodeID]int
	clients []*client // joined connections in the order they came, without finalised ones
}

// group returns the group called name, made if need be. Whoever adds nothing
// to a new group must tidy it.
func (s *Service) group(name *exec.GroupName) *group {
	g := s.groups[*name]
	if g == nil {
		g = &group{name: *name, perNode: make(map[totem.NodeID]int)}
		s.groups[*name] = g
	}
	return g
}

// tidy forgets a group that nobody is in. A finalised connection can hold on
// to a group that was forgotten, and of which there is a new one.
func (s *Service) tidy(g *group) {
	if len(g.members) == 0 && len(g.clients) == 0 && s.groups[g.name] == g {
		delete(s.groups, g.name)
	}
}

// process finds a process of this group; nil if it is not known.
func (g *group) process(node totem.NodeID, pid uint32) *process {
	if g == nil {
		return nil
	}
	if at := g.members.find(node, pid); at < len(g.members) && g.members[at].compare(node, pid) == 0 {
		return g.members[at]
	}
	return nil
}

// room reports whether one more process of node may be kept, besides as many
// of the node and of all nodes that will be. This node's own are bounded when
// they ask to join.
func (s *Service) room(node totem.NodeID, ofNode, ofAll int) bool {
	return node == s.self ||
		s.procs.perNode[node]+ofNode < maxPerNode && len(s.procs.all)+ofAll < maxProcesses
}

// add puts a process that is not there yet into the table.
func (s *Service) add(g *group, node totem.NodeID, pid uint32) {
	p := &process{node: node, pid: pid, group: g}
	s.procs.all.insert(p)
	s.procs.perNode[node]++
	g.members.insert(p)
	g.perNode[node]++
}

// remove takes a process out of the table. The group stays until it is tidied.
func (s *Service) remove(p *process) {
	s.procs.all.remove(p)
	less(s.procs.perNode, p.node)
	p.group.members.remove(p)
	less(p.group.perNode, p.node)
}

// less counts one down and forgets zero.
func less[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}
