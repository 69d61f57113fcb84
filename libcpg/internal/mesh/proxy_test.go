package mesh

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A proxy stands between diallers and one process, and can cut and slow down what
// goes through it.
type proxy struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
	pace  time.Duration // for each 16 kB on the way there
	every int           // bytes on the way there after which it cuts
	came  int           // of them
	made  int
}

func newProxy(t testing.TB, n *node) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l, to: n.Endpoint().Addresses[0].String()}
	go p.run()
	t.Cleanup(func() { l.Close(); p.cut() })
	return p
}

func (p *proxy) address() netip.AddrPort { return p.Addr().(*net.TCPAddr).AddrPort() }

func (p *proxy) run() {
	for {
		a, err := p.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", p.to)
		if err != nil {
			a.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, a, b)
		p.made++
		p.mu.Unlock()
		go p.copy(b, a, true)
		go p.copy(a, b, false)
	}
}

func (p *proxy) copy(to, from net.Conn, slow bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			p.mu.Lock()
			pace := p.pace
			cut := false
			if slow && p.every > 0 {
				p.came += n
				cut = p.came > p.every
			}
			p.mu.Unlock()
			if cut {
				p.cut()
				return
			}
			if slow && pace > 0 {
				time.Sleep(pace * time.Duration(n) / time.Duration(len(b)))
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) slow(pace time.Duration) {
	p.mu.Lock()
	p.pace = pace
	p.mu.Unlock()
}

// cutAfter has it cut whenever so many bytes came.
func (p *proxy) cutAfter(n int) {
	p.mu.Lock()
	p.every = n
	p.mu.Unlock()
}

// cut breaks all connections, with what is under way in them.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	p.conns, p.came = nil, 0
}
