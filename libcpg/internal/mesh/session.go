package mesh

import (
	"net"
	"sync"

	"cpgol/wire/offload"
)

// A session is a connection to a member as long as it lasts: messages go there,
// and it tells what it holds.
//
// Three goroutines: read takes what the member tells and tells the handler, only the
// newest; run does when a view began, write seals and writes what is queued.
type session struct {
	mesh   *Mesh
	peer   *peer
	layer  *layer
	notify chan struct{} // something is to be told
	work   chan struct{} // something is to be written
	dead   chan struct{} // closed when the connection broke
	once   sync.Once

	telling sync.Mutex // whoever has it tells the handler: in order

	// The mesh's lock's.
	hold, told hold         // the member's newest, and what the handler was told
	up         offload.View // in which the handler was told Up
	progress   bool

	mu     sync.Mutex
	accept offload.View // messages of which are queued; zero: none
	queue  deque

	writer writer // write's own
}

// session uses a connection until it breaks. It reports whether that came to be
// up.
func (p *peer) session(conn net.Conn, l *layer, id *identity) (used bool) {
	defer conn.Close()
	m := p.mesh
	s := &session{
		mesh: m, peer: p, layer: l,
		notify: make(chan struct{}, 1), work: make(chan struct{}, 1), dead: make(chan struct{}),
	}
	m.mu.Lock()
	if p.ctx.Err() != nil || m.identity == nil || !m.identity.sameRoot(id) {
		m.mu.Unlock()
		return false
	}
	p.out = s
	m.mu.Unlock()

	var wg sync.WaitGroup
	wg.Go(s.read)
	wg.Go(s.write)
	s.run()
	conn.Close()
	wg.Wait()

	m.mu.Lock()
	p.out = nil
	v, last := s.up, m.view == s.up && p.ctx.Err() == nil
	m.mu.Unlock()
	s.setView(offload.View{})
	if last && v != (offload.View{}) {
		m.opt.Handler.Down(p.Member, v)
	}
	return v != (offload.View{})
}

// run tells the handler until the connection breaks.
func (s *session) run() {
	for {
		select {
		case <-s.dead:
			return
		case <-s.peer.ctx.Done():
			return
		case <-s.notify:
			s.tell()
		}
	}
}

// tell tells the handler what is new. Messages are taken before Up is told, as
// they are transmitted from there. None can be from before: the last session's Down
// has returned.
func (s *session) tell() {
	s.telling.Lock()
	defer s.telling.Unlock()
	m, p := s.mesh, s.peer
	m.mu.Lock()
	v, h := m.view, s.hold
	on := v != (offload.View{}) && h.view == v && p.ctx.Err() == nil
	held := on && h != s.told
	up := on && s.up != v
	progress := on && s.progress
	s.progress = false
	if on {
		s.told, s.up = h, v
	}
	if up {
		s.mu.Lock()
		s.accept = v
		s.mu.Unlock()
	}
	m.mu.Unlock()
	if held {
		m.opt.Handler.Held(p.Member, v, h.seq, h.credit)
	}
	if up {
		m.opt.Handler.Up(p.Member, v)
	}
	if progress {
		m.opt.Handler.Progress(p.Member)
	}
}

// fail ends the session.
func (s *session) fail() {
	s.once.Do(func() { close(s.dead) })
	s.layer.conn.Close()
}

// read takes what the member tells.
func (s *session) read() {
	defer s.fail()
	news := false
	r := newReader(s.layer, narrowBuffer, func() error {
		if news {
			news = false
			s.tell()
		}
		return nil
	})
	var rec record
	for {
		if r.next(&rec) != nil {
			return
		}
		switch rec.kind {
		case kindHold:
			s.mesh.mu.Lock()
			s.hold = hold{rec.view, rec.seq, rec.credit}
			s.mesh.mu.Unlock()
		case kindProgress:
			s.mesh.mu.Lock()
			s.progress = true
			s.mesh.mu.Unlock()
		default:
			s.mesh.counts.cut.Add(1)
			return
		}
		news = true
	}
}

// setView lets go of messages of other views. The mesh's lock may be held.
func (s *session) setView(v offload.View) {
	s.mu.Lock()
	if s.accept != v {
		s.accept = offload.View{} // until Up is told
		for s.queue.len() > 0 {
			s.queue.pop().drop(0)
		}
	}
	s.mu.Unlock()
	poke(s.notify)
}

// push queues a message, unless it is in vain.
func (s *session) push(v offload.View, msg *message) bool {
	s.mu.Lock()
	ok := s.accept == v && v != (offload.View{})
	if ok {
		s.queue.push(msg)
	}
	s.mu.Unlock()
	if ok {
		poke(s.work)
	}
	return ok
}

// pop takes the oldest queued message, nil if there is none.
func (s *session) pop() (msg *message) {
	s.mu.Lock()
	if s.queue.len() > 0 {
		msg = s.queue.pop()
	}
	s.mu.Unlock()
	return msg
}

// live reports whether messages of a view are still to be written.
func (s *session) live(v offload.View) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accept == v
}
