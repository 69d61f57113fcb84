package link_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/conformance/lab"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// TestLive joins our links to those of a stock corosync, each in a network
// namespace: both sides must see every link up with the path MTU found, see it
// go when it is cut, and come back; large messages must pass.
func TestLive(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	client, err := lab.BuildClient(t.TempDir(), "cpgclient")
	if err != nil {
		t.Skip(err)
	}
	for _, tt := range []liveCase{
		{name: "clear", prefix: "lk-c", links: 1, mtu: 1446},
		{name: "aes256-sha256", prefix: "lk-a", links: 1, cipher: "aes256", hash: "sha256", mtu: 1397},
		{name: "two links", prefix: "lk-t", links: 2, cipher: "aes256", hash: "sha256", mtu: 1397},
		{name: "IPv6", prefix: "lk-6", links: 1, six: true, cipher: "aes128", hash: "sha1", mtu: 1381},
		{name: "zlib rr", prefix: "lk-z", links: 2, mtu: 1446, compression: knet.Zlib, policy: link.RoundRobin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.client = client
			tt.run(t)
		})
	}
}

type liveCase struct {
	name, prefix string
	links        int
	six          bool
	cipher, hash string
	mtu          int
	compression  knet.Method
	policy       link.Policy
	client       string // the C program
}

func (tt liveCase) run(t *testing.T) {
	l, err := lab.New(lab.Options{Prefix: tt.prefix, Nodes: 2, Links: tt.links, IPv6: tt.six, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	extra := map[string]string{"link_mode": [...]string{"passive", "active", "rr"}[tt.policy]}
	if tt.compression != knet.None {
		extra["knet_compression_model"] = tt.compression.String()
	}
	stock := l.Hosts[0]
	conf := l.Conf(lab.Ring{Transport: "knet", Cipher: tt.cipher, Hash: tt.hash, Token: 1000, Totem: extra})
	if err := stock.StartStock(conf, lab.Key()); err != nil {
		t.Fatal(err)
	}
	ours := tt.start(t, l)
	defer ours.stop()

	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nstock's log:\n%s", fmt.Sprintf(format, args...), stock.Tail(40))
	}
	want := make([]bool, tt.links)
	set := func(k int, up bool) {
		t.Helper()
		want[k] = up
		if err := tt.wait(stock, ours, want); err != nil {
			fail("want links up: %v: %v", want, err)
		}
	}
	for k := range want {
		want[k] = true
	}
	set(0, true)
	tt.exchange(t, stock, ours, fail)
	for k := range want {
		l.Hosts[1].SetLink(k, "down")
		set(k, false)
		if tt.links > 1 {
			tt.exchange(t, stock, ours, fail)
		} else if ours.reachable() {
			fail("host 1 is still reachable without a link")
		}
		l.Hosts[1].SetLink(k, "up")
		set(k, true)
	}
	tt.exchange(t, stock, ours, fail)
	s := ours.stats()
	for c := range link.Cause(len(s.Dropped)) {
		if n := s.Dropped[c]; n != 0 && !c.Everyday() {
			fail("dropped: %d %v", n, c)
		}
	}
	ours.stop()
	for k := range want {
		want[k] = false
	}
	// Our port is closed: its ICMP errors tell within a few cycles.
	begin := time.Now()
	if err := tt.wait(stock, nil, want); err != nil {
		fail("after our end: %v", err)
	}
	t.Logf("stock saw our end after %v", time.Since(begin).Round(time.Millisecond))
	log, _ := os.ReadFile(stock.LogFile())
	for _, bad := range []string{"decrypt", "Digest", "rejected", "possible MTU misconfiguration", "Unable to decompress", "Aborting PMTUD"} {
		if strings.Contains(string(log), bad) {
			fail("stock's log speaks of %q", bad)
		}
	}
}

// exchange sends large messages both ways.
func (tt liveCase) exchange(t *testing.T, stock *lab.Host, ours *node, fail func(string, ...any)) {
	t.Helper()
	c, err := stock.StartClient(tt.client, "g")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	ours.do(func() { ours.largest, ours.malformed = 0, 0 })
	if err := c.WaitCount(5*time.Second, "confchg", 1); err != nil {
		fail("%v", err)
	}
	c.Send(5, 50000)
	if err := c.WaitCount(10*time.Second, "deliver", 5); err != nil {
		fail("%v", err)
	}
	before, _ := tt.stat(stock, -1, "rx_data_packets")
	const count = 20
	ours.do(func() {
		m := make([]byte, 60000)
		copy(m, []byte{0x70, 0xc0, 3, 77}) // a totem message of no known type
		for range count {
			ours.knet.Multicast(ours.now(), m)
		}
		ours.knet.Flush(ours.now())
	})
	fragments := count * (60000/tt.mtu + 1)
	if tt.compression != knet.None {
		fragments = count // of zeros
	}
	if !until(5*time.Second, func() bool {
		n, err := tt.stat(stock, -1, "rx_data_packets")
		return err == nil && n >= before+fragments
	}) {
		n, err := tt.stat(stock, -1, "rx_data_packets")
		fail("stock received %d data packets, want %d (%v)", n-before, fragments, err)
	}
	ours.do(func() {
		if ours.malformed > 0 || ours.largest < 50000 {
			t.Errorf("of stock's messages %d were malformed, the largest had %d bytes", ours.malformed, ours.largest)
		}
	})
}

// wait waits until both sides see the links as wanted, with the MTU of those up.
// Without ours, stock's side only.
func (tt liveCase) wait(stock *lab.Host, ours *node, want []bool) error {
	var err error
	until(15*time.Second, func() bool {
		err = tt.check(stock, ours, want)
		return err == nil
	})
	return err
}

var linkLine = regexp.MustCompile(`LINK: (\d) udp \([^)]*\) enabled( connected)? mtu: (\d+)`)

func (tt liveCase) check(stock *lab.Host, ours *node, want []bool) error {
	for k, up := range want {
		if ours != nil {
			s := ours.status(k)
			if s.Connected != up || up && s.MTU != tt.mtu {
				return fmt.Errorf("our link %d: connected %v, mtu %d", k, s.Connected, s.MTU)
			}
		}
		connected, err := tt.stat(stock, k, "connected")
		if err != nil {
			return err
		}
		mtu, err := tt.stat(stock, k, "mtu")
		if err != nil {
			return err
		}
		if connected == 1 != up || up && mtu != tt.mtu {
			return fmt.Errorf("stock's link %d: connected %d, mtu %d", k, connected, mtu)
		}
	}
	out, err := stock.Tool("corosync-cfgtool", "-n")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	rows := linkLine.FindAllStringSubmatch(out, -1)
	for k, up := range want {
		if !up {
			continue // a node without any link is not listed
		}
		found := false
		for _, r := range rows {
			found = found || r[1] == strconv.Itoa(k) && r[2] != "" && r[3] == strconv.Itoa(tt.mtu)
		}
		if !found {
			return fmt.Errorf("corosync-cfgtool -n does not show link %d:\n%s", k, out)
		}
	}
	return nil
}

// stat reads a counter that stock keeps of our link, or, with link -1, the sum
// over all.
func (tt liveCase) stat(stock *lab.Host, k int, name string) (int, error) {
	if k < 0 {
		sum := 0
		for k := range tt.links {
			n, err := tt.stat(stock, k, name)
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}
	key := fmt.Sprintf("stats.knet.node2.link%d.%s", k, name)
	out, err := stock.Tool("corosync-cmapctl", "-m", "stats", "-g", key)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	_, value, _ := strings.Cut(out, " = ")
	return strconv.Atoi(strings.TrimSpace(value))
}

func until(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// A node runs our links on real sockets, in a loop on a thread of its own.
type node struct {
	poller *net.Poller
	knet   *net.Knet
	calls  chan func()
	done   chan struct{}
	start  time.Time

	largest, malformed int // of stock's messages
}

func (n *node) now() time.Duration { return time.Since(n.start) }

func (tt liveCase) start(t *testing.T, l *lab.Lab) *node {
	t.Helper()
	n := &node{calls: make(chan func()), done: make(chan struct{}), start: time.Now()}
	crypto, err := knet.NewCrypto(orNone(tt.cipher), orNone(tt.hash), lab.Key())
	if err != nil {
		t.Fatal(err)
	}
	cfg := link.Config{
		Node: 2, Policy: tt.policy, Crypto: crypto, BlockUnlisted: true, Rand: rand.Reader,
		Compression: link.Compression{Method: tt.compression},
	}
	h := link.Host{ID: 1}
	for k := range tt.links {
		addr := func(id int) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr(l.Addr(id, k)), uint16(5405+k))
		}
		h.Links = append(h.Links, link.Link{
			ID: uint8(k), Local: addr(2), Remote: addr(1), Priority: 1,
			PingInterval: 250 * time.Millisecond, PongTimeout: 500 * time.Millisecond, PongCount: 2,
		})
	}
	cfg.Hosts = []link.Host{h}
	ready := make(chan error, 1)
	park := make(chan struct{})
	t.Cleanup(func() { close(park) })
	go func() {
		// Never unlocked: the thread stays in the namespace. It ends when the lab
		// is closed and not before, as it may have started one of the lab's
		// programs, which die with the thread that started them.
		runtime.LockOSThread()
		err := n.open(l.Hosts[1].Space, cfg)
		ready <- err
		if err == nil {
			n.loop()
		}
		close(n.done)
		<-park
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return n
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (n *node) open(space string, cfg link.Config) error {
	ns, err := os.Open("/run/netns/" + space)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	if n.poller, err = net.NewPoller(); err != nil {
		return err
	}
	n.knet, err = net.NewKnet(n.poller, net.KnetConfig{Config: cfg, Clock: n.now, Receive: n.receive})
	return err
}

func (n *node) receive(packet []byte) {
	if _, err := totem.ParseHeader(packet); err != nil {
		n.malformed++
	}
	n.largest = max(n.largest, len(packet))
}

func (n *node) loop() {
	defer n.poller.Close()
	defer n.knet.Close()
	for {
		n.knet.Tick(n.now())
		n.knet.Flush(n.now())
		n.poller.Wait(max(0, n.knet.Deadline()-n.now()))
		for more := true; more; {
			select {
			case f := <-n.calls:
				if f == nil {
					return
				}
				f()
			default:
				more = false
			}
		}
	}
}

// do runs f in the loop.
func (n *node) do(f func()) {
	ran := make(chan struct{})
	n.call(func() { f(); close(ran) })
	<-ran
}

func (n *node) call(f func()) {
	for {
		n.poller.Wake()
		select {
		case n.calls <- f:
			return
		case <-n.done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// stop ends the loop and closes the sockets; it may be called again.
func (n *node) stop() {
	select {
	case <-n.done:
	default:
		n.call(nil)
		<-n.done
	}
}

func (n *node) status(k int) (s link.LinkStatus) {
	n.do(func() { s, _ = n.knet.State().Status(1, uint8(k)) })
	return s
}

func (n *node) stats() (s link.Stats) {
	n.do(func() { s = n.knet.State().Stats() })
	return s
}

func (n *node) reachable() (yes bool) {
	n.do(func() { yes = n.knet.State().Reachable(1) })
	return yes
}
