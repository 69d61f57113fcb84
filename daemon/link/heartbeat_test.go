package link

import (
	"testing"
	"time"

	"cpgol/wire/knet"
)

// TestFollow goes through knet.md 2.7's table of what pings do to the window.
func TestFollow(t *testing.T) {
	type ping struct {
		timed uint8
		seq   uint16
	}
	timed := func(seq uint16) ping { return ping{1, seq} }
	forced := func(seq uint16) ping { return ping{0, seq} }
	for _, tt := range []struct {
		name    string
		setup   func(h *host)
		age     time.Duration // of the last data
		pings   []ping
		newest  uint16
		knows90 bool // whether message 90 still counts as seen
	}{
		{"numbers only go to memory", nil, time.Second, []ping{timed(200), timed(300)}, 100, true},
		{"0 after a number wipes", nil, 0, []ping{timed(100), timed(0)}, 0, false},
		{"0 after old data wipes", nil, time.Second, []ping{timed(0)}, 0, false},
		{"0 that data overtook does not", nil, 100 * time.Millisecond, []ping{timed(0)}, 100, true},
		{"forced, with data since, moves", nil, 0, []ping{forced(8191)}, 8191, false},
		{"forced, near, moves and keeps", nil, 0, []ping{forced(150)}, 150, true},
		{"forced, without data, wipes", func(h *host) { h.gotData = false }, 0, []ping{forced(150)}, 150, false},
		{"its copies do not wipe", nil, 0, []ping{forced(150), forced(150), forced(150)}, 150, true},
		{"the next without data wipes", nil, 0, []ping{forced(150), forced(150), forced(160)}, 160, false},
		{"forced and back", nil, 0, []ping{forced(50)}, 100, true},
		{"forced with 0 is nobody's", func(h *host) { h.gotData = false }, 0, []ping{forced(0)}, 100, true},
	} {
		l := upNode(t, 1, nil)
		h := l.byID[1]
		for seq := range uint16(100) {
			l.fresh(h, &h.window.seen, seq+1)
			h.window.seen.set(seq + 1)
		}
		h.gotData, h.lastData = true, testNow-tt.age
		if tt.setup != nil {
			tt.setup(h)
		}
		var out Output
		for _, p := range tt.pings {
			packet := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 1}, Seq: p.seq, Timed: p.timed}
			l.Receive(testNow, 0, simAddr(0, 1, false), packet.Append(nil), &out)
		}
		if len(out.Effects) != len(tt.pings) {
			t.Errorf("%s: %d answers to %d pings", tt.name, len(out.Effects), len(tt.pings))
		}
		if h.window.newest != tt.newest || h.window.seen.has(90) != tt.knows90 {
			t.Errorf("%s: newest %d, 90 seen %v, want %d, %v", tt.name, h.window.newest, h.window.seen.has(90), tt.newest, tt.knows90)
		}
	}
}

// TestPongs checks what counts: each ping once, in time.
func TestPongs(t *testing.T) {
	cfg := simConfig(1, 2, 1)
	l := New(cfg)
	var out Output
	l.Tick(0, &out)
	k := l.byID[2].links[0]
	pong := func(now, sent time.Duration) {
		p := knet.Ping{Header: knet.Header{Type: knet.TypePong, Node: 2}, Time: stamp(sent)}
		l.Receive(now, 0, simAddr(0, 2, false), p.Append(nil), &out)
	}
	for range 10 {
		pong(10*time.Millisecond, 0)
	}
	if k.up || k.beat.pongs != 1 {
		t.Errorf("up %v with one pong, %d counted", k.up, k.beat.pongs)
	}
	l.Tick(800*time.Millisecond, &out)
	pong(2400*time.Millisecond, 800*time.Millisecond) // later than the timeout
	if k.beat.pongs != 1 || k.beat.lastPong != 2400*time.Millisecond || l.Stats().Dropped[SlowPong] != 1 {
		t.Errorf("late pong: %d counted, last at %v", k.beat.pongs, k.beat.lastPong)
	}
	pong(2400*time.Millisecond, 801*time.Millisecond) // never sent then
	if l.Stats().Dropped[AlienPong] != 1 {
		t.Error("a pong with a time of no ping was taken")
	}
	for i := range 3 {
		at := time.Duration(i+3) * time.Second
		l.Tick(at, &out)
		pong(at+time.Duration(i)*time.Millisecond, at)
	}
	st, _ := l.Status(2, 0)
	if !k.up || st.LatencySamples != 13 || st.LatencyMin > 10000 || st.LatencyMax != 10000 {
		t.Errorf("up %v, %+v", k.up, st)
	}
}

func TestLatencyAverage(t *testing.T) {
	k := &link{Link: Link{Precision: 4}, stats: newLinkStats()}
	for i, tt := range []struct {
		in   time.Duration
		want uint32
	}{{1000, 1000}, {2000, 1500}, {3000, 2000}, {2000, 2000}, {6000, 3000}, {0, 2250}} {
		k.measure(tt.in*time.Microsecond + 999)
		if k.stats.LatencyAve != tt.want {
			t.Errorf("after %d samples: average %d µs, want %d", i+1, k.stats.LatencyAve, tt.want)
		}
	}
	if s := k.stats; s.LatencyMin != 1000 || s.LatencyMax != 3000 || s.LatencySamples != 4 {
		t.Errorf("%+v", s)
	}
}

// TestVectors checks that each packet has random bytes of its own.
func TestVectors(t *testing.T) {
	l := upNode(t, 1, func(c *Config) { c.Crypto = testCrypto(t, "aes256", "sha256") })
	seen := map[[16]byte]bool{{}: true}
	var out Output
	for range 5000 {
		out.Reset()
		l.Send(testNow, 1, message(1, 100, 0), &out)
		iv := [16]byte(out.Effects[len(out.Effects)-1].Bytes)
		if seen[iv] {
			t.Fatal("an initialisation vector came again")
		}
		seen[iv] = true
	}
	if cap(out.arena) != minArena {
		t.Errorf("the arena grew to %d bytes though it was reset each time", cap(out.arena))
	}
}
