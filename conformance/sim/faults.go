package sim

import (
	"time"
)

// play lets the plan happen: all nodes start within a second, faults and
// traffic come at random until the storm is over, then everything is mended and
// must come together.
func (w *world) play() error {
	w.tracef("plan: %d nodes, storm %v, weather %+v, think %v, large %v, fault every %v, config %+v",
		w.plan.nodes, w.plan.storm, w.plan.net, w.plan.think, w.plan.large, w.plan.fault, w.plan.cfg)
	w.storm = true
	for _, n := range w.nodes {
		w.after(time.Duration(w.rnd.Int64N(int64(time.Second))), n.start)
		w.after(w.pause(w.plan.think), n.talk)
	}
	w.after(w.pause(w.plan.fault), w.strike)
	w.run(w.plan.storm)
	w.storm = false
	w.mend()
	if w.failed == nil {
		w.converge()
	}
	if w.failed == nil {
		w.calmEnough()
	}
	if w.failed == nil {
		w.failed = check(w.lives)
	}
	return w.failed
}

// pause draws a time around a mean.
func (w *world) pause(mean time.Duration) time.Duration {
	return time.Duration(w.rnd.ExpFloat64() * float64(mean))
}

// strike is one fault, and the next one's beginning.
func (w *world) strike() {
	if !w.storm {
		return
	}
	n := w.nodes[w.rnd.IntN(len(w.nodes))]
	switch w.rnd.IntN(12) {
	case 0, 1:
		w.partition()
	case 2:
		a, b := w.rnd.IntN(len(w.nodes)), w.rnd.IntN(len(w.nodes))
		w.tracef("cut from %d to %d", w.nodes[a].id, w.nodes[b].id)
		w.cut[a][b] = a != b
	case 3, 4, 5:
		w.heal()
	case 6, 7:
		n.pause(w.pause(700 * time.Millisecond))
	case 8:
		n.crash()
	case 9:
		n.crashSoon(w.rnd.IntN(20))
	case 10:
		n.leave()
	case 11:
		w.plan.net = drawWeather(w.rnd)
		w.tracef("weather %+v", w.plan.net)
	}
	for _, n := range w.nodes {
		if n.life == nil && w.rnd.IntN(3) == 0 {
			n.start()
		}
	}
	w.after(w.pause(w.plan.fault), w.strike)
}

// partition splits the nodes into two or three groups.
func (w *world) partition() {
	group := make([]int, len(w.nodes))
	for i := range group {
		group[i] = w.rnd.IntN(3)
	}
	for i := range w.nodes {
		for j := range w.nodes {
			w.cut[i][j] = group[i] != group[j]
		}
	}
	w.tracef("partition %v", group)
}

func (w *world) heal() {
	for i := range w.cut {
		clear(w.cut[i])
	}
	w.tracef("network whole")
}

// mend ends all faults.
func (w *world) mend() {
	w.tracef("storm over")
	w.heal()
	for _, n := range w.nodes {
		n.doom = -1
		n.resume()
		if n.life == nil {
			n.start()
		}
	}
}

// Packets that are late arrive until six seconds after the storm; each can cost
// a membership change. Then a mended network must come together, in a time and a
// number of rings that leave no room for nodes that go round in circles, and
// messages must arrive.
const (
	timeOfLatePackets = 6500 * time.Millisecond
	timeToConverge    = 10 * time.Second
	ringsToConverge   = 40
	timeToDeliver     = 3 * time.Second
)

// converge waits for one ring of all nodes, and for a message of each to reach
// everybody.
func (w *world) converge() {
	before := w.lastRing()
	w.run(timeOfLatePackets)
	if !w.until(timeToConverge, w.together) {
		if w.failed == nil {
			w.fail("no common ring %v after the storm: %s", timeOfLatePackets+timeToConverge, w.states())
		}
		return
	}
	if rings := (w.lastRing() - before) / 4; rings > ringsToConverge {
		w.fail("it took %d rings to come together", rings)
		return
	}
	ring := w.nodes[0].life.engine.Ring()
	for _, n := range w.nodes {
		n.say(20)
		n.say(4000)
	}
	if !w.until(timeToDeliver, w.allHeard) && w.failed == nil {
		w.fail("messages of a calm ring not delivered within %v: %s", timeToDeliver, w.states())
		return
	}
	w.run(time.Second)
	if w.failed == nil && (!w.together() || w.nodes[0].life.engine.Ring() != ring) {
		w.fail("a calm ring broke: %v, then %s", ring, w.states())
	}
}

// calmEnough checks that nobody sent joins without end: one every 50 milliseconds
// while gathering, and one for each reason to gather, of which there are few.
func (w *world) calmEnough() {
	for _, l := range w.lives {
		joins := l.engine.Stats().MembJoinTx
		if most := 200 + 40*(w.now-l.born)/time.Second; joins > uint64(most) {
			w.fail("%s: sent %d joins in %v", l.name(), joins, w.now-l.born)
		}
	}
}

// lastRing is the highest ring sequence that any node has stored.
func (w *world) lastRing() uint64 {
	last := uint64(0)
	for _, n := range w.nodes {
		last = max(last, n.stored)
	}
	return last
}

// together reports whether all nodes are in one ring and synchronised.
func (w *world) together() bool {
	ring := w.nodes[0].life.engine.Ring()
	for _, n := range w.nodes {
		if !n.life.inService() || n.life.engine.Ring() != ring || len(n.life.engine.Members()) != len(w.nodes) {
			return false
		}
	}
	return true
}

// allHeard reports whether nothing waits to be sent and everybody heard the
// last message of everybody.
func (w *world) allHeard() bool {
	for _, n := range w.nodes {
		for _, m := range w.nodes {
			if m.life.heard[n.id] != (speech{n.life.number, n.life.said}) {
				return false
			}
		}
	}
	return true
}

func (w *world) states() string {
	s := ""
	for _, n := range w.nodes {
		l := n.life
		s += "\n\t" + l.describe()
	}
	return s
}
