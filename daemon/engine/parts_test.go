package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"cpgol/wire/totem"
)

func TestFlowAllowed(t *testing.T) {
	c := Config{WindowSize: 50, MaxMessages: 17}
	tests := []struct {
		name  string
		flow  flow
		token totem.Token
		want  int
	}{
		{"idle ring", flow{}, totem.Token{}, 17},
		{"window nearly used", flow{}, totem.Token{FCC: 45}, 5},
		{"window used", flow{}, totem.Token{FCC: 50}, 0},
		{"window exceeded: no limit", flow{}, totem.Token{FCC: 51}, 17},
		{"first backlog has no share yet", flow{backlog: 100}, totem.Token{Backlog: 900}, 17},
		{"share by the previous backlog", flow{previous: 100, backlog: 100}, totem.Token{Backlog: 1000}, 5},
		{"all of the backlog is ours", flow{previous: 100, backlog: 100}, totem.Token{Backlog: 100}, 17},
		{"a share of nothing does not limit", flow{previous: 1, backlog: 1}, totem.Token{Backlog: 1000}, 17},
		{"sum wraps to zero", flow{previous: 5}, totem.Token{Backlog: 5}, 17},
	}
	for _, tt := range tests {
		if got := tt.flow.allowed(&c, &tt.token); got != tt.want {
			t.Errorf("%s: allowed %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The token's sums are right again after a node's part has changed and ended.
func TestFlowUpdate(t *testing.T) {
	f := flow{backlog: 7}
	tok := totem.Token{FCC: 10, Backlog: 20}
	f.update(&tok, 3)
	if tok.FCC != 13 || tok.Backlog != 27 {
		t.Errorf("first visit: fcc %d, backlog %d", tok.FCC, tok.Backlog)
	}
	f.backlog = 0
	f.update(&tok, 0)
	if tok.FCC != 10 || tok.Backlog != 20 {
		t.Errorf("second visit: fcc %d, backlog %d", tok.FCC, tok.Backlog)
	}
}

func TestWindowLimit(t *testing.T) {
	c := Config{WindowSize: 50}
	tests := []struct {
		released, seq totem.Seq
		want          int
	}{
		{0, 0, 17}, {0, 16384 - 17 - 50, 17}, {0, 16384 - 17 - 50 + 1, 0},
		{0xFFFFFF00, 100, 17}, {0xFFFFFF00, 16384 - 256 - 17 - 50 + 1, 0},
	}
	for _, tt := range tests {
		if got := windowLimit(&c, 17, tt.released, tt.seq); got != tt.want {
			t.Errorf("released %#x, seq %#x: %d, want %d", tt.released, tt.seq, got, tt.want)
		}
	}
}

func TestUpdateARU(t *testing.T) {
	const self = 2
	tests := []struct {
		name     string
		token    totem.Token
		mine     totem.Seq
		aru      totem.Seq
		lastSeen totem.NodeID
	}{
		{"we have less", totem.Token{Seq: 9, ARU: 8, ARUAddr: 1}, 5, 5, self},
		{"we have more, another lowered it", totem.Token{Seq: 9, ARU: 5, ARUAddr: 1}, 8, 5, 1},
		{"we lowered it and have more now", totem.Token{Seq: 9, ARU: 5, ARUAddr: self}, 8, 8, self},
		{"we lowered it and have all now", totem.Token{Seq: 9, ARU: 5, ARUAddr: self}, 9, 9, 0},
		{"nobody lowered it", totem.Token{Seq: 9, ARU: 5}, 9, 9, 0},
		{"the first token", totem.Token{ARU: 0xFFFFFFFF, ARUAddr: 1}, 0, 0xFFFFFFFF, 1},
		{"the first token at its maker", totem.Token{ARU: 0xFFFFFFFF, ARUAddr: self}, 0, 0, 0},
	}
	for _, tt := range tests {
		tok := tt.token
		updateARU(&tok, tt.mine, self)
		if tok.ARU != tt.aru || tok.ARUAddr != tt.lastSeen {
			t.Errorf("%s: aru %#x by %d, want %#x by %d", tt.name, tok.ARU, tok.ARUAddr, tt.aru, tt.lastSeen)
		}
	}
}

// Recovery ends at the second visit at which everybody has what was sent, after
// two quiet ones that settle how far that is, and starts over at any new sign
// of work.
func TestRecoveryStep(t *testing.T) {
	var r recovery
	visit := func(tok *totem.Token, busy, want bool) {
		t.Helper()
		if got := r.step(tok, busy); got != want {
			t.Errorf("step %v, want %v: %+v", got, want, r)
		}
	}
	tok := &totem.Token{Seq: 4}
	visit(tok, true, false)
	if tok.RetransFlag != 1 || !r.raised {
		t.Errorf("busy: flag %d, %+v", tok.RetransFlag, r)
	}
	tok.Seq = 8
	visit(tok, false, false)
	if tok.RetransFlag != 0 || r.raised {
		t.Errorf("done: flag %d, %+v", tok.RetransFlag, r)
	}
	visit(tok, false, false)
	if r.install != 8 {
		t.Errorf("install at %d", r.install)
	}
	tok.ARU = 7
	visit(tok, false, false) // one message is missing somewhere
	tok.ARU = 8
	visit(tok, false, false)
	tok.RetransFlag = 1 // somebody else's
	visit(tok, false, false)
	if tok.RetransFlag != 1 {
		t.Error("cleared another node's flag")
	}
	tok.RetransFlag = 0
	for range 3 {
		visit(tok, false, false)
	}
	visit(tok, false, true)
}

func TestIsHeld(t *testing.T) {
	for unchanged, want := range map[int][2]bool{29: {false, false}, 30: {false, true}, 31: {true, true}} {
		if got := [2]bool{isHeld(true, unchanged, 30), isHeld(false, unchanged, 30)}; got != want {
			t.Errorf("%d idle visits: representative and others %v, want %v", unchanged, got, want)
		}
	}
}

func TestHeartbeatRule(t *testing.T) {
	c := testConfig(1)
	for failures, want := range map[int]bool{0: false, 1: true, 4: true, 5: false} {
		c.HeartbeatFailures = failures
		d, used := c.heartbeat()
		if used != want || d != time.Duration(failures)*714*time.Millisecond+50*time.Millisecond {
			t.Errorf("%d failures: %v, used %v", failures, d, used)
		}
	}
}

// The sort queue against a map, around the wrap.
func TestSortQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, start := range []totem.Seq{0, 0xFFFFF000, 0x7FFFF000} {
		var p pool
		q := newSortQueue(&p, start)
		have := map[totem.Seq]bool{}
		head, aru := start, start
		for range 40000 {
			s := aru + totem.Seq(rnd.IntN(40)) - 8
			if q.inWindow(s) != (s-head < window) {
				t.Fatalf("inWindow(%#x) = %v, head %#x", s, q.inWindow(s), head)
			}
			if q.inWindow(s) && q.get(s) == nil && s != start {
				q.put(s, slot{packet: append(p.get(10), 1, 2, 3), from: totem.NodeID(s)})
				have[s] = true
			}
			q.advance()
			for have[aru+1] {
				aru++
			}
			if q.aru != aru {
				t.Fatalf("aru %#x, want %#x", q.aru, aru)
			}
			if sl := q.get(s); have[s] && (s-head < window) && (sl == nil || sl.from != totem.NodeID(s)) {
				t.Fatalf("message %#x: %v", s, sl)
			}
			if rnd.IntN(100) == 0 {
				to := aru - totem.Seq(rnd.IntN(20))
				if head.AtMost(to) {
					q.release(to)
					head = to + 1
				}
				p.recycle()
			}
		}
		if aru-start < 5000 {
			t.Errorf("start %#x: only came to %#x", start, aru)
		}
		q.reset(start)
		if q.held != 0 {
			t.Errorf("holds %d bytes after reset", q.held)
		}
	}
}

func TestPool(t *testing.T) {
	var p pool
	for _, n := range []int{0, 1, 128, 129, 65536, 65581, 131072, 131073} {
		b := p.get(n)
		if len(b) != 0 || cap(b) < n {
			t.Errorf("get(%d): length %d, capacity %d", n, len(b), cap(b))
		}
		p.retire(b)
	}
	p.retire(make([]byte, 77)) // a stranger
	p.recycle()
	for range 2 * maxIdle >> 16 {
		p.retire(make([]byte, 0, 1<<16))
	}
	p.recycle()
	if p.idle > maxIdle {
		t.Errorf("keeps %d bytes", p.idle)
	}
	a := p.get(1000)
	p.retire(a)
	if b := p.get(1000); &a[:1][0] == &b[:1][0] {
		t.Error("a retired buffer was used before recycle")
	}
}

func TestSendQueueOrder(t *testing.T) {
	var p pool
	q := newSendQueue(&p, 100)
	var want, got []byte
	for i := range 1000 {
		q.push([]byte{byte(i)})
		want = append(want, byte(i))
		if i%3 == 0 {
			got = append(got, q.pop()[totem.McastLen])
		}
	}
	for q.len() > 0 {
		got = append(got, q.pop()[totem.McastLen])
	}
	if !bytes.Equal(got, want) || !q.empty() {
		t.Error("frames out of order")
	}
	if cap(q.frames) > 2048 {
		t.Errorf("grew to %d", cap(q.frames))
	}
}
