package net

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdnet "net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// comparable lets cmp compare addresses.
var comparable = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

var origin = time.Now()

func clock() time.Duration { return time.Since(origin) }

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// until runs the poller until done, and fails the test after a while.
func until(t testing.TB, p *Poller, what string, done func() bool) {
	t.Helper()
	for limit := clock() + 10*time.Second; !done(); {
		if clock() > limit {
			t.Fatalf("waited in vain for %s", what)
		}
		wait(t, p, 20*time.Millisecond)
	}
}

// numbered returns n datagrams of size bytes back to back, each starting with
// its number; the last is cut to tail bytes unless that is 0.
func numbered(n, size, tail int) []byte {
	b := make([]byte, n*size)
	for i := range n {
		var number [4]byte
		binary.BigEndian.PutUint32(number[:], uint32(i))
		d := b[i*size : (i+1)*size]
		for j := copy(d, number[:]); j < size; j++ {
			d[j] = byte(i + j)
		}
	}
	if tail > 0 {
		b = b[:(n-1)*size+tail]
	}
	return b
}

// cut is what a receiver should see of numbered datagrams.
func cut(b []byte, size int) (all [][]byte) {
	for len(b) > 0 {
		n := min(size, len(b))
		all = append(all, b[:n])
		b = b[n:]
	}
	return all
}

// same compares datagrams, which are too large to print.
func same(t *testing.T, want, got [][]byte) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d datagrams received, want %d", len(got), len(want))
	}
	for i := range min(len(want), len(got)) {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("datagram %d: %d bytes starting % x, want %d starting % x", i,
				len(got[i]), got[i][:min(8, len(got[i]))], len(want[i]), want[i][:min(8, len(want[i]))])
		}
	}
}

func TestSocketBursts(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, tc := range []struct{ n, size, tail int }{
			{1, 1, 0}, {1, 65507, 0}, {2, 1400, 1}, {45, 1446, 466}, {64, 1000, 0}, {65, 1000, 0},
			{500, 100, 7}, {130, 16, 0}, {5, 30000, 29999}, {3, 65507, 10},
		} {
			t.Run(fmt.Sprintf("%s/%dx%d+%d", addr, tc.n, tc.size, tc.tail), func(t *testing.T) {
				p := newPoller(t)
				var got [][]byte
				var from netip.AddrPort
				rx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort(addr), Datagram: func(f netip.AddrPort, b []byte) {
					from = f
					got = append(got, bytes.Clone(b))
				}})
				tx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort(addr), Failed: func(e SendError) { t.Errorf("failed: %+v", e) }})
				sent := numbered(tc.n, tc.size, tc.tail)
				tx.Send(rx.Local(), sent, tc.size, 0)
				tx.Flush()
				until(t, p, "the burst", func() bool { return len(got) >= tc.n })
				same(t, cut(sent, tc.size), got)
				if from != tx.Local() {
					t.Errorf("from %v, want %v", from, tx.Local())
				}
				if st := tx.Stats(); st.Sent != uint64(tc.n) || st.SentBytes != uint64(len(sent)) || st.Unsegmented != 0 {
					t.Errorf("sender's counters %+v", st)
				}
				if st := rx.Stats(); st.Received != uint64(tc.n) || st.ReceivedBytes != uint64(len(sent)) {
					t.Errorf("receiver's counters %+v", st)
				}
			})
		}
	}
}

// What leaves as one message must arrive as single datagrams at a peer that
// did not ask for more.
func TestSocketPeerWithoutGRO(t *testing.T) {
	a, b := newLink(t)
	var peer *stdnet.UDPConn
	var err error
	b.in(t, func() { peer, err = stdnet.ListenUDP("udp", stdnet.UDPAddrFromAddrPort(addrPort("10.9.0.2:5405"))) })
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	tx := a.open(t, newPoller(t), SocketConfig{Bind: addrPort("10.9.0.1:5405")})
	sent := numbered(60, 1472, 99)
	tx.Send(addrPort("10.9.0.2:5405"), sent, 1472, 0)
	tx.Flush()
	if st := tx.Stats(); st.SendCalls != 1 || st.Sent != 60 {
		t.Errorf("counters %+v, want all in one call", st)
	}
	peer.SetReadDeadline(time.Now().Add(5 * time.Second))
	for i, want := range cut(sent, 1472) {
		buf := make([]byte, 65536)
		n, from, err := peer.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
		if !bytes.Equal(buf[:n], want) {
			t.Fatalf("datagram %d: %d bytes starting % x, want %d", i, n, buf[:min(n, 8)], len(want))
		}
		if from.Port() != 5405 {
			t.Errorf("from %v", from)
		}
	}
}

// warm sends one datagram, so that the neighbour's address is known: while it is
// not, the kernel keeps few.
func warm(t *testing.T, p *Poller, tx *Socket, to netip.AddrPort, arrived func() bool) {
	t.Helper()
	tx.Send(to, []byte("warm"), 0, 0)
	tx.Flush()
	until(t, p, "the first datagram", arrived)
}

// And what leaves one by one arrives the same, joined or not.
func TestSocketPeerWithoutSegmentation(t *testing.T) {
	a, b := newLink(t)
	p := newPoller(t)
	var got [][]byte
	b.open(t, p, SocketConfig{Bind: addrPort("[fd09::2]:5405"), Datagram: func(_ netip.AddrPort, d []byte) {
		got = append(got, bytes.Clone(d))
	}})
	tx := a.open(t, p, SocketConfig{Bind: addrPort("[fd09::1]:5405")})
	warm(t, p, tx, addrPort("[fd09::2]:5405"), func() bool { return len(got) > 0 })
	got = nil
	sent := numbered(200, 1400, 0)
	for _, d := range cut(sent, 1400) {
		tx.Send(addrPort("[fd09::2]:5405"), d, 0, 0)
	}
	tx.Flush()
	until(t, p, "the datagrams", func() bool { return len(got) >= 200 })
	same(t, cut(sent, 1400), got)
}

// A segment above the route's MTU is the kernel's to fragment, which it does
// for single datagrams only.
func TestSocketSegmentAboveMTU(t *testing.T) {
	a, b := newLink(t)
	p := newPoller(t)
	var got [][]byte
	b.open(t, p, SocketConfig{Bind: addrPort("10.9.0.2:5405"), Datagram: func(_ netip.AddrPort, d []byte) {
		got = append(got, bytes.Clone(d))
	}})
	tx := a.open(t, p, SocketConfig{Bind: addrPort("10.9.0.1:5405"), Failed: func(e SendError) { t.Errorf("failed: %+v", e) }})
	to, sent := addrPort("10.9.0.2:5405"), numbered(4, 4000, 0)
	tx.Send(to, sent, 4000, 0)
	tx.Flush()
	until(t, p, "fragmented datagrams", func() bool { return len(got) >= 4 })
	same(t, cut(sent, 4000), got)
	tx.Send(to, sent, 4000, 0)
	tx.Flush()
	if st := tx.Stats(); st.Unsegmented != 1 {
		t.Errorf("%d runs tried in vain, want the second not to be tried", st.Unsegmented)
	}
	tx.Send(to, numbered(4, 1000, 0), 1000, 0)
	tx.Flush()
	if st := tx.Stats(); st.Unsegmented != 1 || st.Sent != 12 {
		t.Errorf("counters %+v, want smaller segments still cut by the kernel", st)
	}
}

// knet's sockets do not fragment: too large is an error with the MTU.
func TestSocketTooBig(t *testing.T) {
	for _, v := range []struct{ local, peer string }{
		{"10.9.0.1:5405", "10.9.0.2:5405"}, {"[fd09::1]:5405", "[fd09::2]:5405"},
	} {
		a, _ := newLink(t)
		var got []SendError
		local, peer := addrPort(v.local), addrPort(v.peer)
		tx := a.open(t, newPoller(t), SocketConfig{
			Bind: local, Options: KnetOptions(local.Addr()), Failed: func(e SendError) { got = append(got, e) },
		})
		want := []SendError{{To: peer, Errno: unix.EMSGSIZE, MTU: 1500, Tag: 7}}
		tx.Send(peer, make([]byte, 1501), 0, 7)
		tx.Flush()
		if diff := cmp.Diff(want, got, comparable); diff != "" {
			t.Errorf("%v: one datagram (-want +got):\n%s", local, diff)
		}
		got = nil
		tx.Send(peer, make([]byte, 3*1600), 1600, 7)
		tx.Send(peer, make([]byte, 100), 0, 7)
		tx.Flush()
		if diff := cmp.Diff([]SendError{want[0], want[0], want[0]}, got, comparable); diff != "" {
			t.Errorf("%v: three in a run (-want +got):\n%s", local, diff)
		}
		if st := tx.Stats(); st.Failed != 4 || st.Sent != 1 {
			t.Errorf("%v: counters %+v", local, st)
		}
		if tx.segmentMax == 0 {
			t.Errorf("%v: segmentation given up for a size that no datagram may have", local)
		}
	}
}

// An ICMP error about one peer is reported with that peer, and costs the
// datagrams to others nothing.
func TestSocketRefused(t *testing.T) {
	for _, bind := range []string{"127.0.0.1:0", "[::1]:0"} {
		p := newPoller(t)
		var refused []SendError
		received := 0
		local := addrPort(bind)
		rx := (*namespace)(nil).open(t, p, SocketConfig{Bind: local, Datagram: func(netip.AddrPort, []byte) { received++ }})
		dead := (*namespace)(nil).open(t, p, SocketConfig{Bind: local})
		gone := dead.Local()
		dead.Close()
		tx := (*namespace)(nil).open(t, p, SocketConfig{
			Bind: local, Options: KnetOptions(local.Addr()), Failed: func(e SendError) { refused = append(refused, e) },
			Datagram: func(netip.AddrPort, []byte) {},
		})
		for range 10 {
			tx.Send(gone, []byte("anyone?"), 0, 0)
			tx.Send(rx.Local(), []byte("hello"), 0, 0)
		}
		tx.Flush()
		until(t, p, "all datagrams to the living", func() bool { return received >= 10 })
		until(t, p, "the refusal", func() bool { return len(refused) > 0 })
		for _, e := range refused {
			if diff := cmp.Diff(SendError{To: gone, Errno: unix.ECONNREFUSED, Refused: true}, e, comparable); diff != "" {
				t.Fatalf("%s: failure (-want +got):\n%s", bind, diff)
			}
		}
		if st := tx.Stats(); st.Sent != 20 || st.Failed != 0 {
			t.Errorf("%s: counters %+v", bind, st)
		}
	}
}

func TestSocketNoRoute(t *testing.T) {
	a, _ := newLink(t)
	var got []SendError
	tx := a.open(t, newPoller(t), SocketConfig{
		Bind: addrPort("10.9.0.1:5405"), Options: KnetOptions(netip.MustParseAddr("10.9.0.1")),
		Failed: func(e SendError) { got = append(got, e) },
	})
	tx.Send(addrPort("192.0.2.1:5405"), []byte("x"), 0, 1)
	tx.Send(addrPort("[fd09::2]:5405"), []byte("x"), 0, 2)
	tx.Send(addrPort("10.9.0.2:5405"), []byte("x"), 0, 3)
	tx.Flush()
	want := []SendError{
		{To: addrPort("[fd09::2]:5405"), Errno: unix.EAFNOSUPPORT, Tag: 2},
		{To: addrPort("192.0.2.1:5405"), Errno: unix.ENETUNREACH, Tag: 1},
	}
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if st := tx.Stats(); st.Sent != 1 || st.Failed != 2 {
		t.Errorf("counters %+v", st)
	}
}

func TestSocketKnetOptions(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the buffers' full size needs root")
	}
	type opt struct {
		name       string
		level, opt int
		want       int
	}
	common := []opt{
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 2 * knetBuffer}, // the kernel counts its own share
		{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * knetBuffer},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 6},
		{"IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1},
		{"UDP_GRO", unix.IPPROTO_UDP, unix.UDP_GRO, 1},
	}
	v4 := []opt{
		{"IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, 0x10},
		{"IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE},
		{"IP_RECVERR", unix.IPPROTO_IP, unix.IP_RECVERR, 1},
	}
	v6 := []opt{
		{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
		{"IPV6_MTU_DISCOVER", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
		{"IPV6_DONTFRAG", unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1},
		{"IPV6_RECVERR", unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1},
	}
	// Addresses that this host does not have: IP_FREEBIND binds regardless.
	for addr, own := range map[string][]opt{"192.0.2.7:0": v4, "[2001:db8::7]:0": v6} {
		local := addrPort(addr)
		s := (*namespace)(nil).open(t, newPoller(t), SocketConfig{Bind: local, Buffer: knetBuffer, Options: KnetOptions(local.Addr())})
		for _, o := range append(common, own...) {
			if got, err := unix.GetsockoptInt(s.fd, o.level, o.opt); err != nil || got != o.want {
				t.Errorf("%s: %s = %d (%v), want %d", addr, o.name, got, err, o.want)
			}
		}
		if flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: flags %#x (%v), want O_NONBLOCK", addr, flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: descriptor flags %#x (%v), want FD_CLOEXEC", addr, flags, err)
		}
	}
}

// The Go runtime's own epoll must not know the socket, or it would wake up for
// every datagram.
func TestSocketLeavesRuntimePoller(t *testing.T) {
	p := newPoller(t)
	s := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort("127.0.0.1:0"), Datagram: func(netip.AddrPort, []byte) {}})
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		t.Fatal(err)
	}
	watched := regexp.MustCompile(fmt.Sprintf(`(?m)^tfd:.* ino:%x `, st.Ino))
	files, _ := filepath.Glob("/proc/self/fdinfo/*")
	var by []string
	for _, f := range files {
		if info, err := os.ReadFile(f); err == nil && watched.Match(info) {
			by = append(by, filepath.Base(f))
		}
	}
	if diff := cmp.Diff([]string{fmt.Sprint(p.epoll)}, by); diff != "" {
		t.Errorf("epoll descriptors that watch the socket (-want +got):\n%s", diff)
	}
}

// Callbacks may close the socket that they are called for.
func TestSocketCloseInCallback(t *testing.T) {
	p := newPoller(t)
	calls := 0
	var rx *Socket
	rx = (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort("127.0.0.1:0"), Datagram: func(netip.AddrPort, []byte) {
		calls++
		rx.Close()
	}})
	tx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort("127.0.0.1:0")})
	tx.Send(rx.Local(), numbered(10, 100, 0), 100, 0)
	tx.Flush()
	until(t, p, "a datagram", func() bool { return calls > 0 })
	wait(t, p, time.Millisecond)
	if calls != 1 {
		t.Errorf("%d calls after the socket was closed", calls-1)
	}
	rx.Send(tx.Local(), []byte("x"), 0, 0)
	rx.Flush()
	rx.Tick(clock())
	if err := rx.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestSocketDoesNotAllocate(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		p := newPoller(t)
		got := 0
		rx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort(addr), Datagram: func(netip.AddrPort, []byte) { got++ }})
		tx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort(addr), Options: KnetOptions(addrPort(addr).Addr())})
		run, one, to := numbered(40, 1400, 0), numbered(1, 200, 0), rx.Local()
		exchange := func() {
			tx.Send(to, run, 1400, 0)
			for range 20 {
				tx.Send(to, one, 0, 0)
			}
			tx.Flush()
			for want := got + 60; got < want; {
				if err := p.Wait(time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := testing.AllocsPerRun(100, exchange); n != 0 {
			t.Errorf("%s: %v allocations for 60 datagrams, want none", addr, n)
		}
	}
}
