package sim

import (
	"math/rand/v2"
	"time"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// A plan is what a seed stands for.
type plan struct {
	nodes int
	cfg   engine.Config
	storm time.Duration // how long the faults last
	net   weather
	think time.Duration // mean time between a node's messages
	large bool          // some messages are long
	fault time.Duration // mean time between faults
	early bool          // tokens rest early
}

// weather is how the network behaves between two nodes.
type weather struct {
	base, jitter time.Duration // each packet takes base and up to jitter
	loss         float64       // share of packets lost
	duplicate    float64       // share that comes twice
	late         float64       // share that comes seconds later
}

var calm = weather{base: 200 * time.Microsecond, jitter: 50 * time.Microsecond}

// makePlan draws a plan. Most worlds are mild enough for long histories; in some,
// one fault follows the other.
func makePlan(r *rand.Rand) plan {
	p := plan{
		nodes: 2 + r.IntN(4),
		storm: time.Duration(4+r.IntN(10)) * time.Second,
		net:   drawWeather(r),
		think: time.Duration(5+r.IntN(60)) * time.Millisecond,
		large: r.IntN(4) == 0,
		fault: time.Duration(200+r.IntN(2500)) * time.Millisecond,
	}
	if r.IntN(10) == 0 {
		p.nodes = 1 + r.IntN(8)
	}
	if r.IntN(4) == 0 {
		p.fault = time.Duration(5+r.IntN(200)) * time.Millisecond
		p.think = time.Duration(2+r.IntN(10)) * time.Millisecond
	}
	p.cfg = drawConfig(r)
	p.early = r.IntN(2) == 0
	return p
}

func drawWeather(r *rand.Rand) weather {
	w := weather{
		base:   time.Duration(50+r.IntN(1000)) * time.Microsecond,
		jitter: time.Duration(r.IntN(300)) * time.Microsecond,
	}
	switch r.IntN(4) {
	case 0: // a clean network
	case 1:
		w.loss = 0.02 * r.Float64()
		w.duplicate = 0.05 * r.Float64()
	case 2:
		w.loss = 0.1 * r.Float64()
		w.jitter = time.Duration(r.IntN(5000)) * time.Microsecond
		w.duplicate = 0.2 * r.Float64()
	case 3:
		w.loss = 0.4 * r.Float64()
		w.jitter = time.Duration(r.IntN(30)) * time.Millisecond
		w.late = 0.01 * r.Float64()
	}
	return w
}

// drawConfig varies the reference's defaults, with a token of one second.
func drawConfig(r *rand.Rand) engine.Config {
	c := engine.Config{
		Token: 1000 * time.Millisecond, TokenRetransmit: 238 * time.Millisecond, Hold: 180 * time.Millisecond,
		Join: 50 * time.Millisecond, Consensus: 1200 * time.Millisecond, Merge: 200 * time.Millisecond,
		MaxNetworkDelay: 50 * time.Millisecond, TokenWarning: 75,
		FailToReceive: 2500, SeqUnchanged: 30, WindowSize: 50, MaxMessages: 17, MissCount: 5,
		NetMTU: 1500,
	}
	if r.IntN(3) == 0 {
		c.NetMTU = []int{300, 1500, 9000, 65536}[r.IntN(4)]
	}
	if r.IntN(3) == 0 { // numbers that wrap soon
		c.FirstSeq = 0 - totem.Seq(r.IntN(300))
	}
	if r.IntN(4) == 0 {
		c.WindowSize, c.MaxMessages = 1+r.IntN(300), 1+r.IntN(50)
	}
	if r.IntN(4) == 0 {
		c.FailToReceive = 30 + r.IntN(300)
	}
	if r.IntN(6) == 0 {
		c.MissCount = 1 + r.IntN(10)
	}
	if r.IntN(6) == 0 {
		c.HeartbeatFailures = 1 + r.IntN(3)
	}
	if r.IntN(6) == 0 {
		c.SendJoin = time.Duration(1+r.IntN(80)) * time.Millisecond
	}
	c.CancelHoldOnRetransmit = r.IntN(4) == 0
	return c
}
