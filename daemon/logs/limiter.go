package logs

import (
	"iter"
	"time"
)

// A Limiter lets each cause speak at most once a second and counts the rest.
// The zero value is ready. Not for concurrent use.
type Limiter struct {
	causes map[string]*cause
}

type cause struct {
	last   time.Duration
	silent int
	total  uint64
}

// Counts gives how many times each cause was asked for.
func (l *Limiter) Counts() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for name, c := range l.causes {
			if !yield(name, c.total) {
				return
			}
		}
	}
}

// Allow reports whether cause may be logged at now, and how many times it was
// kept silent since it last was.
func (l *Limiter) Allow(now time.Duration, name string) (silent int, ok bool) {
	if l.causes == nil {
		l.causes = map[string]*cause{}
	}
	c := l.causes[name]
	if c == nil {
		l.causes[name] = &cause{last: now, total: 1}
		return 0, true
	}
	c.total++
	if now-c.last < time.Second {
		c.silent++
		return 0, false
	}
	silent, c.silent, c.last = c.silent, 0, now
	return silent, true
}
