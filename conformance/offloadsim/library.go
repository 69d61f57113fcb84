package offloadsim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"cpgol/compat/abi"
	"cpgol/libcpg/coretest"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A library is libcpg in one process: what is between its core, the IPC and the
// mesh (libcpg/offload.go, inbox.go, send.go). It has no locks, as one thing
// happens after the other, and no threads: what libcpg waits for, calls back.
type library struct {
	p       *process
	c       *conn
	state   state
	session *session // the present membership, nil outside of a group
	inbox   []told
	last    told // what the application was told last
	long    map[offload.Member][]byte
	pending [][]byte // submissions that the IPC did not take
	due     time.Duration
	sending bool // a long message is on its way into the ring, and Send waits

	calls  []*call // that wait for their turn
	asking *call   // is with the daemon
}

type state uint8

const (
	outside state = iota
	entering
	inside
	leaving
)

// A told is an event that the application has not been told yet.
type told struct {
	from    offload.Member
	data    []byte
	payload *payload
	change  *change
	ring    totem.RingID
	long    bool // came in parts
}

// A call is a request with an answer.
type call struct {
	request []byte
	done    func(abi.Status)
	pause   time.Duration
	at      time.Duration
}

// A session is one membership's protocol and connections.
type session struct {
	lib     *library
	core    *coretest.Core
	mesh    *mesh
	out     coretest.Output
	ringing bool // a long message of the core's is on its way into the ring
	moves   int  // of the node's when it announced itself last
	held    int  // bytes of others' messages
	most    int  // of them: what all others together may have been granted so far
}

func newLibrary(p *process) *library {
	return &library{p: p, long: make(map[offload.Member][]byte), due: never}
}

// open is what follows the connection: hello, and the join.
func (l *library) open(c *conn) {
	l.c = c
	if l.p.plain {
		l.join()
		return
	}
	l.call((&abi.OffloadHello{Version: abi.OffloadVersion}).Append(nil), func(st abi.Status) {
		if st != abi.OK {
			l.p.w.fail("%s: hello: %v", l.p.name(), st)
		}
		l.join()
	})
}

func groupName(s string) exec.GroupName {
	g, _ := exec.NewGroupName([]byte(s))
	return g
}

func (l *library) join() {
	l.state = entering
	l.p.joins++
	m := abi.CPGJoin{Group: groupName(l.p.group), PID: l.p.PID}
	l.call(m.Append(nil), func(st abi.Status) {
		if st != abi.OK {
			l.p.w.fail("%s: join: %v", l.p.name(), st)
		}
	})
}

func (l *library) leave() {
	l.state = leaving
	l.p.lost = l.p.said
	m := abi.CPGLeave{Group: groupName(l.p.group), PID: l.p.PID}
	l.call(m.Append(nil), func(st abi.Status) {
		if st != abi.OK {
			l.p.w.fail("%s: leave: %v", l.p.name(), st)
		}
	})
}

// call asks the daemon, again and again if it says so.
func (l *library) call(request []byte, done func(abi.Status)) {
	l.calls = append(l.calls, &call{request: request, done: done, at: l.p.w.now})
	l.p.wake(l.p.w.now)
}

// callAt is when the next call can be made.
func (l *library) callAt() time.Duration {
	at := never
	if l.asking == nil && l.c != nil {
		for _, c := range l.calls {
			at = min(at, c.at)
		}
	}
	return at
}

// ask sends the first call that is due.
func (l *library) ask() {
	at := slices.IndexFunc(l.calls, func(c *call) bool { return c.at <= l.p.w.now })
	c := l.calls[at]
	if !l.c.send(c.request) {
		l.later(c)
		return
	}
	l.calls = slices.Delete(l.calls, at, at+1)
	l.asking = c
}

func (l *library) later(c *call) {
	c.pause = min(max(2*c.pause, firstPause), lastPause)
	c.at = l.p.w.now + c.pause
}

// answered takes the daemon's answer.
func (l *library) answered(msg []byte) {
	c := l.asking
	l.asking = nil
	_, _, st, err := abi.CutResponse(msg)
	if err != nil || c == nil {
		l.p.w.fail("%s: answer %x: %v", l.p.name(), msg, err)
		return
	}
	if st == abi.TryAgain {
		l.later(c)
		l.calls = append(l.calls, c)
		return
	}
	c.done(st)
}

// take takes the daemon's next event.
func (l *library) take(b []byte) {
	id, _, _, err := abi.CutResponse(b)
	switch {
	case err != nil:
	case id == abi.CPGDeliverEvent:
		var m abi.CPGDeliver
		if _, err = m.Decode(b); err == nil {
			from := offload.Member{Node: m.Node, PID: m.PID}
			l.came(from)
			l.inbox = append(l.inbox, told{from: from, data: m.Message})
		}
	case id == abi.CPGPartialEvent:
		err = l.takePart(b)
	case id == abi.CPGChangeEvent:
		var m abi.CPGChange
		if _, err = m.Decode(b); err == nil {
			l.changed(&m)
		}
	case id == abi.CPGRingEvent:
		var m abi.CPGRing
		if _, err = m.Decode(b); err == nil {
			l.inbox = append(l.inbox, told{ring: m.Ring})
		}
	case l.session != nil:
		err = l.session.take(id, b)
	}
	if err != nil {
		l.p.w.fail("%s: event: %v", l.p.name(), err)
	}
}

// came takes note of an own message that came from the ring.
func (l *library) came(from offload.Member) {
	if l.session != nil && from == l.p.Member {
		l.session.core.RingDelivered()
	}
}

// takePart puts a long message together.
func (l *library) takePart(b []byte) error {
	var m abi.CPGPartialDeliver
	if _, err := m.Decode(b); err != nil {
		return err
	}
	from := offload.Member{Node: m.Node, PID: m.PID}
	so := l.long[from]
	if m.Part == exec.PartFirst {
		so = make([]byte, 0, m.Total)
	}
	if so == nil || len(so)+len(m.Fragment) > int(m.Total) {
		delete(l.long, from)
		return nil
	}
	so = append(so, m.Fragment...)
	if m.Part != exec.PartLast {
		l.long[from] = so
		return nil
	}
	delete(l.long, from)
	l.came(from)
	l.inbox = append(l.inbox, told{from: from, data: so, long: true})
	return nil
}

// changed takes a change of the group.
func (l *library) changed(m *abi.CPGChange) {
	c := changeOf(m)
	for _, left := range c.left {
		delete(l.long, left)
	}
	if l.session != nil && len(c.left) > 0 {
		l.session.core.Left(l.p.w.now, c.left, &l.session.out)
		l.session.mesh.left(c.left)
		l.session.perform()
	}
	l.inbox = append(l.inbox, told{change: c})
	if slices.Contains(c.left, l.p.Member) {
		l.state = outside
		clear(l.long)
		l.outside(false)
		if l.p.stay {
			l.join()
		} else {
			l.p.w.after(l.p.w.upTo(time.Second), func() { l.p.die("has left") })
		}
	}
	if l.state == entering && slices.Contains(c.joined, l.p.Member) {
		l.state = inside
		l.p.retryAt = l.p.w.now
		if !l.p.plain {
			l.inside()
		}
	}
}

// inside begins a membership.
func (l *library) inside() {
	k := &session{lib: l, moves: l.p.n.moves, core: coretest.New(l.p.Member, l.p.w.plan.cfg)}
	k.mesh = newMesh(k)
	l.session = k
	k.announce()
}

// outside ends it.
func (l *library) outside(killed bool) {
	if l.session != nil {
		l.session.mesh.close(killed)
		l.session, l.pending, l.due = nil, nil, never
	}
}

// announce offers the endpoint. If the node's addresses are others than before, the
// connections there are closed.
func (k *session) announce() {
	if n := k.lib.p.n; k.moves != n.moves {
		k.moves = n.moves
		k.mesh.resetIn()
	}
	e := offload.Endpoint{Socket: fmt.Sprint("offloadsim ", k.moves)}
	binary.LittleEndian.PutUint64(e.Key[:], k.mesh.key)
	k.lib.call((&abi.OffloadAnnounce{Endpoint: e}).Append(nil), func(abi.Status) {})
}

// renew asks for another certificate. If another key signed it, as it may, all
// connections are made anew; others do so at their own time.
func (k *session) renew() {
	if w := k.lib.p.w; w.rnd.IntN(2) == 0 {
		k.mesh.resetIn()
		for _, p := range slices.Clone(k.mesh.out) {
			p.reset()
		}
	}
	k.announce()
}

// take takes an event that only those who offload are sent.
func (k *session) take(id int32, b []byte) (err error) {
	now := k.lib.p.w.now
	switch id {
	case abi.OffloadViewEvent:
		var m abi.OffloadView
		if _, err = m.Decode(b); err != nil {
			return err
		}
		k.lib.p.tracef("view %v, reason %d by %v", m.View, m.Reason, m.Cause)
		if m.Reason == abi.ViewOn {
			var members []offload.Member
			keys := make(map[offload.Member]uint64)
			for _, p := range m.Members {
				members = append(members, p.Member)
				keys[p.Member] = binary.LittleEndian.Uint64(p.Endpoint.Key[:])
			}
			k.lib.p.w.counted["views"]++
			k.most = max(k.most, k.lib.p.w.plan.cfg.Credit, (len(members)-1)*(k.lib.p.w.plan.cfg.LargeLimit+k.lib.p.w.plan.cfg.Overhead))
			k.mesh.setView(m.View, members, keys)
			k.core.ViewOn(now, m.View, members, &k.out)
		} else {
			k.core.ViewOff(now, m.Reason == abi.ViewSuspended && m.Cause == k.lib.p.Member, &k.out)
			k.mesh.setView(offload.View{}, nil, nil)
			if m.Reason == abi.ViewSuspended {
				k.mesh.redial(m.Cause)
			}
		}
	case abi.OffloadOrderedEvent:
		var m abi.OffloadOrdered
		if _, err = m.Decode(b); err != nil {
			return err
		}
		k.core.Ordered(now, m.View, m.From, m.First, m.Count, &k.out)
	case abi.OffloadRenewEvent:
		k.renew()
	}
	k.perform()
	return nil
}

// pop gives the application the oldest event.
func (l *library) pop() told {
	t := l.inbox[0]
	l.inbox = l.inbox[1:]
	l.last = t
	return t
}

// keep counts a message of another's that arrived.
func (k *session) keep(b []byte) *payload {
	k.held += len(b)
	return &payload{b: b, refs: 1, at: k}
}

// giveBack takes back what the application was told last.
func (l *library) giveBack() {
	t := l.last
	l.last = told{}
	if t.payload == nil {
		return
	}
	size := t.payload.Len()
	t.payload.release()
	if k := l.session; k != nil {
		k.core.Consumed(t.from, size, &k.out)
		k.perform()
	}
}

// waiting is how many bytes have no place in the order yet.
func (l *library) waiting() int {
	if l.session == nil {
		return 0
	}
	return l.session.core.Waiting()
}

// maxPiece stands for the longest message that one request has room for.
const maxPiece = 16_000

// trySend is TrySend. If sending is set afterwards, it has not returned yet.
func (l *library) trySend(b []byte) bool {
	k := l.session
	if k != nil && (k.ringing || !k.core.Direct(len(b))) {
		m := newPayload(slices.Clone(b))
		err := k.core.Send(l.p.w.now, m, &k.out)
		if err != nil {
			m.release()
		}
		k.perform()
		return err == nil
	}
	if len(b) <= maxPiece {
		sent := l.mcast(b)
		if sent && k != nil {
			k.core.DirectSent()
		}
		return sent
	}
	if k != nil {
		k.core.DirectSent()
	}
	l.sending = true
	l.mcastLong(b, func() {
		l.sending = false
		l.p.saidIt()
	})
	return true
}

// mcast sends a message in the ring.
func (l *library) mcast(b []byte) bool {
	if l.c.flow() || !l.c.send((&abi.CPGMcast{Guarantee: 2, Message: b}).Append(nil)) {
		return false
	}
	l.p.w.counted["ring"]++
	return true
}

// mcastLong sends a long message in the ring, in parts, and again if the group
// changed meanwhile.
func (l *library) mcastLong(whole []byte, done func()) {
	m := abi.CPGPartial{Guarantee: 2, Total: uint32(len(whole)), Part: exec.PartFirst}
	rest := whole
	var part func()
	part = func() {
		n := min(len(rest), maxPiece)
		m.Fragment, rest = rest[:n], rest[n:]
		if len(rest) == 0 {
			m.Part = exec.PartLast
		}
		l.call(m.Append(nil), func(st abi.Status) {
			switch {
			case st == abi.Interrupt:
				l.mcastLong(whole, done)
			case st != abi.OK:
				if l.state == inside {
					l.p.w.fail("%s: part: %v", l.p.name(), st)
				}
			case len(rest) == 0:
				l.p.w.counted["long"]++
				done()
			default:
				m.Part = exec.PartContinued
				part()
			}
		})
	}
	part()
}

// perform does what the core wants, and what the ring is to carry.
func (k *session) perform() {
	for k.ring(); len(k.out.Effects) > 0; k.ring() {
		for i := range k.out.Effects {
			if k.lib.p.doomed(uint8(k.out.Effects[i].Kind)) {
				return
			}
			k.effect(&k.out.Effects[i])
		}
		k.out.Reset()
	}
	k.lib.flush()
	k.lib.arm(k.core.Deadline())
	w := k.lib.p.w
	if k.held > k.most {
		w.fail("%s: keeps %d bytes of others', at most %d", k.lib.p.name(), k.held, k.most)
	}
	if most := w.plan.cfg.Window + max(w.plan.cfg.LargeLimit+10_001, maxPiece); k.core.Waiting() > most {
		w.fail("%s: keeps %d bytes of its own, at most %d", k.lib.p.name(), k.core.Waiting(), most)
	}
}

func (k *session) effect(e *coretest.Effect) {
	l, w := k.lib, k.lib.p.w
	if w.log != nil {
		l.p.tracef("effect %d: view %v seq %d count %d to %v peer %v from %v credit %d", e.Kind, e.View.Epoch, e.Seq, e.Count, e.To, e.Peer, e.From, e.Credit)
	}
	switch e.Kind {
	case coretest.Transmit:
		k.mesh.transmit(e.View, e.Seq, e.Payload.(*payload), e.To)
	case coretest.Hold:
		k.mesh.hold(e.Peer, e.View, e.Seq, e.Credit)
	case coretest.Submit:
		w.counted["offloaded"] += int(e.Count)
		l.submit(&abi.OffloadSubmit{View: e.View, First: e.Seq, Count: e.Count})
	case coretest.Release:
		m := e.Payload.(*payload)
		l.inbox = append(l.inbox, told{from: e.From, data: m.b, payload: m})
	case coretest.Drop:
		w.counted["dropped"]++
		m := e.Payload.(*payload)
		m.release()
	case coretest.Suspend:
		w.counted["suspends"]++
		l.call((&abi.OffloadSuspend{View: e.View, Member: e.Peer}).Append(nil), func(abi.Status) {})
	case coretest.Announce:
		k.announce()
	case coretest.Room:
		if l.p.retryAt < never {
			l.p.retryAt = w.now
		}
	case coretest.Broken:
		w.fail("%s: what %v had ordered is not here", l.p.name(), e.Peer)
	}
}

// submit sends a submission, or keeps it in its order.
func (l *library) submit(m *abi.OffloadSubmit) {
	msg := m.Append(nil)
	if len(l.pending) > 0 || !l.c.send(msg) {
		l.pending = append(l.pending, msg)
	}
}

// flush sends what the IPC did not take before.
func (l *library) flush() {
	for len(l.pending) > 0 && l.c.send(l.pending[0]) {
		l.pending = l.pending[1:]
	}
	if len(l.pending) > 0 {
		l.arm(l.p.w.now + firstPause)
	}
}

// ring sends in the ring what is to go there now.
func (k *session) ring() {
	l := k.lib
	for !k.ringing && !l.p.dead {
		m := k.core.Ring()
		if m == nil {
			return
		}
		b := m.(*payload)
		if b.Len() > maxPiece {
			k.ringing = true
			k.core.RingBegun()
			l.mcastLong(b.b, func() {
				k.ringing = false
				if l.session == k {
					b.release()
					k.core.RingSent(l.p.w.now, &k.out)
					k.perform()
				}
			})
			return
		}
		if !l.mcast(b.b) {
			l.arm(l.p.w.now + firstPause)
			return
		}
		b.release()
		k.core.RingSent(l.p.w.now, &k.out)
	}
}

// arm sees to it that tick is called at a time, or earlier.
func (l *library) arm(at time.Duration) {
	if at < l.due {
		l.due = at
		l.p.wake(at)
	}
}

func (l *library) tick() {
	l.due = never
	if k := l.session; k != nil {
		k.core.Tick(l.p.w.now, &k.out)
		k.perform()
	}
}
