package offloadsim

import (
	"math/rand/v2"
	"time"

	"cpgol/libcpg/coretest"
)

// A plan is what a seed stands for.
type plan struct {
	nodes     int
	stock     int // the first so many nodes have clients that cannot offload
	processes int // at most, at once
	groups    int
	plain     float64 // share of clients that cannot offload, on the other nodes
	storm     time.Duration
	fault     time.Duration // mean time between faults
	think     time.Duration // mean time between a client's messages
	bulk      bool          // large messages, many
	slow      float64       // share of applications that are slow to take events
	net       weather
	mesh      meshWeather
	cfg       coretest.Config
	busy      time.Duration // up to so long a daemon is late at times
	mtu       int
	quorum    bool // one service more to synchronise, behind cpg
}

// weather is how the network behaves between two nodes.
type weather struct {
	min, max        time.Duration
	loss, duplicate float64
}

// meshWeather is how payload connections behave.
type meshWeather struct {
	delay  time.Duration // up to so much
	rate   int           // bytes a second; 0: no limit
	keeps  bool          // connections outlive the end of a view
	stalls float64       // chance that a frame is held up for long
}

// In the calm packets differ a little in their delay, as on every network: with
// none at all two nodes can give each other up in step for ever.
var (
	calm     = weather{min: 250 * time.Microsecond, max: 350 * time.Microsecond}
	calmMesh = meshWeather{delay: 300 * time.Microsecond, keeps: true}
)

func makePlan(r *rand.Rand) plan {
	p := plan{
		nodes:     1 + r.IntN(4),
		processes: 2 + r.IntN(5),
		groups:    1,
		storm:     time.Duration(3000+r.IntN(7000)) * time.Millisecond,
		fault:     time.Duration(150+r.IntN(2000)) * time.Millisecond,
		think:     time.Duration(2+r.IntN(60)) * time.Millisecond,
		bulk:      r.IntN(3) == 0,
		net:       drawWeather(r),
		mesh:      drawMeshWeather(r),
		busy:      time.Millisecond,
		mtu:       1500,
		cfg: coretest.Config{
			SmallLimit: 400, LargeLimit: 24_000, Window: 60_000, Credit: 100_000, Overhead: 50, Batch: 8000, BatchDelay: 2 * time.Millisecond,
			AckTimeout: time.Second, Backoff: time.Second, MaxBackoff: 4 * time.Second,
		},
	}
	if r.IntN(4) == 0 {
		p.groups = 2
	}
	if r.IntN(4) == 0 {
		p.stock = r.IntN(p.nodes)
	}
	if r.IntN(3) == 0 {
		p.plain = 0.3 * r.Float64()
	}
	if r.IntN(2) == 0 {
		p.slow = 0.5 * r.Float64()
	}
	if r.IntN(4) == 0 {
		p.fault = time.Duration(20+r.IntN(150)) * time.Millisecond
	}
	if r.IntN(3) == 0 {
		p.mtu = []int{600, 9000, 65536}[r.IntN(3)]
	}
	if r.IntN(4) == 0 { // little, so that some is said at any moment of a change
		p.think, p.bulk = time.Duration(100+r.IntN(400))*time.Millisecond, false
	}
	if r.IntN(4) == 0 {
		p.busy = time.Duration(5+r.IntN(20)) * time.Millisecond
	}
	p.quorum = r.IntN(2) == 0
	switch r.IntN(5) {
	case 0: // tight
		p.cfg.Window, p.cfg.Credit = 24_000, 24_000
	case 1: // all by mesh
		p.cfg.SmallLimit = 0
	case 2: // little by mesh
		p.cfg.LargeLimit = 3500
	}
	return p
}

func drawWeather(r *rand.Rand) weather {
	w := weather{min: time.Duration(200+r.IntN(600)) * time.Microsecond}
	w.max = w.min + time.Duration(r.IntN(300))*time.Microsecond
	switch r.IntN(4) {
	case 0:
		w.loss, w.duplicate = 0.02*r.Float64(), 0.05*r.Float64()
	case 1:
		w.loss, w.duplicate = 0.1*r.Float64(), 0.1*r.Float64()
		w.max += time.Duration(r.IntN(4000)) * time.Microsecond
	}
	return w
}

func drawMeshWeather(r *rand.Rand) meshWeather {
	m := meshWeather{delay: time.Duration(100+r.IntN(3000)) * time.Microsecond, keeps: r.IntN(2) == 0}
	switch r.IntN(4) {
	case 0:
		m.rate = 20_000 + r.IntN(200_000)
	case 1:
		m.delay = time.Duration(1+r.IntN(60)) * time.Millisecond
	}
	if r.IntN(3) == 0 {
		m.stalls = 0.03 * r.Float64()
	}
	return m
}
