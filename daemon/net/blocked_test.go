package net

import (
	"bytes"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slowLink is a wire whose first end passes a few megabits a second and keeps
// at most limit bytes.
func slowLink(t *testing.T, limit string) (a, b *namespace) {
	t.Helper()
	a, b = newLink(t)
	a.run(t, "tc qdisc add dev nt0 root tbf rate 40mbit burst 8kb limit "+limit)
	return a, b
}

// oneCPU keeps the test, and with it the wire's queue and its timer, on one CPU: a
// veth pair hands what different CPUs pass to it over in no particular order.
func oneCPU(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}

// burst sends n datagrams through a slow wire and checks that they arrive in
// order, none missing.
func burst(t *testing.T, limit string, buffer int, segmented bool) SocketStats {
	t.Helper()
	const n, size = 400, 1000
	oneCPU(t)
	a, b := slowLink(t, limit)
	p := newPoller(t)
	var got [][]byte
	b.open(t, p, SocketConfig{Bind: addrPort("10.9.0.2:5405"), Datagram: func(_ netip.AddrPort, d []byte) { got = append(got, bytes.Clone(d)) }})
	local := addrPort("10.9.0.1:5405")
	tx := a.open(t, p, SocketConfig{Bind: local, Options: KnetOptions(local.Addr()), Failed: func(e SendError) { t.Errorf("failed: %+v", e) }})
	to := addrPort("10.9.0.2:5405")
	warm(t, p, tx, to, func() bool { return len(got) > 0 })
	got = nil
	if err := unix.SetsockoptInt(tx.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, buffer); err != nil {
		t.Fatal(err)
	}
	sent := numbered(n, size, 0)
	all := bytes.Clone(sent)
	if segmented {
		tx.Send(to, all, size, 0)
	} else {
		for _, d := range cut(all, size) {
			tx.Send(to, d, 0, 0)
		}
	}
	tx.Flush()
	clear(all) // what waits was copied
	for limit := clock() + 10*time.Second; len(got) < n; {
		if clock() > limit {
			t.Fatalf("%d of %d received; counters %+v", len(got), n, tx.Stats())
		}
		wait(t, p, min(max(tx.Deadline()-clock(), 0), 20*time.Millisecond))
		tx.Tick(clock())
	}
	same(t, cut(sent, size), got)
	if tx.wait != waitNone || tx.queue.len() != 0 {
		t.Errorf("all sent, and still waiting (%v)", tx.wait)
	}
	return tx.Stats()
}

// EAGAIN: the socket's own buffer is full until the wire has taken something.
func TestSocketWaitsUntilWritable(t *testing.T) {
	for _, segmented := range []bool{false, true} {
		if st := burst(t, "10mb", 65536, segmented); st.Blocked == 0 || st.Sent < 400 || st.Dropped+st.Failed != 0 {
			t.Errorf("segmented %v: counters %+v", segmented, st)
		}
	}
}

// ENOBUFS: the device's queue is full, which the socket's writability does not
// tell.
func TestSocketWaitsForDevice(t *testing.T) {
	st := burst(t, "30kb", 8<<20, false)
	if st.Blocked == 0 || st.Sent < 400 || st.Dropped+st.Failed != 0 {
		t.Errorf("counters %+v", st)
	}
}

// A socket that is blocked for good neither blocks the caller nor grows.
func TestSocketBacklogIsBounded(t *testing.T) {
	a, _ := slowLink(t, "10mb")
	local, to := addrPort("10.9.0.1:5405"), addrPort("10.9.0.2:5405")
	tx := a.open(t, newPoller(t), SocketConfig{Bind: local, Options: KnetOptions(local.Addr())})
	if err := unix.SetsockoptInt(tx.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		t.Fatal(err)
	}
	d := make([]byte, 10000)
	for range 2000 {
		tx.Send(to, d, 1000, 0)
		tx.Flush()
	}
	st := tx.Stats()
	if st.Dropped == 0 || st.Sent+st.Dropped > 20000 {
		t.Errorf("counters %+v", st)
	}
	if tx.queue.cost() > backlogBytes {
		t.Errorf("%d bytes wait", tx.queue.cost())
	}
}

// A kernel or device that cannot cut runs says so once; datagrams then go one
// by one.
func TestSocketWithoutSegmentation(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.EOPNOTSUPP} {
		p := newPoller(t)
		var got [][]byte
		rx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort("127.0.0.1:0"), Datagram: func(_ netip.AddrPort, d []byte) { got = append(got, bytes.Clone(d)) }})
		tx := (*namespace)(nil).open(t, p, SocketConfig{Bind: addrPort("127.0.0.1:0")})
		sent := numbered(30, 1000, 500)
		tx.Send(rx.Local(), sent, 1000, 0)
		// As if sendmmsg had said so.
		if why := tx.refused(errno, errorsRead{}); why != waitNone {
			t.Fatalf("%v: waits (%v)", errno, why)
		}
		tx.out.reset()
		tx.Send(rx.Local(), sent, 1000, 0)
		tx.Flush()
		until(t, p, "both", func() bool { return len(got) >= 60 })
		same(t, append(cut(sent, 1000), cut(sent, 1000)...), got)
		if st := tx.Stats(); st.Unsegmented != 1 || st.Sent != 60 {
			t.Errorf("%v: counters %+v", errno, st)
		}
	}
}
