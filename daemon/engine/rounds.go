package engine

import (
	"math/bits"
	"time"
)

// Rounds counts how long the token takes from this node round the ring and back,
// by duration: in eighths of an octave, so that what is read from it is at most an
// eighth too much. Rounds in which it rests with the representative are left out,
// as far as this node knows.
type Rounds struct {
	counts [roundClasses]uint64
	total  uint64
	since  time.Duration // when it left
	away   bool
}

// Classes are those below 8 µs, and eight for each octave up to 2^25 µs.
const (
	roundBits    = 3
	roundClasses = (25 - roundBits + 1) << roundBits
)

// left says that the token was passed on.
func (r *Rounds) left(now time.Duration) { r.since, r.away = now, true }

// forget says that the round is none: it ends with another ring, or may be a rest.
func (r *Rounds) forget() { r.away = false }

// came says that the token is here.
func (r *Rounds) came(now time.Duration) {
	if r.away {
		r.counts[roundClass(now-r.since)]++
		r.total++
		r.away = false
	}
}

func roundClass(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 1<<roundBits {
		return int(us)
	}
	octave := bits.Len64(us) - 1 // 2^octave <= us
	return min((octave-roundBits)<<roundBits+int(us>>(octave-roundBits)), roundClasses-1)
}

// roundLimit is the least duration above a class.
func roundLimit(class int) time.Duration {
	if class < 1<<roundBits {
		return time.Duration(class+1) * time.Microsecond
	}
	octave := class>>roundBits - 1
	return time.Duration((class&(1<<roundBits-1)+1<<roundBits+1)<<octave) * time.Microsecond
}

// Total is how many rounds were counted.
func (r *Rounds) Total() uint64 { return r.total }

// Quantile is a duration that this part of all rounds, of 1, took less than; 0 if
// there were none.
func (r *Rounds) Quantile(part float64) time.Duration {
	if r.total == 0 {
		return 0
	}
	rank := min(uint64(part*float64(r.total)), r.total-1)
	for class, n := range r.counts {
		if rank < n {
			return roundLimit(class)
		}
		rank -= n
	}
	return roundLimit(roundClasses - 1)
}
