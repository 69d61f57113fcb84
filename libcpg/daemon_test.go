package libcpg_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/abi"
	"cpgol/compat/ipc"
	"cpgol/libcpg"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A daemon is as much of one as the library needs: a node alone with its clients,
// which misbehaves as it is told. Its fields are its loop's, see do.
type daemon struct {
	opt     libcpg.Options // how to reach it
	via     ipc.Transport
	server  *ipc.Server
	epoll   int
	wake    int
	ready   map[int]func(uint32)
	calls   chan func()
	stopped chan struct{}
	over    bool
	once    sync.Once

	conns   []*member
	peer    bool // is in the group
	head    []byte
	stock   bool                   // keeps connections that have left, as stock does
	refuse  map[int32][]abi.Status // what the gate answers next to requests
	answer  map[int32][]abi.Status // what the service answers next
	mute    map[int32]bool         // requests that wait for their answers
	unmuted []func()
	asked   map[int32]int // requests
}

// A member is a connection.
type member struct {
	*ipc.Conn
	group exec.GroupName
	pid   uint32
	in    bool
	left  bool // a group, once
	going bool // it is told of that yet
}

const thisNode = 7

func startDaemon(tb testing.TB, via ipc.Transport) *daemon {
	tb.Helper()
	dir, err := os.MkdirTemp("", "libcpg")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	force := filepath.Join(dir, "force")
	if err := os.WriteFile(force, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	d := &daemon{
		via: via,
		opt: libcpg.Options{ForceFile: force, SocketDirs: []string{dir}}, ready: map[int]func(uint32){},
		calls: make(chan func(), 1), stopped: make(chan struct{}),
		refuse: map[int32][]abi.Status{}, answer: map[int32][]abi.Status{}, mute: map[int32]bool{}, asked: map[int32]int{},
	}
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		tb.Fatal(err)
	}
	if d.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		tb.Fatal(err)
	}
	d.Add(d.wake, unix.EPOLLIN, func(uint32) {
		var b [8]byte
		unix.Read(d.wake, b[:])
		(<-d.calls)()
	})
	d.server, err = ipc.NewServer(d, ipc.Options{Transport: via, ForceFile: force, SocketDirs: []string{dir}})
	if err == nil {
		_, err = d.server.Listen("cpg", d)
	}
	if err != nil {
		tb.Fatal(err)
	}
	go d.run()
	tb.Cleanup(d.stop)
	return d
}

func (d *daemon) Add(fd int, events uint32, ready func(uint32)) error {
	d.ready[fd] = ready
	return unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (d *daemon) Modify(fd int, events uint32) error {
	return unix.EpollCtl(d.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (d *daemon) Remove(fd int) error {
	delete(d.ready, fd)
	return unix.EpollCtl(d.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

func (d *daemon) run() {
	defer close(d.stopped)
	runtime.LockOSThread()
	begin := time.Now()
	var events [16]unix.EpollEvent
	for !d.over {
		wait := -1
		if at := d.server.Deadline(); at != ipc.Never {
			wait = int(max(0, at-time.Since(begin))/time.Millisecond) + 1
			if at == 0 {
				wait = 0
			}
		}
		n, _ := unix.EpollWait(d.epoll, events[:], wait)
		for _, ev := range events[:max(n, 0)] {
			if f := d.ready[int(ev.Fd)]; f != nil {
				f(ev.Events)
			}
		}
		d.server.Tick(time.Since(begin))
	}
}

// do runs f in the daemon's loop.
func (d *daemon) do(f func()) {
	done := make(chan struct{})
	select {
	case d.calls <- func() { defer close(done); f() }:
	case <-d.stopped:
		return
	}
	unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	select {
	case <-done:
	case <-d.stopped:
	}
}

// stop ends the daemon as a crash would.
func (d *daemon) stop() {
	d.once.Do(func() {
		d.do(func() { d.server.Close(); d.over = true })
		<-d.stopped
	})
}

func (d *daemon) Accept(ipc.Credentials) unix.Errno { return 0 }
func (d *daemon) Connected(c *ipc.Conn)             { d.conns = append(d.conns, &member{Conn: c}) }

func (d *daemon) of(c *ipc.Conn) *member {
	for _, m := range d.conns {
		if m.Conn == c {
			return m
		}
	}
	return nil
}

func (d *daemon) Closed(c *ipc.Conn) {
	m := d.of(c)
	for i := range d.conns {
		if d.conns[i] == m {
			d.conns = append(d.conns[:i:i], d.conns[i+1:]...)
			break
		}
	}
	if m.in {
		d.change(m, exec.ReasonProcDown)
	}
}

// Request answers as a daemon alone in its ring would.
func (d *daemon) Request(c *ipc.Conn, msg []byte) {
	m := d.of(c)
	id := int32(binary.LittleEndian.Uint32(msg))
	d.asked[id]++
	if st := d.refuse[id]; len(st) > 0 {
		d.refuse[id] = st[1:]
		c.Respond(abi.AppendStatus(nil, 0, st[0]))
		return
	}
	if d.mute[id] {
		msg = append([]byte(nil), msg...)
		d.unmuted = append(d.unmuted, func() { d.serve(m, id, msg) })
		return
	}
	d.serve(m, id, msg)
}

// unmute answers what waits.
func (d *daemon) unmute() {
	d.mute = map[int32]bool{}
	for _, f := range d.unmuted {
		f()
	}
	d.unmuted = nil
}

func (d *daemon) serve(m *member, id int32, msg []byte) {
	var forced abi.Status
	if st := d.answer[id]; len(st) > 0 {
		forced, d.answer[id] = st[0], st[1:]
	}
	status := func(res int32, st abi.Status) bool {
		if forced != 0 {
			st = forced
		}
		m.Respond(abi.AppendStatus(nil, res, st))
		return st == abi.OK
	}
	switch id {
	case abi.CPGLocalID:
		m.Respond(abi.AppendCPGLocalRes(nil, thisNode))
	case abi.CPGFinalizeID:
		status(abi.CPGFinalizeRes, abi.OK)
	case abi.CPGJoinID:
		var j abi.CPGJoin
		j.Decode(msg)
		st := abi.OK
		if m.in || m.left && d.stock || d.has(&j) {
			st = abi.Exist
		}
		if status(abi.CPGJoinRes, st) {
			m.group, m.pid, m.in = j.Group, j.PID, true
			d.change(m, exec.ReasonJoin)
			if j.Flags&abi.CPGInitialRing != 0 {
				m.Event((&abi.CPGRing{Ring: totem.RingID{Rep: thisNode, Seq: 4}, Members: []totem.NodeID{thisNode}}).Append(nil), nil)
			}
		}
	case abi.CPGLeaveID:
		if status(abi.CPGLeaveRes, abi.OK) {
			m.in, m.left = false, true
			d.change(m, exec.ReasonLeave)
		}
	case abi.CPGMcastID:
		var s abi.CPGMcast
		s.Decode(msg)
		e := abi.CPGDeliver{Group: m.group, Node: thisNode, PID: m.pid}
		d.head = e.AppendHead(d.head[:0], len(s.Message))
		d.tell(m.group, d.head, s.Message)
	case abi.CPGPartialID:
		var s abi.CPGPartial
		s.Decode(msg)
		if status(abi.CPGPartialRes, abi.OK) {
			e := abi.CPGPartialDeliver{Group: m.group, Total: s.Total, Node: thisNode, PID: m.pid, Part: s.Part}
			d.tell(m.group, e.AppendHead(nil, len(s.Fragment)), s.Fragment)
		}
	case abi.CPGMembershipID:
		var ask abi.CPGMembership
		ask.Decode(msg)
		res := abi.CPGMembers{Status: abi.OK}
		for _, o := range d.conns {
			if o.in && o.group == ask.Group {
				res.Members = append(res.Members, abi.Address{Node: thisNode, PID: o.pid})
			}
		}
		m.Respond(res.Append(nil))
	default:
		m.Respond(abi.AppendStatus(nil, 0, abi.InvalidParam))
	}
}

// has reports whether a process is in a group already.
func (d *daemon) has(j *abi.CPGJoin) bool {
	for _, o := range d.conns {
		if o.in && o.group == j.Group && o.pid == j.PID {
			return true
		}
	}
	return false
}

// peer is a process of another node.
const peerNode, peerPID = 9, 99

// peerMoves has the peer come to a group or go from it.
func (d *daemon) peerMoves(group string, why exec.Reason) {
	name, _ := exec.NewGroupName([]byte(group))
	d.peer = why == exec.ReasonJoin || why == exec.ReasonNodeUp
	d.moved(name, abi.Address{Node: peerNode, PID: peerPID, Reason: why})
}

// peerSays has it send a message, in parts.
func (d *daemon) peerSays(group string, total int, part exec.Part, text string) {
	name, _ := exec.NewGroupName([]byte(group))
	d.tell(name, (&abi.CPGPartialDeliver{Group: name, Total: uint32(total), Node: peerNode, PID: peerPID, Part: part, Fragment: []byte(text)}).Append(nil), nil)
}

// tell tells a group of something.
func (d *daemon) tell(group exec.GroupName, head, body []byte) {
	for _, o := range d.conns {
		if o.group == group && (o.in || o.going || o.left && d.stock) {
			o.Event(head, body)
		}
	}
}

// change tells a group that a client came or went.
func (d *daemon) change(m *member, why exec.Reason) {
	m.going = true
	d.moved(m.group, abi.Address{Node: thisNode, PID: m.pid, Reason: why})
	m.going = false
}

func (d *daemon) moved(group exec.GroupName, who abi.Address) {
	e := &abi.CPGChange{Group: group}
	for _, o := range d.conns {
		if o.in && o.group == group {
			e.Members = append(e.Members, abi.Address{Node: thisNode, PID: o.pid})
		}
	}
	if d.peer {
		e.Members = append(e.Members, abi.Address{Node: peerNode, PID: peerPID})
	}
	if who.Reason == exec.ReasonJoin || who.Reason == exec.ReasonNodeUp {
		e.Joined = []abi.Address{who}
	} else {
		e.Left = []abi.Address{who}
	}
	d.tell(group, e.Append(nil), nil)
}
