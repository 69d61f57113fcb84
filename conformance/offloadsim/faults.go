package offloadsim

import (
	"slices"
	"strings"
	"time"

	"cpgol/libcpg/coretest"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// play lets the plan happen: nodes and clients start, faults come at random until
// the storm is over, then everything is mended and must come together.
func (w *world) play() error {
	w.tracef("plan: %+v", w.plan)
	w.storm, w.mesh = true, w.plan.mesh
	w.setWeather(w.plan.net)
	for _, n := range w.nodes {
		w.after(w.upTo(200*time.Millisecond), n.start)
	}
	for range w.plan.processes {
		w.after(w.upTo(800*time.Millisecond), w.another)
	}
	w.after(800*time.Millisecond+w.pause(w.plan.fault), w.strike)
	w.run(w.plan.storm)
	w.mend()
	for _, f := range []func(){w.converge, w.drain, w.offloads, w.stopOne, w.drain} {
		if w.failed == nil {
			f()
		}
	}
	if w.failed == nil {
		w.failed = w.check()
	}
	return w.failed
}

func pick[T any](w *world, list ...T) T { return list[w.rnd.IntN(len(list))] }

// another starts a client if there may be one more.
func (w *world) another() {
	if len(w.live()) < w.plan.processes {
		w.spawn(pick(w, w.nodes...))
	}
}

// strike is one fault, and the next one's beginning.
func (w *world) strike() {
	if !w.storm || w.failed != nil {
		return
	}
	n := pick(w, w.nodes...)
	var p *process
	if live := w.live(); len(live) > 0 {
		p = pick(w, live...)
	}
	switch kind := w.rnd.IntN(30); {
	case kind < 2:
		w.partition()
	case kind < 6:
		w.heal()
	case kind < 7:
		n.kill(true)
	case kind < 8:
		n.kill(false)
	case kind < 9:
		w.setWeather(drawWeather(w.rnd))
	case kind < 10:
		w.mesh = drawMeshWeather(w.rnd)
	case kind < 11:
		n.ready = w.now + w.upTo(2*time.Second) // the daemon is not run
	case kind < 12:
		n.renew(w.rnd.IntN(2) == 0)
	case p == nil:
	case kind < 14:
		w.counted["kills"]++
		p.die("is killed")
	case kind < 17:
		p.stop(w.upTo(pick(w, 50*time.Millisecond, time.Second, 5*time.Second)))
	case kind < 19:
		p.leave(w.rnd.IntN(2) == 0)
	case kind < 25:
		w.disturb(p)
	case kind < 28:
		p.doom = &doom{kind: uint8(pick(w, coretest.Transmit, coretest.Hold, coretest.Submit, coretest.Release, coretest.Drop, coretest.Announce)),
			count: w.rnd.IntN(20), host: w.rnd.IntN(3) == 0}
	}
	for _, n := range w.nodes {
		if w.rnd.IntN(3) == 0 {
			n.start()
		}
	}
	w.another()
	w.after(w.pause(w.plan.fault), w.strike)
}

// disturb resets payload connections of a process, one or all.
func (w *world) disturb(p *process) {
	if p.lib.session == nil {
		return
	}
	m := p.lib.session.mesh
	all := slices.Concat(m.out, m.in)
	if len(all) == 0 {
		return
	}
	if w.rnd.IntN(2) == 0 {
		all = []*pipe{pick(w, all...)}
	}
	p.tracef("%d connections are reset", len(all))
	for _, o := range all {
		w.counted["resets"]++
		o.reset()
	}
}

// partition splits the nodes into two or three parts.
func (w *world) partition() {
	w.counted["partitions"]++
	groups := make([][]totem.NodeID, 3)
	w.part = make(map[totem.NodeID]int)
	for _, n := range w.nodes {
		g := w.rnd.IntN(3)
		groups[g] = append(groups[g], n.id)
		w.part[n.id] = g
	}
	w.net.Partition(groups...)
	w.tracef("partition %v", groups)
}

func (w *world) heal() {
	w.tracef("network whole")
	w.net.Heal()
	w.part = nil
}

// mend ends all faults.
func (w *world) mend() {
	w.tracef("storm over")
	w.storm, w.mesh = false, calmMesh
	w.heal()
	w.setWeather(calm)
	for _, n := range w.nodes {
		n.ready = min(n.ready, w.now)
		n.start()
	}
	for _, p := range w.live() {
		p.doom = nil
		p.resume()
		if p.lib.session != nil {
			for _, o := range slices.Clone(p.lib.session.mesh.out) {
				if o.free > w.now+50*time.Millisecond {
					o.reset() // stalls no more
				}
			}
		}
	}
}

// Times that leave room for what has to happen, and none for going round in
// circles.
const (
	timeToConverge = 30 * time.Second
	timeToDrain    = 20 * time.Second
	timeToOffload  = 15 * time.Second
	timeToDeliver  = 3 * time.Second
)

// converge waits for one ring of all nodes, with all clients in their groups. There
// are two at least.
func (w *world) converge() {
	w.run(100 * time.Millisecond) // clients of killed daemons learn of it
	staying := func() (n int) {
		for _, p := range w.live() {
			if p.stay {
				n++
			}
		}
		return n
	}
	for staying() < 2 {
		w.spawn(pick(w, w.nodes...))
	}
	together := func() bool {
		ring := w.nodes[0].inside.Engine().Ring()
		for _, n := range w.nodes {
			if !n.inside.InService() || n.inside.Engine().Ring() != ring || len(n.inside.Engine().Members()) != len(w.nodes) {
				return false
			}
		}
		for _, p := range w.live() {
			if !p.stay || p.lib.state != inside { // not yet, or not yet gone
				return false
			}
		}
		return true
	}
	if !w.until(timeToConverge, together) {
		w.fail("not together %v after the storm: %s", timeToConverge, w.describe())
	}
}

// drain waits until all that was said was heard by everybody.
func (w *world) drain() {
	for _, p := range w.live() {
		p.want(50) // who joined late has heard nothing else of some
	}
	quiet := func() bool {
		for _, p := range w.live() {
			if !p.stay || len(p.toSay) > 0 || p.lib.waiting() > 0 || p.lib.state != inside || len(p.lib.inbox) > 0 || p.lib.c.events.len() > 0 {
				return false
			}
		}
		return w.allHeard(w.live())
	}
	if !w.until(timeToDrain, quiet) {
		w.fail("messages not heard %v later: %s", timeToDrain, w.describe())
	}
}

// allHeard reports whether some processes have heard all that the members of
// their groups said.
func (w *world) allHeard(some []*process) bool {
	for _, p := range w.live() {
		for _, o := range some {
			if o.group == p.group && o.heard[p.Member] != p.said {
				return false
			}
		}
	}
	return true
}

// groups are the living processes by group, in the order of their names.
func (w *world) groups() (all [][]*process) {
	live := w.live()
	slices.SortStableFunc(live, func(a, b *process) int { return strings.Compare(a.group, b.group) })
	for len(live) > 0 {
		n := 1
		for n < len(live) && live[n].group == live[0].group {
			n++
		}
		all, live = append(all, live[:n]), live[n:]
	}
	return all
}

// offloaded reports whether all of a group are in one view, and whether they can.
func offloaded(group []*process) (on, can bool) {
	var view offload.View
	on = true
	for i, p := range group {
		if p.plain {
			return false, false
		}
		v := offload.View{}
		if p.lib.session != nil {
			v = p.lib.session.core.View()
		}
		if i == 0 {
			view = v
		}
		on = on && v == view && v != offload.View{}
	}
	return on, true
}

func (w *world) allOffloaded() bool {
	for _, g := range w.groups() {
		if on, can := offloaded(g); can && !on {
			return false
		}
	}
	return true
}

// offloads waits until every group that can is offloaded. Then everybody says
// something of every size, and what is not small travels past the ring; what is,
// if it is behind others.
func (w *world) offloads() {
	if !w.until(timeToOffload, w.allOffloaded) {
		w.fail("not offloaded %v later: %s", timeToOffload, w.describe())
		return
	}
	before, want, most := w.counted["offloaded"], 0, 0
	for _, g := range w.groups() {
		_, can := offloaded(g)
		for _, p := range g {
			for _, size := range []int{100, w.plan.cfg.SmallLimit + 100, w.plan.cfg.LargeLimit, 100, w.plan.cfg.LargeLimit + 100, 2000} {
				p.want(size)
				if can && size > w.plan.cfg.SmallLimit && size <= w.plan.cfg.LargeLimit {
					want++
				}
				if can && size <= w.plan.cfg.LargeLimit {
					most++
				}
			}
		}
	}
	done := func() bool { return !w.saying() && w.allHeard(w.live()) }
	if !w.until(timeToDeliver, done) {
		w.fail("messages not heard %v later: %s", timeToDeliver, w.describe())
		return
	}
	if got := w.counted["offloaded"] - before; got < want || got > most {
		w.fail("%d messages were offloaded, should be %d to %d", got, want, most)
	}
	if w.failed == nil && !w.allOffloaded() {
		w.fail("a view ended in the calm: %s", w.describe())
	}
}

func (w *world) saying() bool {
	for _, p := range w.live() {
		if len(p.toSay) > 0 {
			return true
		}
	}
	return false
}

// stopOne stops a member: the others' messages must reach all others in little
// more time than it takes to give it up. When it goes on, so does the offload.
func (w *world) stopOne() {
	live := w.live()
	p := pick(w, live...)
	others := slices.DeleteFunc(slices.Clone(live), func(o *process) bool { return o == p })
	p.stop(time.Hour)
	for range 3 {
		for _, o := range others {
			o.want(w.plan.cfg.LargeLimit - w.rnd.IntN(100))
			o.want(50)
		}
		heard := func() bool {
			for _, o := range others {
				for _, q := range others {
					if q.group == o.group && (len(o.toSay) > 0 || q.heard[o.Member] != o.said) {
						return false
					}
				}
			}
			return true
		}
		if !w.until(w.plan.cfg.AckTimeout+time.Second, heard) {
			w.fail("with %s stopped, messages are not heard: %s", p.name(), w.describe())
			return
		}
	}
	p.resume()
	if !w.until(timeToOffload, w.allOffloaded) {
		w.fail("not offloaded %v after a member goes on: %s", timeToOffload, w.describe())
	}
}

func (w *world) describe() (s string) {
	for _, n := range w.nodes {
		s += "\n\t" + n.describe()
	}
	for _, p := range w.live() {
		s += "\n\t" + p.describe()
	}
	return s
}
