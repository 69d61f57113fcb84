package net

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"cpgol/conformance/lab"
	"cpgol/daemon/link"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// TestStock talks to a stock daemon over each transport, both ways and both by
// multicast and by unicast: to a join of ours it must answer with one that
// names us, and to one that agrees with its own by a commit token.
func TestStock(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	onlyLink := func(lines string) map[string]string {
		return map[string]string{"interface {\n    linknumber": "0\n    " + lines + "\n  }"}
	}
	group := netip.MustParseAddr("239.192.7.7")
	for _, tc := range []struct {
		name string
		ipv6 bool
		ring lab.Ring
		open func(p *Poller, cfg PlainConfig) (Transport, error)
	}{
		{"udpu", false, lab.Ring{Transport: "udpu"}, func(p *Poller, cfg PlainConfig) (Transport, error) {
			return NewUDPU(p, UDPUConfig{PlainConfig: cfg, BlockUnlisted: true})
		}},
		{"udpu IPv6", true, lab.Ring{Transport: "udpu"}, func(p *Poller, cfg PlainConfig) (Transport, error) {
			return NewUDPU(p, UDPUConfig{PlainConfig: cfg, BlockUnlisted: true})
		}},
		{"udp multicast", false, lab.Ring{Transport: "udp", Totem: onlyLink("mcastaddr: " + group.String())}, func(p *Poller, cfg PlainConfig) (Transport, error) {
			return NewUDP(p, UDPConfig{PlainConfig: cfg, Group: group})
		}},
		{"udp broadcast", false, lab.Ring{Transport: "udp", Totem: onlyLink("broadcast: yes")}, func(p *Poller, cfg PlainConfig) (Transport, error) {
			return NewUDP(p, UDPConfig{PlainConfig: cfg, Broadcast: true})
		}},
		{"knet", false, lab.Ring{Transport: "knet"}, stockKnet("", "")},
		{"knet aes256 sha256", false, lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"}, stockKnet("aes256", "sha256")},
		{"knet IPv6", true, lab.Ring{Transport: "knet"}, stockKnet("", "")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The daemon dies with the thread that started it, and this package's
			// tests end threads.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			l, err := lab.New(lab.Options{Prefix: "nt-", Nodes: 2, IPv6: tc.ipv6, Log: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := l.Hosts[0].StartStock(l.Conf(tc.ring), lab.Key()); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if t.Failed() {
					t.Log(l.Hosts[0].Tail(20))
				}
			}()
			talk(t, l, tc.open)
		})
	}
}

func stockKnet(cipher, hash string) func(p *Poller, cfg PlainConfig) (Transport, error) {
	return func(p *Poller, cfg PlainConfig) (Transport, error) {
		k := KnetConfig{Clock: cfg.Clock, Receive: cfg.Receive, Config: link.Config{
			Node: uint16(cfg.Node), BlockUnlisted: true, Rand: counting{},
			Hosts: []link.Host{{ID: 1, Links: []link.Link{{
				Local: cfg.Local, Remote: cfg.Members[0].Addr,
				PingInterval: 200 * time.Millisecond, PongTimeout: time.Second, PongCount: 2,
			}}}},
		}}
		if cipher != "" {
			var err error
			if k.Crypto, err = knet.NewCrypto(cipher, hash, lab.Key()); err != nil {
				return nil, err
			}
		}
		return NewKnet(p, k)
	}
}

// talk is node 2 beside a stock node 1.
func talk(t *testing.T, l *lab.Lab, open func(*Poller, PlainConfig) (Transport, error)) {
	file, err := os.Open("/run/netns/" + l.Hosts[1].Space)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := &rig{t: t, p: newPoller(t), spaces: []*namespace{{file}}, nodes: make([]Transport, 1), got: make([][]string, 1)}
	t.Cleanup(func() { r.nodes[0].Close() })

	var proc []totem.NodeID // of the last join
	committed, seq := false, uint64(0)
	cfg := PlainConfig{
		Node: 2, DownCheck: time.Second, Clock: clock,
		Receive: func(p []byte) {
			h, err := totem.ParseHeader(p)
			if err != nil || h.Node != 1 {
				t.Errorf("a packet from %d: %v", h.Node, err)
				return
			}
			switch h.Type {
			case totem.TypeJoin:
				var j totem.Join
				if _, err := j.Decode(p); err != nil {
					t.Error(err)
				}
				proc, seq = slices.Clone(j.Proc), j.RingSeq
			case totem.TypeCommitToken:
				committed = true
			}
		},
	}
	for i := range 2 {
		addr := netip.AddrPortFrom(netip.MustParseAddr(l.Addr(i+1, 0)), 5405)
		cfg.Members = append(cfg.Members, Member{Node: totem.NodeID(i + 1), Addr: addr})
		cfg.Local = addr
	}
	r.start(0, func() (Transport, error) { return open(r.p, cfg) })
	n := r.nodes[0]

	join := func(unicast bool, proc ...totem.NodeID) {
		j := totem.Join{Header: totem.Header{Type: totem.TypeJoin, Node: 2}, From: 2, Proc: proc, RingSeq: seq}
		if b := j.Append(nil); unicast {
			n.Unicast(clock(), 1, b)
		} else {
			n.Multicast(clock(), b)
		}
	}
	// every sends again until done, as a gathering node does.
	every := func(what string, send func(), done func() bool) {
		t.Helper()
		next := time.Duration(0)
		r.until(what, func() bool {
			if now := clock(); now >= next {
				send()
				next = now + 50*time.Millisecond
			}
			return done()
		})
	}
	named := func() bool { return slices.Contains(proc, 2) }
	every("an answer to a unicast", func() { join(true, 2) }, named)
	proc = nil
	every("an answer to a multicast", func() { join(false, 2) }, named)
	every("a commit token", func() { join(false, 1, 2) }, func() bool { return committed })
}
