package link

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"cpgol/wire/knet"
)

func TestLinkComesUp(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	// Pings at 0, 0.8, 1.6 s: with pong_count 2 the third pong brings the link up.
	s.run(1599 * time.Millisecond)
	if st, _ := s.node(1).Status(2, 0); st.MTU != 522 || st.Connected {
		t.Errorf("before the link is up, status %+v, want MTU 522", st)
	}
	if len(s.node(1).log) != 0 {
		t.Fatalf("too early: %v", s.node(1).log)
	}
	s.run(100 * time.Millisecond)
	s.wantUp(1)
	if got := s.node(1).sent[knet.TypePing]; got != 3 {
		t.Errorf("%d pings sent, want 3", got)
	}
	if got := s.node(1).MTU(); got != 1446 {
		t.Errorf("data MTU %d a round trip after link up, want 1446", got)
	}
	// The kernel refuses 65535 and tells 1500, which passes.
	if got := s.node(1).sent[knet.TypePMTUD]; got != 2 {
		t.Errorf("%d probes sent, want 2", got)
	}
	s.run(61 * time.Second)
	if got := s.node(1).sent[knet.TypePMTUD]; got != 6 {
		t.Errorf("%d probes after two more intervals, want 6", got)
	}
	st, _ := s.node(1).Status(2, 0)
	if !st.Connected || st.UpCount != 1 || st.DownCount != 1 || st.MTU != 1446 || st.PathMTU != 1500 || st.LatencyAve != 400 {
		t.Errorf("status %+v", st)
	}
}

func TestPingInterval(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		pings    int // in 10 s, the one at 0 included
	}{
		{750 * time.Millisecond, 13}, {800 * time.Millisecond, 13}, {912 * time.Millisecond, 10}, {time.Second, 10}, {50 * time.Millisecond, 50},
	} {
		s := newSim(t, 2, 1, func(c *Config) { c.Hosts[0].Links[0].PingInterval = tt.interval })
		s.run(10*time.Second - 1)
		if got := s.node(1).sent[knet.TypePing]; got != tt.pings {
			t.Errorf("interval %v: %d pings in 10 s, want %d", tt.interval, got, tt.pings)
		}
	}
}

func TestPongCount(t *testing.T) {
	for count := uint8(1); count < 6; count++ {
		s := newSim(t, 2, 1, func(c *Config) { c.Hosts[0].Links[0].PongCount = count })
		s.run(time.Duration(count) * 800 * time.Millisecond)
		if s.node(1).links[[2]int{2, 0}] {
			t.Errorf("pong_count %d: up with %d pongs", count, count)
		}
		s.run(10 * time.Millisecond)
		if !s.node(1).links[[2]int{2, 0}] {
			t.Errorf("pong_count %d: not up with %d pongs", count, count+1)
		}
	}
}

// TestTimeout checks the timeout that shrinks from ten times to once.
func TestTimeout(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration // after start
		cut  time.Duration // least and
		most time.Duration // most time until the link is down
	}{
		{"old link", time.Minute, 1500 * time.Millisecond, 1800 * time.Millisecond},
		{"new link", 1700 * time.Millisecond, 5 * time.Second, 5400 * time.Millisecond},
	} {
		s := newSim(t, 2, 1, nil)
		s.run(tt.wait)
		s.wantUp(1)
		last := s.node(1).hosts
		s.cut = func(LinkID, HostID, HostID) bool { return true }
		start := s.node(1).byID[2].links[0].beat.lastPong
		for s.node(1).links[[2]int{2, 0}] && s.now < 2*time.Minute {
			s.run(10 * time.Millisecond)
		}
		if d := s.now - start; d < tt.cut || d > tt.most {
			t.Errorf("%s: down %v after the last pong, want %v to %v", tt.name, d, tt.cut, tt.most)
		}
		if last[2] {
			t.Errorf("%s: host still reachable", tt.name)
		}
		s.cut = func(LinkID, HostID, HostID) bool { return false }
		s.run(3 * time.Second)
		s.wantUp(1)
	}
}

func TestRefusedTakesLinkDownInACycle(t *testing.T) {
	s := newSim(t, 3, 1, nil)
	s.run(20 * time.Second)
	s.wantUp(1)
	s.node(3).dead = true
	s.say(1, 0, message(0, 100, 0)) // answered by an ICMP error
	s.run(210 * time.Millisecond)
	if s.node(1).hosts[3] || s.node(1).links[[2]int{3, 0}] {
		t.Error("host 3 still reachable")
	}
	if !s.node(1).hosts[2] {
		t.Error("host 2 must stay reachable")
	}
	s.node(3).start()
	s.run(3 * time.Second)
	s.wantUp(1)
}

func TestPassiveFollowsPriority(t *testing.T) {
	for _, tt := range []struct {
		prio  [3]uint8
		order []LinkID // carrying data as the best is cut
	}{
		{[3]uint8{1, 1, 1}, []LinkID{0, 1, 2}},
		{[3]uint8{1, 5, 5}, []LinkID{1, 2, 0}},
		{[3]uint8{0, 5, 255}, []LinkID{2, 1, 0}},
	} {
		s := newSim(t, 2, 3, func(c *Config) {
			for k := range c.Hosts[0].Links {
				c.Hosts[0].Links[k].Priority = tt.prio[k]
			}
		})
		s.run(20 * time.Second)
		s.wantUp(3)
		down := map[LinkID]bool{}
		s.cut = func(k LinkID, _, _ HostID) bool { return down[k] }
		for i, want := range tt.order {
			if got := s.dataLinks(1, 2, 1); !slices.Equal(got, []LinkID{want}) {
				t.Errorf("priorities %v, %d cut: data on links %v, want %v", tt.prio, i, got, want)
			}
			down[want] = true
			s.run(3 * time.Second)
		}
		if got := s.dataLinks(1, 2, 1); got != nil || s.node(1).hosts[2] {
			t.Errorf("all cut: data on links %v", got)
		}
		down = map[LinkID]bool{}
		s.run(5 * time.Second)
		s.wantUp(3)
	}
}

// dataLinks sends n messages and lists the links that carried them, in order.
func (s *sim) dataLinks(from, to HostID, n int) (links []LinkID) {
	node := s.node(from)
	for range n {
		node.Send(s.now, to, message(to, 50, 0), &node.out)
		for _, e := range node.out.Effects {
			if e.Kind == Send && e.Type == knet.TypeData {
				links = append(links, e.Link)
			}
		}
		s.perform(node)
	}
	return links
}

func TestPolicies(t *testing.T) {
	for _, tt := range []struct {
		policy Policy
		want   []LinkID
	}{
		{Passive, []LinkID{0, 0, 0, 0}},
		{Active, []LinkID{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}},
		{RoundRobin, []LinkID{0, 1, 2, 0}},
	} {
		s := newSim(t, 2, 3, func(c *Config) { c.Policy = tt.policy })
		s.run(5 * time.Second)
		if got := s.dataLinks(1, 2, 4); !slices.Equal(got, tt.want) {
			t.Errorf("policy %d: links %v, want %v", tt.policy, got, tt.want)
		}
		s.run(time.Second)
		if got := len(s.node(2).got); got != 4 {
			t.Errorf("policy %d: %d messages delivered, want 4", tt.policy, got)
		}
	}
}

// TestTraffic sends messages of all sizes among three nodes, clear and sealed.
func TestTraffic(t *testing.T) {
	for _, c := range [][2]string{{"none", "none"}, {"none", "sha256"}, {"aes256", "sha256"}} {
		s := newSim(t, 3, 1, func(cfg *Config) { cfg.Crypto = testCrypto(t, c[0], c[1]) })
		s.run(3 * time.Second)
		s.wantUp(1)
		s.jitter = 100 * time.Microsecond // shuffles the fragments of a message
		var want [3][][]byte
		for i, size := range []int{13, 100, 1397, 1398, 1446, 1447, 2892, 10000, 65535, 65536} {
			from := HostID(i%3 + 1)
			m := message(0, size, i)
			s.say(from, 0, m)
			for n := range want {
				if n != int(from)-1 {
					want[n] = append(want[n], m)
				}
			}
			to := from%3 + 1
			u := message(to, size, i+50)
			s.say(from, to, u)
			want[to-1] = append(want[to-1], u)
			s.run(10 * time.Millisecond)
		}
		for n, w := range want {
			got := s.nodes[n].got
			slices.SortFunc(got, bytes.Compare)
			slices.SortFunc(w, bytes.Compare)
			if !slices.EqualFunc(got, w, bytes.Equal) {
				t.Errorf("%v: node %d got %d messages, want %d the same", c, n+1, len(got), len(w))
			}
		}
	}
}

// TestNoisyWire checks under loss, duplication and reordering that what arrives
// is whole and arrives once, and that links stay up.
func TestNoisyWire(t *testing.T) {
	for _, policy := range []Policy{Passive, Active, RoundRobin} {
		s := newSim(t, 3, 2, func(c *Config) {
			c.Policy = policy
			c.Crypto = testCrypto(t, "aes128", "sha1")
		})
		s.loss, s.twice, s.jitter = 0.05, 0.1, 3*time.Millisecond
		s.run(20 * time.Second)
		s.wantUp(2)
		sent := map[string]int{}
		for i := range 3000 {
			m := message(0, 20+i%5000, i)
			m[13], m[14] = byte(i), byte(i>>8)
			sent[string(m)]++
			s.say(HostID(i%3+1), 0, m)
			s.run(500 * time.Microsecond)
		}
		s.run(time.Second)
		for _, n := range s.nodes {
			seen := map[string]int{}
			for _, m := range n.got {
				seen[string(m)]++
				if sent[string(m)] == 0 {
					t.Fatal("a message arrived that was not sent")
				}
				if seen[string(m)] > 1 {
					t.Fatal("a message arrived twice")
				}
			}
			if len(n.got) < 1500 {
				t.Errorf("policy %d: node %d got %d of 2000 messages", policy, n.id, len(n.got))
			}
		}
		s.run(2 * time.Minute)
		s.wantUp(2)
		for _, n := range s.nodes {
			if n.MTU() != 1397 {
				t.Errorf("policy %d: node %d: data MTU %d, want 1397", policy, n.id, n.MTU())
			}
		}
	}
}

// TestRestart kills a node and starts it again, seen as down or not.
func TestRestart(t *testing.T) {
	for _, pause := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second} {
		s := newSim(t, 2, 1, nil)
		s.run(15 * time.Second)
		for i := range 500 {
			s.say(2, 0, message(0, 50, i))
			s.run(time.Millisecond)
		}
		s.node(1).got = nil
		s.node(2).dead = true
		s.run(pause)
		s.node(2).start()
		s.run(4 * time.Second)
		s.wantUp(1)
		for i := range 100 {
			s.say(2, 0, message(0, 50, i))
			s.run(time.Millisecond)
		}
		if got := len(s.node(1).got); got != 100 {
			t.Errorf("pause %v: %d of the first 100 messages delivered", pause, got)
		}
	}
}

// TestForcedPings sends many messages to one host; the other must keep track.
func TestForcedPings(t *testing.T) {
	s := newSim(t, 3, 2, nil)
	s.run(3 * time.Second)
	s.say(1, 0, message(0, 50, 0))
	s.run(time.Millisecond)
	for i := range 70_000 {
		if i == 8190+15 { // 8191 was sent 320 µs ago, nothing else to node 3
			if got := s.node(3).byID[1].window.newest; got != 8191 {
				t.Errorf("after message 8191 node 3 knows of %d", got)
			}
		}
		s.say(1, 2, message(2, 20, i))
		s.run(20 * time.Microsecond)
	}
	s.run(100 * time.Millisecond)
	if got := len(s.node(2).got); got != 70_001 {
		t.Errorf("node 2 got %d messages, want 70001", got)
	}
	s.say(1, 3, message(3, 50, 0))
	s.run(time.Millisecond)
	if got := len(s.node(3).got); got != 2 {
		t.Errorf("node 3 got %d messages, want 2", got)
	}
	if got := s.node(1).txSeq; got != 70_002-65535 {
		t.Errorf("number %d after 70002 messages; 0 must be skipped", got)
	}
}

// TestFastDataUp checks that data counts as the last pong.
func TestFastDataUp(t *testing.T) {
	for _, cipher := range []string{"none", "aes256"} {
		s := newSim(t, 2, 1, func(c *Config) {
			c.Crypto = testCrypto(t, cipher, map[string]string{"none": "none", "aes256": "sha256"}[cipher])
			if c.Node == 1 {
				c.Hosts[0].Links[0].PongCount = 1
			} else {
				c.Hosts[0].Links[0].PongCount = 50
			}
		})
		s.run(2 * time.Second)
		m := message(0, 3000, 5)
		s.say(1, 0, m)
		s.run(10 * time.Millisecond)
		if !s.node(2).links[[2]int{1, 0}] || len(s.node(2).got) != 1 || !bytes.Equal(s.node(2).got[0], m) {
			t.Errorf("%s: node 2 got %d messages; %v", cipher, len(s.node(2).got), s.node(2).log)
		}
	}
	s := newSim(t, 2, 1, nil)
	s.cut = func(_ LinkID, from, to HostID) bool { return from == 2 }
	s.run(2 * time.Second)
	two := s.node(1)
	two.Links.byID[2].reachable = true // as if host 2 were up
	two.Links.byID[2].usable = []*link{two.Links.byID[2].links[0]}
	s.say(1, 0, message(0, 50, 5))
	s.run(10 * time.Millisecond)
	if len(s.node(2).got) != 0 || s.node(2).Stats().Dropped[NotReachable] != 1 {
		t.Error("data before any pong must be dropped")
	}
}

func TestUnreachableUsesNoNumber(t *testing.T) {
	s := newSim(t, 3, 1, nil)
	s.say(1, 0, message(0, 50, 0))
	s.say(1, 2, message(2, 50, 0))
	if n := s.node(1); n.txSeq != 0 || n.Stats().Dropped[Unreachable] != 2 || n.sent[knet.TypeData] != 0 {
		t.Errorf("number %d, %d data packets sent before any host is reachable", n.txSeq, n.sent[knet.TypeData])
	}
	s.run(3 * time.Second)
	s.say(1, 0, message(0, 50, 0))
	s.say(1, 1, message(1, 50, 0)) // to itself: the transport's affair
	s.say(1, 9, message(9, 50, 0))
	s.say(1, 0, nil)
	s.say(1, 0, make([]byte, 65537))
	if n := s.node(1); n.txSeq != 1 || n.sent[knet.TypeData] != 2 || n.Stats().Dropped[Oversize] != 2 {
		t.Errorf("number %d, %d data packets", n.txSeq, n.sent[knet.TypeData])
	}
}

// TestPause stops a node for a while, as a hypervisor may.
func TestPause(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	s.run(20 * time.Second)
	n := s.node(1)
	n.dead = true
	before := len(n.log)
	// Pongs wait in the socket: they were sent before the pause.
	f := flight{link: 0, from: 2, to: 1}
	n.Tick(s.now, &n.out)
	n.ping(s.now, n.byID[2].links[0], 1, &n.out)
	for _, e := range n.out.Effects {
		if e.Type == knet.TypePing {
			f.bytes = slices.Clone(e.Bytes)
		}
	}
	f.bytes[1], f.bytes[3] = byte(knet.TypePong), 2
	n.out.Reset()
	s.now += 5 * time.Second
	n.dead = false
	n.Tick(s.now, &n.out)
	s.perform(n)
	s.land(f)
	s.run(time.Second)
	if len(n.log) != before {
		t.Errorf("links flapped: %v", n.log[before:])
	}
}

func TestCompression(t *testing.T) {
	for m := knet.Zlib; m <= knet.Zstd; m++ {
		level := 1
		s := newSim(t, 2, 1, func(c *Config) { c.Compression = Compression{Method: m, Level: level} })
		s.run(3 * time.Second)
		big := append(message(0, 13, 1), bytes.Repeat([]byte("knet"), 16000)...)
		small := append(message(0, 13, 1), make([]byte, 87)...) // not longer than the threshold
		noise := message(0, 5000, 1)
		testRand(9).Read(noise[13:])
		for _, message := range [][]byte{big, small, noise} {
			s.say(1, 0, message)
			s.run(10 * time.Millisecond)
			if got := s.node(2).got; len(got) != 1 || !bytes.Equal(got[0], message) {
				t.Errorf("%v: %d messages of %d bytes delivered", m, len(got), len(message))
			}
			s.node(2).got = nil
		}
		tx, rx := s.node(1).Stats(), s.node(2).Stats()
		if m.CanCompress() && (tx.TxCompressedPackets != 2 || rx.RxCompressedPackets != 1 || tx.TxUncompressedPackets != 2) {
			t.Errorf("%v: sent %d compressed, %d not; received %d", m, tx.TxCompressedPackets, tx.TxUncompressedPackets, rx.RxCompressedPackets)
		}
		if !m.CanCompress() && tx.Dropped[Uncompressed] != 2 {
			t.Errorf("%v: %d failures to compress", m, tx.Dropped[Uncompressed])
		}
	}
}

// TestRekey walks two nodes through a change of key, one after the other.
func TestRekey(t *testing.T) {
	old := func() *knet.Crypto { return testCrypto(t, "aes256", "sha256") }
	// The same hash and key: both authenticate both ciphers' packets.
	next := func() *knet.Crypto { return testCrypto(t, "aes128", "sha256") }
	s := newSim(t, 2, 1, func(c *Config) { c.Crypto = old() })
	s.run(3 * time.Second)
	exchange := func(step string) {
		t.Helper()
		for i := range 300 {
			s.say(1, 0, message(0, 20+i, i))
			s.say(2, 0, message(0, 20+i, i))
			s.run(time.Millisecond)
		}
		for _, n := range s.nodes {
			if len(n.got) != 300 {
				t.Errorf("%s: node %d got %d of 300", step, n.id, len(n.got))
			}
			n.got = nil
		}
	}
	exchange("before")
	for _, n := range s.nodes {
		if err := n.SetCrypto(1, next()); err == nil {
			t.Error("the slot in use was replaced")
		}
		if err := n.UseCrypto(s.now, 2, &n.out); err == nil {
			t.Error("an empty slot was used")
		}
		if err := n.SetCrypto(2, next()); err != nil {
			t.Error(err)
		}
		exchange("one loaded")
	}
	for _, n := range s.nodes {
		if err := n.UseCrypto(s.now, 2, &n.out); err != nil {
			t.Error(err)
		}
		s.perform(n)
		exchange("one switched")
	}
	for _, n := range s.nodes {
		if err := n.SetCrypto(1, nil); err != nil {
			t.Error(err)
		}
		exchange("one cleaned up")
	}
	s.run(time.Minute)
	s.wantUp(1)
	// And off altogether.
	for _, n := range s.nodes {
		n.AllowClear(true)
	}
	for _, n := range s.nodes {
		if err := n.UseCrypto(s.now, 0, &n.out); err != nil {
			t.Error(err)
		}
		s.perform(n)
		exchange("one in clear")
	}
	for _, n := range s.nodes {
		if err := n.SetCrypto(2, nil); err != nil {
			t.Error(err)
		}
	}
	exchange("both in clear")
	if got := s.node(1).MTU(); got != 1446 {
		t.Errorf("data MTU %d in clear, want 1446", got)
	}
}

// TestReconfigure adds and removes hosts and links of a running node.
func TestReconfigure(t *testing.T) {
	s := newSim(t, 3, 2, nil)
	s.run(3 * time.Second)
	n := s.node(1)
	cfg := n.cfg
	cfg.Hosts = []Host{{ID: 2, Links: slices.Clone(cfg.Hosts[0].Links[:1])}}
	cfg.Hosts[0].Links[0].Priority = 9
	n.Reconfigure(s.now, cfg, &n.out)
	s.perform(n)
	if n.links[[2]int{2, 1}] || n.links[[2]int{3, 0}] || n.hosts[3] || !n.hosts[2] || !n.links[[2]int{2, 0}] {
		t.Errorf("after removal: %v", n.log)
	}
	if st, ok := n.Status(2, 0); !ok || st.Priority != 9 || st.UpCount != 1 {
		t.Errorf("link that stayed: %+v", st)
	}
	if _, ok := n.Status(3, 0); ok {
		t.Error("host 3 still has a status")
	}
	s.run(20 * time.Second) // strangers' packets are dropped
	if n.Stats().Dropped[UnknownHost] == 0 || n.Stats().Dropped[UnknownLink] == 0 {
		t.Errorf("dropped %v", n.Stats().Dropped)
	}
	n.Reconfigure(s.now, n.cfg, &n.out)
	s.perform(n)
	s.run(20 * time.Second)
	s.wantUp(2)
	cfg = n.cfg
	cfg.MTU = 1400
	n.Reconfigure(s.now, cfg, &n.out)
	s.perform(n)
	if n.MTU() != 1346 {
		t.Errorf("data MTU %d with manual MTU 1400, want 1346", n.MTU())
	}
	before := n.sent[knet.TypePMTUD]
	s.run(time.Minute)
	if n.sent[knet.TypePMTUD] != before {
		t.Error("probes in spite of a manual MTU")
	}
	n.Reconfigure(s.now, n.cfg, &n.out)
	s.perform(n)
	s.run(time.Second)
	if n.MTU() != 1446 {
		t.Errorf("data MTU %d after the manual MTU, want 1446", n.MTU())
	}
}
