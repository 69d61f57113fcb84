package cpg

import (
	"fmt"
	"strings"
	"testing"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/daemon/sync/ringtest"
	"cpgol/wire/exec"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// A cluster is a world whose nodes run this service and nothing else.
type cluster struct {
	*ringtest.World
	t    testing.TB
	cpgs map[totem.NodeID]*Service
}

func newCluster(t testing.TB, ids ...totem.NodeID) *cluster {
	c := &cluster{ringtest.New(), t, map[totem.NodeID]*Service{}}
	for _, id := range ids {
		c.start(id)
	}
	return c
}

func (c *cluster) start(id totem.NodeID) {
	c.World.Start(id, func(h service.Host) []service.Service {
		c.cpgs[id] = New(h)
		return []service.Service{c.cpgs[id]}
	})
}

// form makes one ring of these nodes and lets it settle.
func (c *cluster) form(ids ...totem.NodeID) {
	c.Form(ids)
	c.Run()
}

// A user is a client of this service.
type user struct {
	*ringtest.Conn
	t   testing.TB
	pid uint32
}

func (c *cluster) user(node totem.NodeID, pid uint32) *user {
	return &user{c.Node(node).Connect(service.CPG, pid), c.t, pid}
}

func name(s string) exec.GroupName {
	g, ok := exec.NewGroupName([]byte(s))
	if !ok {
		panic("group name too long")
	}
	return g
}

type appender interface{ Append([]byte) []byte }

// ask sends a request and returns the result in its answer.
func (u *user) ask(m appender) abi.Status {
	u.t.Helper()
	answer := u.Request(m.Append(nil))
	if answer == nil {
		return 0
	}
	_, size, st, err := abi.CutResponse(answer)
	if err != nil || size != len(answer) {
		u.t.Fatalf("answer %x: %v", answer, err)
	}
	return st
}

func (u *user) join(group string, flags uint32) abi.Status {
	return u.ask(&abi.CPGJoin{Group: name(group), PID: u.pid, Flags: flags})
}

func (u *user) mustJoin(group string) {
	u.t.Helper()
	if st := u.join(group, 0); st != abi.OK {
		u.t.Fatalf("pid %d joins %q: %v", u.pid, group, st)
	}
}

func (u *user) leave(group string) abi.Status {
	return u.ask(&abi.CPGLeave{Group: name(group), PID: u.pid})
}

func (u *user) say(text string) { u.ask(&abi.CPGMcast{Message: []byte(text)}) }

func (u *user) part(part exec.Part, total uint32, text string) abi.Status {
	return u.ask(&abi.CPGPartial{Total: total, Part: part, Fragment: []byte(text)})
}

// heard returns what the client was told since last asked, one line an event.
func (u *user) heard() (lines []string) {
	u.t.Helper()
	for _, e := range u.Take() {
		lines = append(lines, describe(u.t, e))
	}
	return lines
}

// hears checks what the client was told since last asked.
func (u *user) hears(want ...string) {
	u.t.Helper()
	if diff := cmp.Diff(want, u.heard()); diff != "" {
		u.t.Errorf("node %d pid %d heard (-want +got):\n%s", u.Node.ID, u.pid, diff)
	}
}

// describe puts an event into words, after decoding it as a client does.
func describe(t testing.TB, b []byte) string {
	t.Helper()
	id, _, _, err := abi.CutResponse(b)
	var m interface{ Decode([]byte) (int, error) }
	var say func() string
	switch id {
	case abi.CPGDeliverEvent:
		d := new(abi.CPGDeliver)
		m, say = d, func() string { return fmt.Sprintf("%s: %d.%d says %s", d.Group, d.Node, d.PID, d.Message) }
	case abi.CPGPartialEvent:
		d := new(abi.CPGPartialDeliver)
		m, say = d, func() string {
			return fmt.Sprintf("%s: %d.%d part %d of %d %s", d.Group, d.Node, d.PID, d.Part, d.Total, d.Fragment)
		}
	case abi.CPGChangeEvent:
		d := new(abi.CPGChange)
		m, say = d, func() string {
			return fmt.Sprintf("%s:%s%s%s", d.Group, addresses("", d.Members), addresses(" -", d.Left), addresses(" +", d.Joined))
		}
	case abi.CPGRingEvent:
		d := new(abi.CPGRing)
		m, say = d, func() string { return fmt.Sprintf("ring %v %v", d.Ring, d.Members) }
	default:
		t.Fatalf("event %d, %v: %x", id, err, b)
	}
	if n, err := m.Decode(b); err != nil || n != len(b) {
		t.Fatalf("event %x: %v", b, err)
	}
	return say()
}

var reasons = []string{"undefined", "join", "leave", "nodedown", "nodeup", "procdown", "unknown"}

// addresses lists processes: node.pid, and for those who left or joined the
// reason in letters.
func addresses(mark string, list []abi.Address) string {
	var s strings.Builder
	for _, a := range list {
		fmt.Fprintf(&s, " %d.%d", a.Node, a.PID)
		if mark != "" {
			s.WriteString(reasons[min(int(a.Reason), len(reasons)-1)])
		}
	}
	if s.Len() == 0 || mark == "" {
		return s.String()
	}
	return mark + s.String()
}

// table puts the table into words: all processes in their order.
func (s *Service) describe() string {
	var b strings.Builder
	for _, p := range s.procs.all {
		fmt.Fprintf(&b, "%d.%d@%s ", p.node, p.pid, p.group.name)
	}
	return strings.TrimSpace(b.String())
}

// agree checks that nodes have the same processes in the same order.
func (c *cluster) agree(want string, ids ...totem.NodeID) {
	c.t.Helper()
	for _, id := range ids {
		if got := c.cpgs[id].describe(); got != want {
			c.t.Errorf("node %d knows %q, want %q", id, got, want)
		}
		c.cpgs[id].check(c.t)
	}
}

// check holds the table against its own rules.
func (s *Service) check(t testing.TB) {
	t.Helper()
	perNode, perGroup := map[totem.NodeID]int{}, map[*group]int{}
	for i, p := range s.procs.all {
		perNode[p.node]++
		perGroup[p.group]++
		if i > 0 && p.compare(s.procs.all[i-1].node, s.procs.all[i-1].pid) < 0 {
			t.Errorf("table out of order at %d: %s", i, s.describe())
		}
		if s.groups[p.group.name] != p.group {
			t.Errorf("process %d.%d in a forgotten group", p.node, p.pid)
		}
	}
	if diff := cmp.Diff(perNode, s.procs.perNode); diff != "" {
		t.Errorf("per node: %s", diff)
	}
	for _, g := range s.groups {
		if len(g.members) != perGroup[g] {
			t.Errorf("group %s: %d members, %d in the table", g.name, len(g.members), perGroup[g])
		}
		if len(g.members) == 0 && len(g.clients) == 0 {
			t.Errorf("group %s is empty", g.name)
		}
		for i, c := range g.clients {
			if c.group != g || c.finalised || i > 0 && c.order < g.clients[i-1].order {
				t.Errorf("group %s: client %d amiss", g.name, i)
			}
		}
	}
	for is, c := range s.local {
		if c.is() != is || c.state == unjoined || s.clients[c.conn] != c {
			t.Errorf("local %d in %s amiss", is.pid, is.group)
		}
	}
}

// pair is two nodes with a process each in group "g", which have heard of it.
func pair(t *testing.T) (c *cluster, a, b *user) {
	t.Helper()
	c = newCluster(t, 1, 2)
	c.form(1, 2)
	a, b = c.user(1, 10), c.user(2, 20)
	a.mustJoin("g")
	b.mustJoin("g")
	c.Run()
	a.heard()
	b.heard()
	return c, a, b
}
