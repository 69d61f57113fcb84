package offloadsim

import (
	"fmt"
	"time"

	"cpgol/libcpg/coretest"
	"cpgol/wire/offload"
)

// A process is one client: an application that joins a group, says and hears,
// with the library under it.
type process struct {
	offload.Member
	w     *world
	n     *node
	group string
	plain bool // cannot offload
	slow  bool // takes its time to take events
	lib   *library

	dead    bool
	orphan  bool          // its daemon ended before it
	stopped time.Duration // until then
	due     time.Duration // when run is called next
	doom    *doom

	joins   int // times it joined
	stay    bool
	toSay   []int  // sizes of what it still wants to say
	text    []byte // what it is saying
	said    uint32 // messages that the library took
	lost    uint32 // of those, the last that was said before it left on purpose
	retryAt time.Duration
	retry   time.Duration
	nextAt  time.Duration // when it takes the next event
	history []entry
	heard   map[offload.Member]uint32
}

// A doom ends a process, or its whole host, when its library is about to do
// something of a kind for the count-th time: in a window of the protocol.
type doom struct {
	kind  uint8
	count int
	host  bool
}

func (w *world) spawn(n *node) *process {
	w.serial++
	p := &process{
		Member: offload.Member{Node: n.id, PID: uint32(1000 + w.serial)}, w: w, n: n, due: never,
		group: fmt.Sprintf("g%d", w.rnd.IntN(w.plan.groups)), heard: make(map[offload.Member]uint32), retryAt: never,
	}
	p.plain = n.stock || w.rnd.Float64() < w.plan.plain
	p.slow = w.rnd.Float64() < w.plan.slow
	p.stay = true
	p.lib = newLibrary(p)
	w.procs = append(w.procs, p)
	w.tracef("%s starts, group %s, plain %v, slow %v", p.name(), p.group, p.plain, p.slow)
	w.after(0, p.open)
	w.after(w.pause(w.plan.think), p.talk)
	return p
}

func (p *process) name() string { return fmt.Sprintf("%d.%d", p.Node, p.PID) }

func (p *process) tracef(format string, args ...any) {
	if p.w.log != nil {
		p.w.tracef("%s: %s", p.name(), fmt.Sprintf(format, args...))
	}
}

// open connects to the daemon, as soon as that lets it.
func (p *process) open() {
	if p.dead {
		return
	}
	if c := p.n.connect(p); c != nil {
		p.lib.open(c)
	} else {
		p.w.after(50*time.Millisecond, p.open)
	}
}

// die ends the process at once.
func (p *process) die(why string) {
	if p.dead {
		return
	}
	p.tracef("dies: %s", why)
	p.dead = true
	p.lib.outside(true)
	if c := p.lib.c; c != nil && !c.closed {
		p.w.after(p.w.upTo(5*time.Millisecond), func() { p.n.close(c) })
	}
}

// disconnected is the end of the daemon: the application learns of it soon.
func (p *process) disconnected() {
	p.w.after(p.w.upTo(30*time.Millisecond), func() { p.die("no daemon") })
}

// stop keeps the process from running.
func (p *process) stop(d time.Duration) {
	p.tracef("is stopped for %v", d)
	p.w.counted["stops"]++
	p.stopped = p.w.now + d
	p.wake(p.stopped)
}

func (p *process) resume() {
	p.stopped = 0
	p.wake(p.w.now)
}

// wake sees to it that run is called at a time, or earlier.
func (p *process) wake(at time.Duration) {
	if at >= p.due || p.dead {
		return
	}
	p.due = at
	p.w.at(at, func() {
		if p.due == at {
			p.due = never
			p.run()
		}
	})
}

// run does all that can be done now, in an order by chance.
func (p *process) run() {
	w := p.w
	for !p.dead && p.stopped <= w.now {
		var can []func()
		for _, c := range p.prompt() {
			if c.due(w.now) {
				can = append(can, c.take)
			}
		}
		if p.nextAt <= w.now && p.hasNext() {
			can = append(can, p.next)
		}
		if p.retryAt <= w.now {
			can = append(can, p.say)
		}
		if p.lib.due <= w.now {
			can = append(can, p.lib.tick)
		}
		if p.lib.callAt() <= w.now {
			can = append(can, p.lib.ask)
		}
		if len(can) == 0 {
			break
		}
		can[w.rnd.IntN(len(can))]()
	}
	p.sleep()
}

// prompt are the channels that the library's own threads take from.
func (p *process) prompt() []*channel {
	var all []*channel
	if p.lib.c != nil {
		all = append(all, &p.lib.c.answers)
	}
	if l := p.lib.session; l != nil {
		for _, o := range l.mesh.out {
			all = append(all, &o.back)
		}
		all = append(all, &l.mesh.last)
		for _, o := range l.mesh.in {
			all = append(all, &o.forth)
		}
	}
	return all
}

// blocked is how often something is looked at that may be taken some time.
const blocked = 20 * time.Millisecond

// sleep sees to the next run.
func (p *process) sleep() {
	if p.dead {
		return
	}
	next := min(p.retryAt, p.lib.due, p.lib.callAt())
	channels := p.prompt()
	for _, c := range channels {
		if len(c.items) > 0 {
			if due := c.items[0].due; due > p.w.now {
				next = min(next, due)
			} else {
				next = min(next, p.w.now+blocked)
			}
		}
	}
	if len(p.lib.inbox) > 0 || p.lib.last.payload != nil {
		next = min(next, p.nextAt)
	} else if c := p.lib.c; c != nil && c.events.len() > 0 {
		next = min(next, max(p.nextAt, c.events.items[0].due))
	}
	if next < never {
		p.wake(max(next, p.stopped, p.w.now))
	}
}

// hasNext reports whether a call of Next does something: it gives back what was
// told before, in any case.
func (p *process) hasNext() bool {
	return p.lib.last.payload != nil || len(p.lib.inbox) > 0 || p.lib.c != nil && p.lib.c.events.due(p.w.now)
}

// next is the application taking an event, or having one read.
func (p *process) next() {
	p.lib.giveBack()
	if len(p.lib.inbox) == 0 && p.lib.c.events.due(p.w.now) {
		p.lib.c.events.take()
	}
	if p.dead || len(p.lib.inbox) == 0 {
		return
	}
	p.told(p.lib.pop())
	if p.slow && p.w.storm {
		p.nextAt = p.w.now + p.w.upTo(20*time.Millisecond)
		if p.w.rnd.IntN(300) == 0 {
			p.nextAt += p.w.upTo(3 * time.Second)
		}
	} else {
		p.nextAt = p.w.now + p.w.upTo(50*time.Microsecond)
	}
}

// told is the application being told something.
func (p *process) told(t told) {
	w := p.w
	e := entry{at: w.now, from: t.from, change: t.change, ring: t.ring, long: t.long, offloaded: t.payload != nil}
	if t.change == nil && t.ring == (entry{}).ring {
		var err error
		if e.number, err = number(t.from, t.data); err != nil {
			w.fail("%s: %v", p.name(), err)
			return
		}
		p.heard[t.from] = e.number
	}
	for _, b := range []byte(e.String()) {
		w.sum = w.sum*31 + uint64(b)
	}
	if w.log != nil {
		p.tracef("told %v", &e)
	}
	p.history = append(p.history, e)
}

// talk is the application wanting to say something, now and then.
func (p *process) talk() {
	w := p.w
	if p.dead || !w.storm {
		return
	}
	w.after(w.pause(w.plan.think), p.talk)
	if len(p.toSay) < 4 {
		p.want(w.size())
	}
}

// size draws a message's size: in the ring, past it, or both.
func (w *world) size() int {
	c := &w.plan.cfg
	if w.plan.bulk && w.rnd.IntN(3) > 0 {
		return c.LargeLimit/2 + w.rnd.IntN(c.LargeLimit/2)
	}
	switch w.rnd.IntN(12) {
	case 0:
		return c.SmallLimit
	case 1:
		return c.SmallLimit + 1
	case 2, 3, 4:
		return c.SmallLimit + w.rnd.IntN(c.LargeLimit-c.SmallLimit)
	case 5:
		return c.LargeLimit
	case 6:
		return c.LargeLimit + 1 + w.rnd.IntN(10_000)
	}
	return nameLen + w.rnd.IntN(300)
}

func (p *process) want(size int) {
	p.toSay = append(p.toSay, size)
	if p.retryAt == never {
		p.retryAt = p.w.now
		p.wake(p.w.now)
	}
}

// Pauses between tries, as libcpg's.
const (
	firstPause = 500 * time.Microsecond
	lastPause  = 20 * time.Millisecond
)

// say is the application in a call of Send.
func (p *process) say() {
	p.retryAt = never
	if len(p.toSay) == 0 || p.lib.state != inside || p.lib.sending {
		return
	}
	if p.text == nil {
		p.text = text(p.Member, p.said+1, p.toSay[0])
	}
	if !p.lib.trySend(p.text) {
		p.retry = min(max(2*p.retry, firstPause), lastPause)
		p.retryAt = p.w.now + p.retry
		if c := p.lib.c; c.events.due(p.w.now) && len(p.lib.inbox) < 100 {
			c.events.take() // Send reads events meanwhile
		}
		return
	}
	if !p.lib.sending {
		p.saidIt()
	}
}

// saidIt is the return of Send.
func (p *process) saidIt() {
	p.said++
	p.w.counted["said"]++
	p.tracef("said #%d, %d bytes", p.said, len(p.text))
	p.toSay, p.text, p.retry = p.toSay[1:], nil, 0
	if len(p.toSay) > 0 {
		p.retryAt = p.w.now
	}
}

// leave is the application leaving its group behind all that it said; it joins
// again unless it may go.
func (p *process) leave(again bool) {
	if p.dead || p.lib.state != inside || len(p.toSay) > 0 || p.lib.waiting() > 0 {
		return
	}
	p.stay = again
	p.lib.leave()
}

// doomed reports whether the process ends before it does something of a kind.
func (p *process) doomed(kind uint8) bool {
	d := p.doom
	if d == nil || d.kind != kind {
		return p.dead
	}
	if d.count--; d.count >= 0 {
		return p.dead
	}
	p.doom = nil
	if d.host {
		p.n.kill(true)
	}
	p.die(fmt.Sprintf("doomed at effect %d", kind))
	return true
}

var _ coretest.Payload = (*payload)(nil)

func (p *process) describe() string {
	var view offload.View
	if p.lib.session != nil {
		view = p.lib.session.core.View()
	}
	events := -1
	if p.lib.c != nil {
		events = p.lib.c.events.len()
	}
	return fmt.Sprintf("%s: %s, plain %v, state %d, view %v, wants %d, said %d, waiting %d, inbox %d, events %d, calls %d, asking %v, heard %v",
		p.name(), p.group, p.plain, p.lib.state, view, len(p.toSay), p.said, p.lib.waiting(), len(p.lib.inbox), events, len(p.lib.calls), p.lib.asking != nil, p.heard)
}
