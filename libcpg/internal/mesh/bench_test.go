package mesh

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/wire/offload"
)

// BenchmarkBulk moves messages from one process to two others, or from each of
// three to both others, all on this host. MB/s are the messages' bytes, once for
// all receivers, of all senders.
//
//	sealed  as it is: sealed once for all receivers
//	tls     TLS to each receiver, its records written many at once
//	unix    all on one node
func BenchmarkBulk(b *testing.B) {
	for _, way := range []string{"sealed", "tls", "unix"} {
		for _, senders := range []int{1, 3} {
			for _, size := range []int{64, 1 << 10, 8 << 10, 64 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("%s/%dto2/%d", way, senders, size), func(b *testing.B) { bulk(b, way, senders, size) })
			}
		}
	}
}

// inFlight is how much a sender has under way, as libcpg.
const inFlight = 16 << 20

// A pump is a process that sends as fast as the others take it.
type pump struct {
	*Mesh
	id     offload.Member
	others []offload.Member

	mu    sync.Mutex
	cond  *sync.Cond
	up    int
	held  map[offload.Member]uint64
	taken map[offload.Member]uint64
}

func (p *pump) Arrived(from offload.Member, v offload.View, seq uint64, b *Buffer) {
	p.mu.Lock()
	p.taken[from] += uint64(b.Len())
	p.Hold(from, v, seq, p.taken[from]+2*inFlight)
	p.mu.Unlock()
	b.Release()
}

func (p *pump) Held(from offload.Member, _ offload.View, seq, _ uint64) {
	p.mu.Lock()
	p.held[from] = seq
	p.cond.Signal()
	p.mu.Unlock()
}

func (p *pump) Up(offload.Member, offload.View) {
	p.mu.Lock()
	p.up++
	p.cond.Signal()
	p.mu.Unlock()
}

func (p *pump) Down(offload.Member, offload.View) {} // at the end
func (p *pump) Progress(offload.Member)           {}

// send sends messages while there are any.
func (p *pump) send(left *atomic.Int64, size int) {
	window := uint64(max(1, min(inFlight/size, 1<<14)))
	seq := uint64(0)
	for left.Add(-1) >= 0 {
		m := Get(size)
		p.mu.Lock()
		for p.least()+window <= seq {
			p.cond.Wait()
		}
		seq++
		p.Transmit(view(1), seq, m, p.others)
		p.mu.Unlock()
		m.Release()
	}
	p.mu.Lock()
	for p.least() < seq {
		p.cond.Wait()
	}
	p.mu.Unlock()
}

func (p *pump) least() uint64 {
	least := ^uint64(0)
	for _, m := range p.others {
		least = min(least, p.held[m])
	}
	return least
}

func bulk(b *testing.B, way string, senders, size int) {
	w := newWorld(b)
	w.setup = func(m *Mesh) {
		anyPID(m)
		if way == "tls" {
			m.layer = tlsLayer
		}
	}
	var pumps []*pump
	for i := range 3 {
		node := uint32(1 + i)
		if way == "unix" {
			node = 1
		}
		p := &pump{id: member(node, uint32(100+i)), held: map[offload.Member]uint64{}, taken: map[offload.Member]uint64{}}
		p.cond = sync.NewCond(&p.mu)
		w.options = func(o *Options) { o.Handler = p }
		n := w.add(p.id)
		p.Mesh = n.Mesh
		pumps = append(pumps, p)
	}
	for _, p := range pumps {
		for _, q := range pumps {
			if p != q {
				p.others = append(p.others, q.id)
			}
		}
	}
	list := w.peers()
	for _, p := range pumps {
		p.mu.Lock()
		p.SetView(view(1), list)
		for _, o := range p.others {
			p.Hold(o, view(1), 0, 2*inFlight)
		}
		p.mu.Unlock()
	}
	for _, p := range pumps {
		p.mu.Lock()
		for p.up < 2 {
			p.cond.Wait()
		}
		p.mu.Unlock()
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for _, p := range pumps[:senders] {
		wg.Go(func() { p.send(&left, size) })
	}
	wg.Wait()
	b.StopTimer()
	used := cpuTime(b) - before
	b.ReportMetric(float64(size)*float64(b.N)/1e6/used.Seconds(), "MB/cpu-s")
}

// cpuTime is what this process has used of all cores: on a host with other work it
// tells more than time does.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tlsLayer stays with TLS, as one would without sealing once.
func tlsLayer(tc *tls.Conn, raw net.Conn, dialled bool) (*layer, error) {
	beneath := tc.NetConn().(*limited)
	beneath.left = 1 << 62
	many := bufio.NewWriterSize(raw, 256<<10)
	beneath.Conn = coalesced{raw, many}
	records := bufio.NewWriterSize(tc, 64<<10)
	return &layer{conn: tlsConn{tc, raw}, write: func(list *net.Buffers) error {
		for _, b := range *list {
			if _, err := records.Write(b); err != nil {
				return err
			}
		}
		if err := records.Flush(); err != nil {
			return err
		}
		return many.Flush()
	}}, nil
}

// coalesced writes are put together.
type coalesced struct {
	net.Conn
	w *bufio.Writer
}

func (c coalesced) Write(b []byte) (int, error) { return c.w.Write(b) }

// A tlsConn closes without a word, as Close must not wait.
type tlsConn struct {
	*tls.Conn
	raw net.Conn
}

func (c tlsConn) Close() error { return c.raw.Close() }

// BenchmarkOneByOne is the time from Transmit to the last of two Helds.
func BenchmarkOneByOne(b *testing.B) {
	for _, way := range []string{"sealed", "tls", "unix"} {
		b.Run(way, func(b *testing.B) { oneByOne(b, way) })
	}
}

func oneByOne(b *testing.B, way string) {
	w := newWorld(b)
	w.setup = func(m *Mesh) {
		anyPID(m)
		if way == "tls" {
			m.layer = tlsLayer
		}
	}
	for i := range uint32(3) {
		node := 1 + i
		if way == "unix" {
			node = 1
		}
		n := w.add(member(node, 100+i))
		n.credit = inFlight
		n.onData = func(offload.Member, uint64, *Buffer) {}
	}
	w.begin(view(1))
	a, c, d := w.nodes[0], w.nodes[1], w.nodes[2]
	a.awaitUp(c, d)
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		a.send(uint64(i+1), 64, c, d)
		a.mu.Lock()
		for a.receiver(c.id).seq <= uint64(i) || a.receiver(d.id).seq <= uint64(i) {
			a.cond.Wait()
		}
		a.mu.Unlock()
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(b.N), "µs/message")
}
