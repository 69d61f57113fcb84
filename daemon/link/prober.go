package link

import "time"

// Path MTU discovery of one link: what has been tried, what is known, what to try
// next. Sizes are those of whole IP packets. What a size means for data depends on
// the envelope and is passed in as a sizer.

const (
	maxIPLen = 65535 // the size to start with (KNET_PMTUD_SIZE_V4, _V6)

	// probeWait is the first wait for a reply, next to four times the latency.
	// It doubles with each try up to maxWaitShift times.
	probeWait    = 100 * time.Millisecond
	maxWaitShift = 4

	// maxFails is how many tries count as proof against a size, while a small
	// probe gets through; a size that worked before needs maxFailsKnown.
	maxFails      = 3
	maxFailsKnown = 6
	// maxSilent ends a run on a link where even the small probes get lost:
	// that is for the heartbeats to judge.
	maxSilent = 8
	// retryWait separates runs that ended without a result.
	retryWait = 2 * time.Second
)

// A sizer knows which packet sizes the envelope can make on this link.
type sizer interface {
	// align returns the largest size up to n that a probe can have, at most 0
	// if there is none.
	align(n int) int
	// least is the smallest size that makes a link fit for data; smallest is
	// the size of the shortest probe.
	least() int
	smallest() int
}

// A prober searches one link. The search keeps good < bad and narrows the gap.
type prober struct {
	// path is the largest size known to pass since the link came up, 0: none.
	path int
	// hint is the last path of all time, the first candidate of a run.
	hint int
	// unsound: not even the least size passes.
	unsound bool

	running  bool
	cand     int // the size on trial
	sent     int // and what it was sent as
	good     int // passes
	bad      int // does not pass
	fails    int // tries of cand that failed while the small probe passed
	silent   int // tries without any reply
	tries    int // of cand in all
	heard    bool
	control  bool // a small probe went along with this try
	deadline time.Duration
	next     time.Duration // no run before
	last     time.Duration // of a run with a result
	done     bool          // there was one
}

// up forgets what the path let through before; only the hint stays.
func (p *prober) up() { p.path, p.unsound, p.done, p.next = 0, false, false, 0 }

// down ends a run.
func (p *prober) down() { p.running = false }

// due reports whether a run should start.
func (p *prober) due(now, interval time.Duration) bool {
	if p.running || now < p.next {
		return false
	}
	return !p.done || now-p.last >= interval
}

// begin starts a run.
func (p *prober) begin(s sizer) {
	p.running = true
	p.good, p.bad = s.smallest(), maxIPLen+1
	first := maxIPLen
	if p.hint != 0 {
		first = p.hint
	}
	p.try(s.align(first))
}

func (p *prober) try(size int) {
	p.cand, p.fails, p.silent, p.tries = size, 0, 0, 0
}

// wait is how long to wait for the reply to the try that is sent now.
func (p *prober) wait(latency time.Duration) time.Duration {
	return (probeWait + 4*latency) << min(p.tries, maxWaitShift)
}

// reply takes the reply to a probe of that size. It reports whether it was
// awaited.
func (p *prober) reply(s sizer, size int, now time.Duration) bool {
	switch {
	case !p.running:
		return false
	case size == p.cand:
		p.good = size
		p.path = max(p.path, size)
		p.hint = p.path
		p.unsound = p.unsound && size < s.least()
		p.advance(s, now)
		return true
	case size == s.smallest():
		p.heard = true
		return true
	}
	return false
}

// timeout ends a try without a reply. The same size is tried again unless
// enough is known.
func (p *prober) timeout(s sizer, now time.Duration) {
	p.tries++
	if p.control && p.heard {
		p.fails++
		p.silent = 0
	} else {
		p.silent++
	}
	limit := maxFails
	if p.cand <= max(p.path, p.hint) {
		limit = maxFailsKnown
	}
	if p.fails >= limit {
		p.refute(s, p.cand, 0)
		p.advance(s, now)
	} else if p.silent >= maxSilent {
		p.running, p.next = false, now+retryWait
	}
}

// tooBig takes the word of the local kernel that packets above mtu cannot be
// sent, 0 if it did not say. It reports whether there is a new candidate to
// send. What is told of packets that nobody would send any more changes nothing,
// so that a late echo of a probe does not cause the next.
func (p *prober) tooBig(s sizer, mtu int, now time.Duration) bool {
	if mtu == 0 {
		if !p.running {
			p.done = false // look again, but not for each packet
			p.next = max(p.next, p.last+retryWait)
			return false
		}
		p.refute(s, p.cand, 0)
		p.advance(s, now)
		return p.running
	}
	fits := s.align(mtu)
	if fits < s.least() {
		fits = 0
	}
	if p.path > mtu {
		p.done = false
	}
	p.refute(s, mtu+1, fits)
	if !p.running || p.cand < p.bad {
		return false
	}
	p.advanceTo(s, fits, now)
	return p.running
}

// refute takes note that packets of that size do not pass. below is what then
// is known to pass if a size that was thought to pass does not.
func (p *prober) refute(s sizer, size, below int) {
	p.bad = min(p.bad, size)
	if p.path >= size {
		p.path = below
	}
	if p.hint >= size {
		p.hint = below
	}
	if p.good >= size {
		p.good = s.smallest()
	}
}

// advance picks the next candidate or ends the run.
func (p *prober) advance(s sizer, now time.Duration) {
	first := 0
	if p.bad > maxIPLen {
		first = s.align(maxIPLen) // the kernel's refusal of it tells the most
	}
	p.advanceTo(s, first, now)
}

// advanceTo is advance with a suggestion.
func (p *prober) advanceTo(s sizer, suggested int, now time.Duration) {
	top := s.align(p.bad - 1)
	if top <= p.good || top < s.least() {
		p.finish(s, now)
		return
	}
	size := suggested
	if size <= p.good || size > top {
		size = s.align((p.good + p.bad) / 2)
	}
	if size < s.least() {
		size = s.align(s.least())
	}
	if size <= p.good {
		size = top
	}
	p.try(size)
}

// finish ends a run with what was found.
func (p *prober) finish(s sizer, now time.Duration) {
	p.running = false
	p.unsound = p.good < s.least()
	if p.unsound {
		p.path, p.done, p.next = 0, false, now+retryWait
		return
	}
	p.path, p.hint = p.good, p.good
	p.last, p.done = now, true
}
