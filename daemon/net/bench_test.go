package net

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// BenchmarkSocket sends and receives on one thread, over the wire between two
// namespaces: runs that the kernel cuts, single datagrams in batches, and one
// call per datagram as a plain sender does.
func BenchmarkSocket(b *testing.B) {
	const count = 60
	for _, size := range []int{64, 1460} {
		for _, how := range []string{"runs", "batches", "calls"} {
			b.Run(fmt.Sprintf("%s of %d", how, size), func(b *testing.B) {
				left, right := newLink(b)
				p := newPoller(b)
				got := 0
				to := addrPort("10.9.0.2:5405")
				right.open(b, p, SocketConfig{Bind: to, Buffer: knetBuffer, Datagram: func(netip.AddrPort, []byte) { got++ }})
				tx := left.open(b, p, SocketConfig{Bind: addrPort("10.9.0.1:5405"), Buffer: knetBuffer})
				run := make([]byte, count*size)
				for tx.Send(to, run[:size], 0, 0); got == 0; { // the neighbour's address
					tx.Flush()
					wait(b, p, 10*time.Millisecond)
				}
				got = 0
				b.SetBytes(int64(len(run)))
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if how == "runs" {
						tx.Send(to, run, size, 0)
					} else {
						for i := range count {
							tx.Send(to, run[i*size:(i+1)*size], 0, 0)
							if how == "calls" {
								tx.Flush()
							}
						}
					}
					tx.Flush()
					for want := got + count; got < want; {
						wait(b, p, time.Second)
					}
				}
				b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "datagrams/s")
			})
		}
	}
}

// BenchmarkTransport multicasts from one node to two others, all on one thread.
func BenchmarkTransport(b *testing.B) {
	for _, kind := range kinds {
		for _, size := range []int{1400, 60000} {
			if _, isKnet := knetKinds[kind.name]; size > 1400 && !isKnet {
				continue // Totem sends no packets above the MTU there
			}
			b.Run(fmt.Sprintf("%s/%d", kind.name, size), func(b *testing.B) {
				r := newRig(b, 3)
				for i := range r.nodes {
					r.start(i, func() (Transport, error) { return kind.open(r, i) })
				}
				r.connected()
				got := 0
				for _, n := range r.nodes {
					count := func([]byte) { got++ }
					switch n := n.(type) {
					case *Knet:
						n.cfg.Receive = count
					case *UDPU:
						n.cfg.Receive = count
					case *UDP:
						n.cfg.Receive = count
					}
				}
				const burst = 40
				message := packet("m", size)
				b.SetBytes(int64(burst * size))
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					now := clock()
					for range burst {
						r.nodes[0].Multicast(now, message)
					}
					r.nodes[0].Flush(now)
					for want := got + 2*burst; got < want; {
						wait(b, r.p, time.Second)
					}
				}
				b.ReportMetric(float64(got)/2/b.Elapsed().Seconds(), "packets/s")
			})
		}
	}
}

var knetKinds = map[string]bool{"knet": true, "knet aes256 sha256": true, "knet IPv6": true}
