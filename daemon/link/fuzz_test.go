package link

import (
	"testing"
	"time"

	"cpgol/wire/knet"
)

// FuzzReceive gives a node a row of datagrams. The first byte of each says how
// long it is, from which address it comes and how much time passes before it.
// Whatever they hold: no panic, bounded memory, and each packet that leaves
// decodes and encodes to the same bytes. What the peer of a configured address
// can do in clear is what the holder of the key can do otherwise, so the
// packets are clear.
func FuzzReceive(f *testing.F) {
	d := knet.Data{Header: knet.Header{Node: 1}, Seq: 1, FragNum: 1, Payload: message(0, 20, 0)}
	ping := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 1}, Seq: 3, Timed: 1}
	probe := knet.PMTUD{Header: knet.Header{Type: knet.TypePMTUD, Node: 3}, Size: 1500}
	reply := knet.PMTUD{Header: knet.Header{Type: knet.TypePMTUDReply, Node: 3}, Size: 1500}
	big := message(0, knet.MaxMessage, 1)
	row := func(packets ...[]byte) (b []byte) {
		for _, p := range packets {
			b = append(b, byte(len(p)), 0)
			b = append(b, p...)
		}
		return b
	}
	frag := func(num, seq uint8) []byte {
		d := d
		d.FragNum, d.FragSeq = num, seq
		return d.Append(nil)
	}
	f.Add(row(d.Append(nil), ping.Append(nil), probe.Append(nil), reply.Append(nil)))
	f.Add(row(frag(3, 3), frag(3, 1), frag(3, 2), frag(3, 2)))
	ping.Timed = 0
	f.Add(row(ping.Append(nil), d.Append(nil), ping.Append(nil)))
	ping.Type, ping.Time = knet.TypePong, stamp(time.Second)
	f.Add(row(ping.Append(nil), d.Append(nil), probe.Append(nil), reply.Append(nil)))
	for m := knet.Zlib; m <= knet.Zstd; m++ {
		if packed, err := knet.Compress(m, 1, nil, d.Payload); err == nil {
			d := d
			d.Method, d.Payload = m, packed
			f.Add(row(d.Append(nil)))
		}
	}

	f.Fuzz(func(t *testing.T, b []byte) {
		l := New(simConfig(2, 3, 2))
		var out Output
		now := time.Second
		l.Tick(now, &out)
		l.byID[3].links[1].beat.pongs = 1 // data brings it up
		for n := 0; len(b) > 2 && n < 200; n++ {
			size, how := int(b[0]), b[1]
			if how&0x80 != 0 {
				size *= 16
			}
			b = b[2:]
			packet := b[:min(size, len(b))]
			b = b[len(packet):]
			link, from := LinkID(how&1), HostID(how>>1&2+1)
			if how&8 != 0 {
				now += time.Duration(how>>4) * 100 * time.Millisecond
				l.Tick(now, &out)
			}
			if how&16 != 0 {
				l.Send(now, 0, big[:20+n*300], &out)
			}
			l.Receive(now, link, simAddr(link, from, false), packet, &out)
			checkOutput(t, l, &out)
			if n%3 == 0 {
				out.Reset()
			}
		}
		checkBounds(t, l)
	})
}

func checkOutput(t *testing.T, l *Links, out *Output) {
	for i := range out.Effects {
		e := &out.Effects[i]
		switch e.Kind {
		case Deliver:
			if len(e.Bytes) < 13 || len(e.Bytes) > knet.MaxMessage {
				t.Fatalf("delivered %d bytes", len(e.Bytes))
			}
		case Send:
			for b := e.Bytes; len(b) > 0; b = b[min(e.Segment, len(b)):] {
				checkPacket(t, b[:min(e.Segment, len(b))])
			}
		case MTUChanged:
			if e.MTU < l.floor() || e.MTU > knet.MaxMessage {
				t.Fatalf("data MTU %d", e.MTU)
			}
		}
	}
}

func checkPacket(t *testing.T, b []byte) {
	h, err := knet.ParseHeader(b)
	if err != nil || h.Node != 2 {
		t.Fatalf("sent % x: %v", b[:min(len(b), 30)], err)
	}
	var n int
	var again []byte
	switch h.Type {
	case knet.TypeData:
		var d knet.Data
		n, err = d.Decode(b)
		again = d.Append(nil)
	case knet.TypePing, knet.TypePong:
		var p knet.Ping
		n, err = p.Decode(b)
		again = p.Append(nil)
	default:
		var p knet.PMTUD
		n, err = p.Decode(b)
		again = p.Append(nil)
	}
	if err != nil || n != len(b) || string(again) != string(b) {
		t.Fatalf("sent % x: %d bytes decoded, %v", b[:min(len(b), 30)], n, err)
	}
}

func checkBounds(t *testing.T, l *Links) {
	for _, h := range l.hosts {
		if len(h.defrag.parts) > maxPartial {
			t.Fatalf("%d messages in reassembly", len(h.defrag.parts))
		}
	}
	if len(l.pool.free) > maxFree || cap(l.unpacked) > 2*knet.MaxMessage+1024 {
		t.Fatalf("%d free buffers, %d bytes for decompression", len(l.pool.free), cap(l.unpacked))
	}
}
