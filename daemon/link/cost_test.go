package link

import (
	"testing"

	"cpgol/wire/knet"
)

// wired is a sender and a receiver with links up and the full Ethernet MTU.
func wired(tb testing.TB, cipher, hash string) (sender, receiver *Links) {
	crypto := func(c *Config) { c.Crypto = testCrypto(tb, cipher, hash) }
	cfg := simConfig(1, 3, 1)
	crypto(&cfg)
	sender, receiver = New(cfg), upNode(tb, 1, crypto)
	var out Output
	sender.eachLink(func(k *link) {
		sender.linkUp(0, k, &out)
		k.probe.down()
		k.probe.path = 1500
	})
	sender.adjustMTU(&out)
	return sender, receiver
}

var costCases = []struct {
	name         string
	cipher, hash string
	size         int
}{
	{"clear/64", "none", "none", 64},
	{"clear/64K", "none", "none", 65536},
	{"sha256/64", "none", "sha256", 64},
	{"aes256-sha256/64", "aes256", "sha256", 64},
	{"aes256-sha256/64K", "aes256", "sha256", 65536},
}

// TestNoAllocations checks the paths that every message takes, to two hosts and
// from one.
func TestNoAllocations(t *testing.T) {
	for _, tt := range costCases {
		sender, receiver := wired(t, tt.cipher, tt.hash)
		m := message(0, tt.size, 1)
		var sent, got Output
		delivered := 0
		from := simAddr(0, 1, false)
		step := func() {
			sent.Reset()
			sender.Send(testNow, 0, m, &sent)
			got.Reset()
			e := &sent.Effects[len(sent.Effects)-1]
			for b := e.Bytes; len(b) > 0; b = b[min(e.Segment, len(b)):] {
				receiver.Receive(testNow, 0, from, b[:min(e.Segment, len(b))], &got)
			}
			for i := range got.Effects {
				if got.Effects[i].Kind == Deliver && len(got.Effects[i].Bytes) == tt.size {
					delivered++
				}
			}
		}
		for range 10 {
			step()
		}
		delivered = 0
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("%s: %v allocations to send and receive", tt.name, n)
		}
		if delivered != 201 {
			t.Errorf("%s: %d messages delivered, want 201", tt.name, delivered)
		}
	}
}

func TestNoAllocationsForControl(t *testing.T) {
	_, l := wired(t, "aes256", "sha256")
	c := testCrypto(t, "aes256", "sha256")
	from := simAddr(0, 1, false)
	ping := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 1}, Seq: 5, Timed: 1}
	pong := knet.Ping{Header: knet.Header{Type: knet.TypePong, Node: 1}}
	var out Output
	now := l.nextCycle
	for _, b := range [][]byte{c.Seal(nil, ping.Append(nil), [16]byte{}), c.Seal(nil, pong.Append(nil), [16]byte{})} {
		if n := testing.AllocsPerRun(200, func() {
			l.Receive(now, 0, from, b, &out)
			l.Tick(now, &out)
			l.Deadline()
			now += cycleTime / 2
			out.Reset()
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for _, tt := range costCases {
		b.Run(tt.name, func(b *testing.B) {
			sender, _ := wired(b, tt.cipher, tt.hash)
			m := message(0, tt.size, 1)
			var out Output
			b.SetBytes(int64(tt.size))
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				sender.Send(testNow, 0, m, &out)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, tt := range costCases {
		b.Run(tt.name, func(b *testing.B) {
			sender, receiver := wired(b, tt.cipher, tt.hash)
			m := message(0, tt.size, 1)
			var sent, got Output
			const messages = 100
			var rows [messages][]byte
			segment := 0
			for i := range rows {
				sender.Send(testNow, 0, m, &sent)
				e := &sent.Effects[len(sent.Effects)-1]
				rows[i], segment = e.Bytes, e.Segment
			}
			from := simAddr(0, 1, false)
			b.SetBytes(int64(tt.size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%messages == 0 {
					receiver.forget(receiver.byID[1], 0)
				}
				got.Reset()
				for d := rows[i%messages]; len(d) > 0; d = d[min(segment, len(d)):] {
					receiver.Receive(testNow, 0, from, d[:min(segment, len(d))], &got)
				}
			}
		})
	}
}
