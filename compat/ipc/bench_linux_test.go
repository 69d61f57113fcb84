package ipc_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"cpgol/compat/ipc"
)

// benchBoth runs a benchmark over each transport with messages of each size.
func benchBoth(b *testing.B, sizes []int, bench func(b *testing.B, via ipc.Transport, size int)) {
	for name, via := range map[string]ipc.Transport{"rings": ipc.SharedMemory, "sockets": ipc.Sockets} {
		for _, size := range sizes {
			b.Run(fmt.Sprint(name, "/", size), func(b *testing.B) { bench(b, via, size) })
		}
	}
}

// BenchmarkEcho is a request and its answer, through two wake-ups.
func BenchmarkEcho(b *testing.B) {
	benchBoth(b, []int{64, 8 << 10, 200_000}, func(b *testing.B, via ipc.Transport, size int) {
		_, name := serve(b, newEcho(), ipc.Options{Transport: via})
		c := dial(b, name)
		req, buf := request(reqEcho, make([]byte, size-h16)), make([]byte, 1<<20)
		b.SetBytes(int64(2 * size))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Call(req, nil, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAsync is requests without answers, as cpg messages are.
func BenchmarkAsync(b *testing.B) {
	benchBoth(b, []int{64, 8 << 10, 200_000}, func(b *testing.B, via ipc.Transport, size int) {
		l, name := serve(b, newEcho(), ipc.Options{Transport: via})
		l.Do(func() { l.Server.SetPace(50) })
		c := dial(b, name)
		req := request(reqAsync, make([]byte, size-h16))
		b.SetBytes(int64(size))
		for b.Loop() {
			for errors.Is(c.Send(req, nil), syscall.EAGAIN) {
			}
		}
	})
}

// BenchmarkEvents is events in bursts of 50, as an ordered ring delivers them.
func BenchmarkEvents(b *testing.B) {
	benchBoth(b, []int{64, 8 << 10, 200_000}, func(b *testing.B, via ipc.Transport, size int) {
		l, name := serve(b, newEcho(), ipc.Options{Transport: via, MaxQueue: 1 << 30, MaxQueued: 1 << 30})
		c := dial(b, name)
		buf := make([]byte, 1<<20)
		b.SetBytes(int64(size))
		head, body := event(1, uint32(size))
		left := b.N
		go func() {
			for left > 0 {
				l.Do(func() {
					for conn := range l.Server.Conns() {
						if conn.Counters().Queued > 1000 {
							time.Sleep(time.Microsecond)
							return
						}
						n := min(left, 50)
						left -= n
						for range n {
							conn.Event(head, body)
						}
					}
				})
			}
		}()
		b.ResetTimer()
		for range b.N {
			if _, err := c.Event(buf, -1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
