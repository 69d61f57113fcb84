package node

import (
	"fmt"
	"slices"
	"time"

	"cpgol/daemon/cmap"
)

// schedmiss watches whether the loop is run in time: a node that its machine does
// not run loses the token, and its administrator should know whose fault it was
// (exec/main.c:timer_function_scheduler_timeout).
type schedmiss struct {
	last  time.Duration // when it last looked
	limit time.Duration // how long after that it looks again at the latest
	list  []miss        // newest first
}

type miss struct {
	at    time.Time
	delay time.Duration
}

// mostMisses is how many are kept (exec/stats.c:MAX_SCHEDMISS_EVENTS).
const mostMisses = 10

// watchSchedule looks now and every third of a token's time.
func (n *Node) watchSchedule() {
	s, now := &n.missed, n.Now()
	if late := now - s.last; s.limit > 0 && late > s.limit {
		m := miss{time.Now(), late}
		n.log.Warn(fmt.Sprintf("Corosync main process was not scheduled (@%d) for %0.4f ms (threshold is %0.4f ms). Consider token timeout increase.",
			m.at.UnixMilli(), milliseconds(late), milliseconds(s.limit)))
		n.addMiss(m)
	}
	token := n.cfg.Totem.Token // may change
	s.last, s.limit = now, token*8/10
	n.timers.after(now+token/3, n.watchSchedule)
}

func (n *Node) addMiss(m miss) {
	s := &n.missed
	s.list = slices.Insert(s.list, 0, m)
	if len(s.list) > mostMisses {
		s.list = s.list[:mostMisses]
		return
	}
	for k, v := range s.keys(len(s.list) - 1) {
		n.cmap.StatAdded(k, v)
	}
}

// clearMisses forgets them.
func (n *Node) clearMisses() {
	s := &n.missed
	for i := range s.list {
		for k, v := range s.keys(i) {
			n.cmap.StatRemoved(k, v)
		}
	}
	s.list = nil
}

// keys are the statistics of one.
func (s *schedmiss) keys(i int) map[string]cmap.Value {
	prefix := fmt.Sprintf("stats.schedmiss.%d.", i)
	return map[string]cmap.Value{
		prefix + "timestamp": cmap.U64(uint64(s.list[i].at.UnixMilli())),
		prefix + "delay":     cmap.F32(float32(milliseconds(s.list[i].delay))),
	}
}

func (s stats) misses(yield func(string, cmap.Value) bool) bool {
	for i := range s.n.missed.list {
		for k, v := range s.n.missed.keys(i) {
			if !yield(k, v) {
				return false
			}
		}
	}
	return true
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
