package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cpgol/daemon/engine"
	"cpgol/daemon/sync"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// A node is a place in the cluster. While it is up it has a life.
type node struct {
	w      *world
	id     totem.NodeID
	index  int
	life   *life
	lives  int    // so far
	stored uint64 // ring sequence on disk
	paused bool
	inbox  [][]byte // packets that came while it is paused
	doom   int      // effects until it crashes; negative: never
}

// socketSize is how many packets wait for a paused node.
const socketSize = 500

// A life is a node from its start to its end: what a process is.
type life struct {
	*node
	number    int
	born      time.Duration
	engine    *engine.Engine
	out       engine.Output
	busy      bool
	normal    pg.Assembler
	trans     pg.Assembler
	assembler *pg.Assembler
	from      totem.NodeID
	ring      totem.RingID // of the frame being delivered
	sync      *sync.Sync
	services  []*talker
	syncing   bool
	ended     bool

	said    uint32 // messages sent
	heard   map[totem.NodeID]speech
	history []entry
}

// A speech names a message: the sender's life and its number there.
type speech struct {
	life int
	said uint32
}

func (n *node) start() {
	if n.life != nil {
		return
	}
	n.lives++
	n.doom = -1
	n.paused, n.inbox = false, nil
	cfg := n.w.plan.cfg
	cfg.Node = n.id
	cfg.Rand = rand.New(rand.NewPCG(n.w.rnd.Uint64(), 0))
	l := &life{
		node: n, number: n.lives, born: n.w.now, engine: engine.New(cfg, n.stored),
		heard: map[totem.NodeID]speech{}, syncing: true,
	}
	l.assembler = &l.trans
	l.services = []*talker{newTalker(l, 2), newTalker(l, 5)}
	l.sync = sync.New(n.id, syncers(l.services), l.sendSync, l.syncDone)
	n.life = l
	n.w.lives = append(n.w.lives, l)
	n.w.tracef("node %d starts its life %d from ring sequence %d", n.id, l.number, n.stored)
	l.engine.Start(n.w.now, &l.out)
	l.perform()
}

// crash ends the node's life without a word.
func (n *node) crash() {
	if n.life == nil {
		return
	}
	n.w.tracef("node %d crashes", n.id)
	n.life.ended = true
	n.life = nil
	n.paused, n.inbox = false, nil
}

// crashSoon lets the node die between two effects.
func (n *node) crashSoon(effects int) { n.doom = effects }

func (n *node) leave() {
	if n.life == nil || n.paused {
		return
	}
	n.w.tracef("node %d leaves", n.id)
	n.life.engine.Leave(n.w.now, &n.life.out)
	n.life.perform()
	n.crash()
}

// pause keeps the node from being run.
func (n *node) pause(d time.Duration) {
	if n.life == nil || n.paused {
		return
	}
	n.w.tracef("node %d pauses for %v", n.id, d)
	n.paused = true
	n.w.after(d, n.resume)
}

// resume lets a paused node go on: with the packets that wait or with the
// timers, as it happens.
func (n *node) resume() {
	if !n.paused {
		return
	}
	n.w.tracef("node %d resumes with %d packets", n.id, len(n.inbox))
	n.paused = false
	inbox := n.inbox
	n.inbox = nil
	if n.w.rnd.IntN(2) == 0 {
		n.tick()
	}
	for _, p := range inbox {
		n.arrive(p)
	}
}

func (n *node) arrive(packet []byte) {
	switch {
	case n.life == nil:
	case n.paused:
		if len(n.inbox) < socketSize {
			n.inbox = append(n.inbox, packet)
		}
	default:
		n.life.engine.Receive(n.w.now, packet, &n.life.out)
		n.life.perform()
	}
}

func (n *node) tick() {
	if n.life != nil {
		n.life.engine.Tick(n.w.now, &n.life.out)
		n.life.perform()
	}
}

// perform carries out effects in order. One that the node dies at, and all
// behind it, do not happen.
func (l *life) perform() {
	if l.busy {
		return
	}
	l.busy = true
	for i := 0; i < len(l.out.Effects); i++ {
		if l.doom == 0 {
			l.crash()
		}
		l.doom--
		if l.ended {
			break
		}
		l.effect(&l.out.Effects[i])
	}
	l.out.Effects = l.out.Effects[:0]
	l.busy = false
}

func (l *life) effect(e *engine.Effect) {
	switch e.Kind {
	case engine.Multicast:
		l.w.multicast(l.node, e.Packet)
	case engine.Unicast:
		l.w.unicast(l.node, e.To, e.Packet)
	case engine.Loopback:
		d := time.Duration(1 + l.w.rnd.IntN(100))
		l.w.push(event{at: l.w.now + d*time.Microsecond, to: l.node, life: l, packet: e.Packet})
	case engine.StoreRing:
		if e.Ring.Seq <= l.stored {
			l.w.fail("node %d: ring sequence %d stored after %d", l.id, e.Ring.Seq, l.stored)
		}
		l.stored = e.Ring.Seq
	case engine.Deliver:
		l.from, l.ring = e.From, e.Ring
		if err := l.assembler.Frame(e.From, e.BigEndian, e.Packet, l.message); err != nil {
			l.w.fail("node %d: frame from %d: %v", l.id, e.From, err)
		}
	case engine.Configure:
		l.configure(e.Conf)
	case engine.TokenSent:
		l.sync.TokenSent()
	case engine.Trace:
		if l.w.log != nil {
			l.w.tracef("node %d: %v", l.id, e.Event)
		}
		if _, refused := e.Event.(engine.Refused); refused {
			l.w.fail("node %d: refused: %v", l.id, e.Event)
		}
	}
}

func (l *life) configure(c *engine.Configuration) {
	l.w.tracef("node %d: %v %v members %v left %v joined %v", l.id, c.Kind, c.Ring, c.Members, c.Left, c.Joined)
	l.note(entry{conf: c, ring: c.Ring})
	l.syncing = true
	kind := sync.Transitional
	if c.Kind == engine.Regular {
		kind = sync.Regular
		// The old ring's last messages are through: what comes from here on
		// belongs to the synchronisation.
		l.assembler = &l.trans
	}
	for _, n := range c.Left {
		l.normal.Forget(n)
		l.trans.Forget(n)
		delete(l.heard, n)
	}
	l.sync.Configure(kind, c.Members, c.Ring)
}

func (l *life) syncDone() {
	l.w.tracef("node %d: synchronised %v", l.id, l.ring)
	l.note(entry{synced: true, ring: l.ring})
	l.syncing = false
	l.assembler = &l.normal
	l.engine.SyncDone(l.w.now, &l.out)
	l.w.restEarly(l)
}

// inService reports whether the node is in a ring and synchronised.
func (l *life) inService() bool {
	return l != nil && !l.paused && l.engine.State() == engine.StateOperational && !l.syncing
}

func (l *life) describe() string {
	if l == nil {
		return "down"
	}
	return fmt.Sprintf("node %d: %v, ring %v, members %v, synchronising %v, queue %d%%, said %d, heard %v",
		l.id, l.engine.State(), l.engine.Ring(), l.engine.Members(), l.syncing, l.engine.QueueLevel(), l.said, l.heard)
}

var (
	groupServices = pg.AppendGroup(nil, pg.GroupServices)
	groupSync     = pg.AppendGroup(nil, pg.GroupSync)
)

func (l *life) sendSync(head, body []byte) error {
	return l.engine.Send(l.w.now, &l.out, groupSync, head, body)
}

// talk is the application: it says something now and then.
func (n *node) talk() {
	if !n.w.storm {
		return
	}
	n.w.after(n.w.pause(n.w.plan.think), n.talk)
	if l := n.life; l == nil || l.paused || l.syncing {
		return
	}
	size := n.w.rnd.IntN(200)
	if n.w.plan.large {
		switch n.w.rnd.IntN(60) {
		case 0:
			size = n.w.rnd.IntN(pg.MaxMessage - 1000)
		case 1, 2, 3:
			size = n.w.rnd.IntN(40_000)
		}
	}
	n.say(size)
}

// A message of the application is its name and bytes that follow from it.
const nameLen = 16

func (n *node) say(size int) {
	l := n.life
	l.said++
	msg := make([]byte, nameLen+size)
	fillMessage(msg, n.id, speech{l.number, l.said})
	err := l.engine.Send(n.w.now, &l.out, groupServices, msg)
	switch {
	case err == nil:
		l.note(entry{sent: true, from: n.id, speech: speech{l.number, l.said}})
	case errors.Is(err, engine.ErrQueueFull):
		l.said-- // try again later
	default:
		n.w.fail("node %d: send: %v", n.id, err)
	}
	l.perform()
}

func fillMessage(msg []byte, from totem.NodeID, s speech) {
	binary.LittleEndian.PutUint32(msg, uint32(from))
	binary.LittleEndian.PutUint32(msg[4:], uint32(s.life))
	binary.LittleEndian.PutUint32(msg[8:], s.said)
	binary.LittleEndian.PutUint32(msg[12:], uint32(len(msg)))
	salt := byte(uint32(from)*31 + uint32(s.life)*17 + s.said)
	for i := nameLen; i < len(msg); i++ {
		msg[i] = salt + byte(i) + byte(i>>8)
	}
}

// message takes one message from a delivered frame.
func (l *life) message(msg []byte) {
	names, payload, err := pg.CutGroup(msg, false)
	switch {
	case err != nil:
		l.w.fail("node %d: message from %d: %v", l.id, l.from, err)
	case names.Has(pg.GroupSync):
		l.note(entry{from: l.from, ring: l.ring, kind: kindSync})
		l.sync.Deliver(l.from, payload)
	case isTalk(payload):
		l.note(entry{from: l.from, ring: l.ring, kind: kindService})
		l.talker(payload[4]).hear(l.from, payload)
	default:
		l.hear(payload)
	}
}

// hear checks an application's message and notes it.
func (l *life) hear(msg []byte) {
	if len(msg) < nameLen {
		l.w.fail("node %d: message of %d bytes from %d", l.id, len(msg), l.from)
		return
	}
	from := totem.NodeID(binary.LittleEndian.Uint32(msg))
	s := speech{int(binary.LittleEndian.Uint32(msg[4:])), binary.LittleEndian.Uint32(msg[8:])}
	want := make([]byte, len(msg))
	fillMessage(want, from, s)
	if from != l.from || string(want) != string(msg) {
		l.w.fail("node %d: message %v of %d, delivered as from %d, is damaged", l.id, s, from, l.from)
		return
	}
	l.note(entry{from: from, speech: s, ring: l.ring, kind: kindApplication})
	l.heard[from] = s
}
