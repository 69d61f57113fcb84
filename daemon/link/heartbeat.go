package link

import (
	"encoding/binary"
	"time"

	"cpgol/wire/knet"
)

const (
	// cycleTime is the grid that pings and timeouts keep to
	// (KNET_THREADS_TIMERES).
	cycleTime = 200 * time.Millisecond
	// lateCycle is how late a cycle is when the process was not run: nothing
	// that arrived meanwhile has been looked at yet.
	lateCycle = 2 * cycleTime
	// maxBackoff multiplies the timeout of a link that is new or went down. It
	// shrinks by one each second (KNET_LINK_PONG_TIMEOUT_BACKOFF).
	maxBackoff = 10
	// overtaken is how long a ping may be under way after data sent later.
	overtaken = 500 * time.Millisecond
	// backoffCycles is a second.
	backoffCycles = int(time.Second / cycleTime)
)

// A heartbeat is what a link's pings and pongs told.
type heartbeat struct {
	pinged   bool
	lastPing time.Duration
	alive    bool // a pong came since the link was last down
	lastPong time.Duration
	counted  time.Duration // time stamp of the last pong that counted, plus 1
	pongs    uint8         // counted since the link was last down
	backoff  int

	latency time.Duration // average, whole microseconds
	samples uint32
}

// restart begins counting anew, with patience.
func (b *heartbeat) restart() { b.alive, b.pongs, b.backoff = false, 0, maxBackoff }

// timeout is how long a link may go without a pong (pong_timeout_adj).
func (k *link) timeout() time.Duration {
	return k.PongTimeout*time.Duration(k.beat.backoff) + 2*k.beat.latency
}

// cycle is one turn of the reference's heartbeat thread.
func (l *Links) cycle(now time.Duration, out *Output) {
	late := l.nextCycle > 0 && now-l.nextCycle >= lateCycle && !l.wasLate
	l.wasLate = late // never twice: a node that always is late must judge too
	l.nextCycle += cycleTime
	if l.nextCycle <= now {
		l.nextCycle = now + cycleTime
	}
	l.cycles++
	relax := l.cycles%backoffCycles == 0
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k == nil {
				continue
			}
			if relax && k.beat.backoff > 1 {
				k.beat.backoff--
			}
			l.checkLink(now, k, late, out)
		}
	}
}

// checkLink pings a link and finds out whether it died (_handle_check_each).
func (l *Links) checkLink(now time.Duration, k *link, late bool, out *Output) {
	if k.refused {
		l.linkDown(k, out)
		return
	}
	if !k.beat.pinged || now-k.beat.lastPing >= k.PingInterval || k.doubtful(now) {
		l.ping(now, k, 1, out)
	}
	if k.beat.alive && !late && now-k.beat.lastPong >= k.timeout() {
		l.linkDown(k, out)
	}
	if k.up && l.manualMTU == 0 && k.probe.due(now, l.pmtudInterval) {
		l.beginProbing(now, k, out)
	}
}

// doubtful reports whether a link that is up should have had its pong by now.
// With a stock daemon's timers (0.8 s between pings, 1.5 s timeout) one lost
// packet takes a link down; asking again each cycle makes it take four, and a
// dead link is found as soon as ever.
func (k *link) doubtful(now time.Duration) bool {
	b := &k.beat
	return k.up && b.lastPong < b.lastPing && now-b.lastPing >= max(cycleTime, 2*b.latency)
}

// ping sends a ping; timed is 0 for one that the message count forced.
func (l *Links) ping(now time.Duration, k *link, timed uint8, out *Output) {
	p := knet.Ping{
		Header: knet.Header{Type: knet.TypePing, Node: l.node},
		Link:   k.ID,
		Time:   stamp(now),
		Seq:    l.txSeq,
		Timed:  timed,
	}
	k.beat.pinged, k.beat.lastPing = true, now
	l.plain = p.Append(l.plain[:0])
	n := l.sendControl(k, knet.TypePing, out)
	k.stats.TxPingPackets++
	k.stats.TxPingBytes += uint64(n)
}

// pingAll sends a forced ping over every link (_send_pings).
func (l *Links) pingAll(now time.Duration, out *Output) {
	for _, h := range l.hosts {
		for _, k := range h.links {
			if k != nil {
				l.ping(now, k, 0, out)
			}
		}
	}
}

// sendControl seals the packet in l.plain and sends it over k. It returns the
// datagram's length.
func (l *Links) sendControl(k *link, t knet.Type, out *Output) int {
	dst := out.room(l.keys.tx().WireLen(len(l.plain)))
	b := out.keep(l.keys.seal(dst, l.plain))
	if l.keys.inUse != 0 {
		l.stats.TxCryptPackets++
	}
	out.add(Effect{Kind: Send, Host: k.host.id, Link: k.ID, Type: t, To: k.Remote, Bytes: b, Segment: len(b)})
	return len(b)
}

// receivePing moves the host's window as the ping's sequence number tells and
// answers. Neither needs the link to be up. plain is a ping's whole length.
func (l *Links) receivePing(now time.Duration, k *link, plain []byte, out *Output) {
	var p knet.Ping
	p.Decode(plain) // cannot fail: type and length were checked
	k.stats.RxPingPackets++
	k.stats.RxPingBytes += uint64(len(plain))
	l.follow(now, k.host, &p)

	p.Type, p.Node = knet.TypePong, l.node
	l.plain = p.Append(l.plain[:0])
	n := l.sendControl(k, knet.TypePong, out)
	k.stats.TxPongPackets++
	k.stats.TxPongBytes += uint64(n)
}

// follow draws conclusions from the sequence number in a ping. A periodic ping
// with 0 comes from a host that was restarted and starts over; one forced by
// the message count moves the window of a host that only saw others addressed
// (knet.md 2.7).
//
// The reference misses a restart if none of the host's earlier pings carried a
// number. Here data that is not of this moment tells as well; younger data may
// have overtaken the ping.
func (l *Links) follow(now time.Duration, h *host, p *knet.Ping) {
	if p.Timed != 0 {
		if p.Seq == 0 && (h.timed != 0 || h.window.newest != 0 && now-h.lastData > overtaken) {
			l.forget(h, 0)
		}
		h.timed = p.Seq
		return
	}
	if p.Seq == 0 {
		return // nobody sends this
	}
	first := p.Seq != h.untimed
	h.untimed = p.Seq
	if first {
		if !h.gotData {
			l.forget(h, p.Seq)
		}
		h.gotData = false
	}
	l.fresh(h, &h.window.seen, p.Seq)
}

// receivePong takes a sign of life. plain is a pong's whole length.
func (l *Links) receivePong(now time.Duration, k *link, plain []byte, out *Output) {
	var p knet.Ping
	p.Decode(plain) // cannot fail: type and length were checked
	k.stats.RxPongPackets++
	k.stats.RxPongBytes += uint64(len(plain))
	sent, ok := parseStamp(p.Time)
	if !ok || sent > now || !k.beat.pinged || sent > k.beat.lastPing {
		l.drop(AlienPong, k.host.id, k.ID, k.Remote, out)
		return
	}
	k.beat.alive, k.beat.lastPong = true, now
	latency := now - sent
	if latency/time.Microsecond > k.PongTimeout/time.Microsecond {
		l.drop(SlowPong, k.host.id, k.ID, k.Remote, out)
		return
	}
	k.measure(latency)
	if k.up || k.beat.counted == sent+1 {
		return
	}
	// The reference also asks whether the average is below the timeout, which
	// contains twice the average.
	k.beat.counted = sent + 1
	if k.beat.pongs >= k.PongCount {
		l.linkUp(now, k, out)
	} else {
		k.beat.pongs++
	}
}

// measure takes a latency into the average over the last samples.
func (k *link) measure(latency time.Duration) {
	b := &k.beat
	b.samples = min(b.samples+1, k.Precision)
	n := uint64(b.samples)
	us := (uint64(b.latency/time.Microsecond)*(n-1) + uint64(latency/time.Microsecond)) / n
	b.latency = time.Duration(us) * time.Microsecond
	k.stats.LatencyAve, k.stats.LatencySamples = uint32(us), b.samples
	k.stats.LatencyMin = min(k.stats.LatencyMin, uint32(us))
	k.stats.LatencyMax = max(k.stats.LatencyMax, uint32(us))
}

// stamp writes a time as a ping carries it: seconds and nanoseconds, 8 bytes
// each, as the reference's struct timespec. Nobody else reads it.
func stamp(t time.Duration) (b [16]byte) {
	binary.LittleEndian.PutUint64(b[:], uint64(t/time.Second))
	binary.LittleEndian.PutUint64(b[8:], uint64(t%time.Second))
	return b
}

// parseStamp reads what stamp wrote. It reports false for anything else.
func parseStamp(b [16]byte) (time.Duration, bool) {
	sec, nsec := binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])
	if sec > uint64(1<<63-1)/uint64(time.Second)-1 || nsec >= uint64(time.Second) {
		return 0, false
	}
	return time.Duration(sec)*time.Second + time.Duration(nsec), true
}
