package link

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/wire/knet"
)

// TestMTUTable checks the table of knet.md 4.5: what is found at each interface
// MTU, with each envelope.
func TestMTUTable(t *testing.T) {
	for _, tt := range []struct {
		cipher, hash                    string
		floor, v4, v6, jumbo, lo, probe int
	}{
		{"none", "none", 482, 1446, 1426, 8946, 65481, 1500},
		{"none", "md5", 466, 1430, 1410, 8930, 65465, 1500},
		{"none", "sha1", 462, 1426, 1406, 8926, 65461, 1500},
		{"none", "sha256", 450, 1414, 1394, 8914, 65449, 1500},
		{"none", "sha384", 434, 1398, 1378, 8898, 65433, 1500},
		{"none", "sha512", 418, 1382, 1362, 8882, 65417, 1500},
		{"aes256", "md5", 437, 1413, 1381, 8901, 65445, 1500},
		{"aes192", "sha1", 437, 1397, 1381, 8901, 65429, 1488},
		{"aes128", "sha256", 421, 1397, 1365, 8885, 65429, 1500},
		{"aes256", "sha384", 405, 1381, 1349, 8869, 65413, 1500},
		{"aes256", "sha512", 389, 1365, 1333, 8853, 65397, 1500},
	} {
		for _, wire := range []struct {
			name string
			mtu  int
			six  bool
			want int
		}{
			{"v4 1500", 1500, false, tt.v4}, {"v6 1500", 1500, true, tt.v6},
			{"v4 9000", 9000, false, tt.jumbo}, {"lo", 65536, false, tt.lo},
		} {
			s := newSim(t, 2, 1, func(c *Config) {
				c.Crypto = testCrypto(t, tt.cipher, tt.hash)
				if wire.six {
					k := &c.Hosts[0].Links[0]
					k.Local, k.Remote = simAddr(0, c.Node, true), simAddr(0, c.Hosts[0].ID, true)
				}
			})
			s.localMTU = func(LinkID) int { return wire.mtu }
			if got := s.node(1).MTU(); got != tt.floor {
				t.Errorf("%s/%s: at start %d, want %d", tt.cipher, tt.hash, got, tt.floor)
			}
			s.run(2 * time.Second)
			st, _ := s.node(1).Status(2, 0)
			if st.MTU != wire.want || s.node(1).MTU() != wire.want {
				t.Errorf("%s/%s %s: link %d, all %d, want %d", tt.cipher, tt.hash, wire.name, st.MTU, s.node(1).MTU(), wire.want)
			}
			if wire.name == "v4 1500" && st.PathMTU != tt.probe {
				t.Errorf("%s/%s: probe of %d, want %d", tt.cipher, tt.hash, st.PathMTU, tt.probe)
			}
			s.run(time.Minute)
			if s.node(1).MTU() != wire.want {
				t.Errorf("%s/%s %s: later %d", tt.cipher, tt.hash, wire.name, s.node(1).MTU())
			}
		}
	}
}

// TestPathMTU finds a path that is narrower than the interface, by loss alone.
func TestPathMTU(t *testing.T) {
	for _, crypto := range [][2]string{{"none", "none"}, {"aes256", "sha256"}} {
		for _, path := range []int{576, 600, 1280, 1420, 1499, 1500, 5000, 65534} {
			for _, silent := range []bool{false, true} {
				s := newSim(t, 2, 1, func(c *Config) { c.Crypto = testCrypto(t, crypto[0], crypto[1]) })
				s.localMTU = func(LinkID) int { return 9000 }
				s.pathMTU = func(LinkID) int { return path }
				s.silentKernel = silent
				s.run(30 * time.Second)
				s.wantUp(1)
				c := s.node(1).cfg.Crypto
				want := c.DataMTU(min(path, 9000) - 28)
				if got := s.node(1).MTU(); got != want {
					t.Errorf("%v path %d silent %v: %d, want %d\n%v", crypto, path, silent, got, want, s.node(1).log)
				}
			}
		}
	}
}

// TestPathTooNarrow checks that a path below the least MTU takes the link out,
// and that it comes back when the path recovers.
func TestPathTooNarrow(t *testing.T) {
	s := newSim(t, 2, 2, nil)
	narrow := true
	s.pathMTU = func(k LinkID) int {
		if k == 0 && narrow {
			return 500
		}
		return 1500
	}
	s.run(20 * time.Second)
	if st, _ := s.node(1).Status(2, 0); !st.Connected {
		t.Error("heartbeats pass: the link is up")
	}
	if got := s.dataLinks(1, 2, 1); !slices.Equal(got, []LinkID{1}) {
		t.Errorf("data on links %v, want the sound one", got)
	}
	if got := s.node(1).MTU(); got != 1446 {
		t.Errorf("data MTU %d, want that of the sound link", got)
	}
	narrow = false
	s.run(10 * time.Second)
	if got := s.dataLinks(1, 2, 1); !slices.Equal(got, []LinkID{0}) {
		t.Errorf("data on links %v after recovery", got)
	}

	s = newSim(t, 2, 1, nil)
	s.pathMTU = func(LinkID) int { return 500 }
	s.run(20 * time.Second)
	if s.node(1).hosts[2] {
		t.Error("host still reachable over a path too narrow for data")
	}
	s.pathMTU = func(LinkID) int { return 1500 }
	s.run(10 * time.Second)
	s.wantUp(1)
}

// TestPathChanges narrows and widens a path under a link that stays up.
func TestPathChanges(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	path, local := 1500, 1500
	s.pathMTU = func(LinkID) int { return path }
	s.localMTU = func(LinkID) int { return local }
	s.run(5 * time.Second)
	for _, tt := range []struct{ path, local, want int }{
		{1400, 1500, 1346}, {1500, 1500, 1446}, {1500, 9000, 1446}, {9000, 9000, 8946}, {9000, 1500, 1446}, {1400, 1280, 1226}, {65535, 65536, 65481},
	} {
		path, local = tt.path, tt.local
		s.run(70 * time.Second)
		if got := s.node(1).MTU(); got != tt.want {
			t.Errorf("path %d, interface %d: %d, want %d\n%v", tt.path, tt.local, got, tt.want, s.node(1).log)
		}
	}
	// What the kernel refuses counts at once.
	s = newSim(t, 2, 1, nil)
	s.run(5 * time.Second)
	s.localMTU = func(LinkID) int { return 1300 }
	s.say(1, 0, message(0, 5000, 1))
	if got := s.node(1).MTU(); got != 1246 {
		t.Errorf("data MTU %d after the kernel told 1300, want 1246", got)
	}
	s.run(time.Second)
	s.say(1, 0, message(0, 5000, 1))
	s.run(time.Second)
	if got := len(s.node(2).got); got != 1 {
		t.Errorf("%d messages, want the second", got)
	}
	// Late echoes of refused packets do not start anything.
	probes := s.node(1).sent[knet.TypePMTUD]
	for range 100 {
		s.node(1).TooBig(s.now, 0, simAddr(0, 2, false).Addr(), 1300, &s.node(1).out)
		s.perform(s.node(1))
		s.run(10 * time.Millisecond)
	}
	if got := s.node(1).sent[knet.TypePMTUD]; got > probes+2 {
		t.Errorf("%d probes because of late echoes", got-probes)
	}
}

// TestProbesTooBigDoNotCount: a probe that the kernel would not take was not
// sent, as in the reference's statistics.
func TestProbesTooBigDoNotCount(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	s.localMTU = func(LinkID) int { return 1300 }
	s.run(5 * time.Second)
	st, _ := s.node(1).Status(2, 0)
	if st.TxPMTUPackets == 0 || st.TxPMTUErrors != 0 || st.TxPMTUBytes != st.TxPMTUPackets*1272 {
		t.Errorf("%d probes of %d bytes, %d errors; want all of 1272", st.TxPMTUPackets, st.TxPMTUBytes, st.TxPMTUErrors)
	}
}

// TestLoop: the link to this node itself counts what goes to all nodes.
func TestLoop(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	s.run(2 * time.Second)
	s.say(1, 0, message(0, 100, 1))
	s.say(1, 2, message(2, 200, 1))
	s.say(1, 0, message(0, 300, 1))
	if got := s.node(1).Loop(); got.TxDataPackets != 2 || got.TxDataBytes != 400 || got.MTU != 65535 || !got.Connected {
		t.Errorf("%+v", got)
	}
	s.node(1).ClearStats()
	if got := s.node(1).Loop(); got.TxDataPackets != 0 || got.LatencyMin != 1<<32-1 {
		t.Errorf("cleared: %+v", got)
	}
}

// TestLossKeepsMTU checks that loss, however bad, never lowers the MTU found,
// nor takes a link out.
func TestLossKeepsMTU(t *testing.T) {
	for _, loss := range []float64{0.05, 0.2, 0.3} {
		s := newSim(t, 2, 1, func(c *Config) {
			c.PMTUDInterval = time.Second
			c.Hosts[0].Links[0].PongTimeout = 20 * time.Second // loss alone must not cut it
		})
		s.loss = loss
		s.run(30 * time.Second)
		s.wantUp(1)
		from := len(s.node(1).log)
		s.run(20 * time.Minute)
		// 1,200 runs: a false alarm in each 10,000 is what the odds allow.
		if log := s.node(1).log[from:]; s.node(1).MTU() != 1446 || len(log) > 0 && loss < 0.3 {
			t.Errorf("loss %v: data MTU %d: %v", loss, s.node(1).MTU(), log)
		}
	}
}

// TestProbesUnanswered counts what a node sends over a path that lets pings
// through and nothing larger.
func TestProbesUnanswered(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	s.pathMTU = func(LinkID) int { return 60 }
	s.run(10 * time.Minute)
	n := s.node(1)
	if st, _ := n.Status(2, 0); !st.Connected || n.hosts[2] {
		t.Errorf("link up %v, host reachable %v; want up and unreachable", st.Connected, n.hosts[2])
	}
	if got := n.sent[knet.TypePMTUD]; got > 5*600 {
		t.Errorf("%d probes in ten minutes", got)
	}
}

// TestStrayReplies floods a node with replies to probes it did not send.
func TestStrayReplies(t *testing.T) {
	s := newSim(t, 2, 1, nil)
	s.run(2 * time.Second)
	n := s.node(1)
	for size := range 2000 {
		reply := knet.PMTUD{Header: knet.Header{Type: knet.TypePMTUDReply, Node: 2}, Size: uint16(size * 32)}
		n.Receive(s.now, 0, simAddr(0, 2, false), reply.Append(nil), &n.out)
		s.perform(n)
	}
	if n.MTU() != 1446 || n.Stats().Dropped[StrayReply] != 2000 {
		t.Errorf("data MTU %d, %d strays counted", n.MTU(), n.Stats().Dropped[StrayReply])
	}
}

func TestManualMTU(t *testing.T) {
	for _, tt := range []struct{ mtu, want int }{{1500, 1446}, {9000, 8946}, {576, 522}, {100, minFragment}} {
		s := newSim(t, 2, 1, func(c *Config) { c.MTU = tt.mtu })
		s.localMTU = func(LinkID) int { return 9000 }
		s.run(40 * time.Second)
		if got := s.node(1).MTU(); got != tt.want || s.node(1).sent[knet.TypePMTUD] != 0 {
			t.Errorf("manual %d: data MTU %d, want %d; %d probes", tt.mtu, got, tt.want, s.node(1).sent[knet.TypePMTUD])
		}
	}
}

// TestLinkUpProbesFromHint checks what happens to the MTU when a link returns:
// down to the minimum, and up again within a round trip.
func TestLinkUpProbesFromHint(t *testing.T) {
	s := newSim(t, 3, 1, nil)
	s.localMTU = func(LinkID) int { return 9000 }
	s.pathMTU = func(LinkID) int { return 1420 }
	s.run(30 * time.Second)
	n := s.node(1)
	if n.MTU() != 1366 {
		t.Fatalf("data MTU %d, want 1366", n.MTU())
	}
	cut := true
	s.cut = func(_ LinkID, from, to HostID) bool { return cut && (from == 3 || to == 3) }
	s.run(5 * time.Second)
	from := len(n.log)
	cut = false
	s.run(5 * time.Second)
	log := fmt.Sprint(n.log[from:])
	if !strings.Contains(log, "mtu 482") || n.MTU() != 1366 {
		t.Errorf("data MTU %d; %s", n.MTU(), log)
	}
	var times []time.Duration
	for _, line := range n.log[from:] {
		if at, _, ok := strings.Cut(line, " mtu "); ok {
			d, err := time.ParseDuration(at)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, d)
		}
	}
	if len(times) != 2 || times[1]-times[0] > time.Millisecond {
		t.Errorf("MTU changed at %v, want a round trip apart", times)
	}
}
