package link

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"cpgol/wire/knet"
)

// cut makes the fragments of message as a sender with data MTU d would.
func cut(seq uint16, d int, message []byte) []knet.Data {
	num := (len(message) + d - 1) / d
	var fs []knet.Data
	for i := range num {
		part := message[i*d : min((i+1)*d, len(message))]
		fs = append(fs, knet.Data{Seq: seq, FragNum: uint8(num), FragSeq: uint8(i + 1), Payload: part})
	}
	return fs
}

// pattern gives n bytes that differ from place to place.
func pattern(n, salt int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + salt)
	}
	return b
}

// assemble feeds fs to a fresh message of d and returns it once complete.
func assemble(t *testing.T, d *defrag, fs []knet.Data) []byte {
	t.Helper()
	for i := range fs {
		p := d.find(fs[i].Seq)
		if p == nil {
			p, _ = d.begin(0, &fs[i])
		}
		complete, why, ok := p.add(0, &fs[i])
		if !ok {
			t.Fatalf("fragment %d of %d refused: %v", fs[i].FragSeq, fs[i].FragNum, why)
		}
		if complete != (i == len(fs)-1) {
			t.Fatalf("complete %v after %d of %d", complete, i+1, len(fs))
		}
		if complete {
			b, n := d.take(p)
			return b[:n]
		}
	}
	return nil
}

func TestDefragAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := &defrag{pool: new(pool)}
	for _, tt := range []struct{ size, mtu int }{
		{65536, 1446}, {65536, 389}, {65536, 65535}, {65536, 65481}, {2, 1}, {1447, 1446}, {2892, 1446}, {254, 1},
	} {
		for range 20 {
			message := pattern(tt.size, r.Int())
			fs := cut(7, tt.mtu, message)
			r.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
			if got := assemble(t, d, fs); !bytes.Equal(got, message) {
				t.Fatalf("%d bytes by %d: message differs", tt.size, tt.mtu)
			}
		}
		fs := cut(7, tt.mtu, pattern(tt.size, 3))
		for i, j := 0, len(fs)-1; i < j; i, j = i+1, j-1 {
			fs[i], fs[j] = fs[j], fs[i]
		}
		if got := assemble(t, d, fs); !bytes.Equal(got, pattern(tt.size, 3)) {
			t.Fatalf("%d bytes by %d backwards: message differs", tt.size, tt.mtu)
		}
	}
	if len(d.parts) != 0 {
		t.Errorf("%d messages left over", len(d.parts))
	}
}

func TestDefragRefuses(t *testing.T) {
	frag := func(num, seq uint8, n int) knet.Data {
		return knet.Data{Seq: 9, FragNum: num, FragSeq: seq, Payload: pattern(n, 0)}
	}
	compressed := frag(3, 2, 100)
	compressed.Method = knet.LZ4
	for _, tt := range []struct {
		name  string
		first knet.Data
		then  knet.Data
		want  Cause
	}{
		{"the same again", frag(3, 1, 100), frag(3, 1, 100), Duplicate},
		{"another count", frag(3, 1, 100), frag(4, 2, 100), ContraryFragment},
		{"another size", frag(3, 1, 100), frag(3, 2, 101), ContraryFragment},
		{"another method", frag(3, 1, 100), compressed, ContraryFragment},
		{"last longer than the others", frag(3, 1, 100), frag(3, 3, 101), ContraryFragment},
		{"others shorter than the last", frag(3, 3, 101), frag(3, 1, 100), ContraryFragment},
		{"sum too long by the last", frag(254, 1, 259), frag(254, 254, 10), ContraryFragment},
		{"sum too long, last first", frag(3, 3, 40000), frag(3, 1, 40000), ContraryFragment},
		{"sum too long, last parked", frag(254, 254, 10), frag(254, 1, 259), ContraryFragment},
	} {
		d := &defrag{pool: new(pool)}
		p, _ := d.begin(0, &tt.first)
		_, _, ok := p.add(0, &tt.first)
		sumTooLong := !ok // the first alone may be enough to see it
		_, why, ok := p.add(0, &tt.then)
		if ok && !sumTooLong || !ok && why != tt.want {
			t.Errorf("%s: taken %v, cause %v, want %v", tt.name, ok, why, tt.want)
		}
	}
}

func TestDefragPlacesAndReclaim(t *testing.T) {
	d := &defrag{pool: new(pool)}
	for i := range 40 {
		f := knet.Data{Seq: uint16(i + 1), FragNum: 2, FragSeq: 1, Payload: []byte{1}}
		_, evicted := d.begin(time.Duration(i), &f)
		if evicted != (i >= maxPartial) {
			t.Fatalf("message %d: evicted %v", i, evicted)
		}
	}
	if len(d.parts) != maxPartial || d.find(8) != nil || d.find(9) == nil {
		t.Fatalf("%d in reassembly, the oldest must have gone", len(d.parts))
	}
	if n := d.reclaim(42); n != 1 || d.find(9) != nil || d.find(10) == nil {
		t.Errorf("reclaim at 42 dropped %d, want number 9 only", n)
	}
	if n := d.reclaim(9); n != 31 {
		t.Errorf("reclaim at 9 dropped %d, want all that are ahead", n)
	}
	if len(d.pool.free) != maxPartial {
		t.Errorf("%d buffers in the pool, want %d", len(d.pool.free), maxPartial)
	}
	for _, seq := range []uint16{65530, 65535, 1, 5} {
		f := knet.Data{Seq: seq, FragNum: 2, FragSeq: 1}
		d.begin(0, &f)
	}
	if n := d.reclaim(5); n != 0 {
		t.Errorf("reclaim across the wrap dropped %d, want none", n)
	}
	if n := d.reset(); n != 4 || len(d.parts) != 0 {
		t.Errorf("reset dropped %d, want 4", n)
	}
}
