package offload

import (
	"cmp"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A Host is the node as this service sees it.
type Host interface {
	Self() totem.NodeID
	After(d time.Duration, f func()) (cancel func())
	// MulticastOffload queues a message of the process group offload.Group. The
	// bytes are copied. It returns service.ErrQueueFull and nothing else.
	MulticastOffload(msg []byte) error
	// SyncInProgress reports whether a synchronisation runs: what is queued
	// meanwhile overtakes what was queued before.
	SyncInProgress() bool
	// RingMembers are the nodes of the present ring.
	RingMembers() []totem.NodeID
	// RestEarly lets a ring's token rest as soon as nothing is left to do, if it is
	// the present one.
	RestEarly(ring totem.RingID)
	// Addresses are those of the ring that local processes may listen on. Call
	// Renew when they have changed.
	Addresses() []netip.Addr
	// Certificate issues a certificate for a process's public key, and returns
	// with it the one whose key signed it; nil if the ring has no key.
	Certificate(key []byte, group exec.GroupName, pid uint32) (cert, root []byte, err error)
}

// Groups is what this service needs to know of the process groups.
type Groups interface {
	// Joined is what a connection is in a group with, once its join is delivered.
	Joined(c service.Conn) (group exec.GroupName, pid uint32, ok bool)
	// Members are the processes of a group; the slice is the callee's.
	Members(group exec.GroupName) []offload.Member
	// Groups are all groups that have members.
	Groups() []exec.GroupName
	// AppendHearers appends the local connections that a group's events go to.
	AppendHearers(list []service.Conn, group exec.GroupName) []service.Conn
}

// A Service is one node's part.
type Service struct {
	Log *slog.Logger // subsystem CPG; set before use

	host    Host
	cpg     Groups
	allowed bool

	ring     totem.RingID
	presence presence
	epoch    uint64 // counts, since the ring formed, what ends views
	groups   map[exec.GroupName]*group
	clients  map[service.Conn]*client

	batch  []byte // an Order that is being filled
	count  int    // its entries
	unsent []unsent
	retry  bool

	stats Stats

	order   offload.Order      // scratch
	submit  abi.OffloadSubmit  // scratch
	ordered abi.OffloadOrdered // scratch
	view    abi.OffloadView    // scratch
	buf     []byte             // scratch
	hearers []service.Conn     // scratch
}

// Stats counts what happened, by kind.
type Stats struct {
	Malformed uint64 // messages of peers that do not decode
	Unknown   uint64 // messages of later versions
	Ordered   uint64 // messages that got their place
	Void      uint64 // orders that did not
	Refused   uint64 // requests of clients that could not be
}

// A group is there while a process in it has announced itself in this ring.
type group struct {
	name   exec.GroupName
	on     bool
	view   offload.View
	all    map[offload.Member]*offload.Endpoint
	next   map[offload.Member]uint64 // the next number of each sender in the view
	reason abi.ViewReason            // why it is off
	cause  offload.Member
}

// An unsent message found the queue full.
type unsent struct {
	msg   []byte
	order bool
}

// A client is a connection that said hello.
type client struct {
	endpoint *offload.Endpoint // as announced; nil: not
}

// New makes the service. Without allowed, every hello is refused.
func New(host Host, cpg Groups, allowed bool) *Service {
	return &Service{
		Log: slog.New(slog.DiscardHandler), host: host, cpg: cpg, allowed: allowed,
		groups: make(map[exec.GroupName]*group), clients: make(map[service.Conn]*client),
	}
}

// Stats returns the counters.
func (s *Service) Stats() Stats { return s.stats }

// Requests is the table of what libraries ask beyond the reference's requests,
// by number.
func (s *Service) Requests() map[int32]service.Request {
	return map[int32]service.Request{
		abi.OffloadHelloID:    {Name: "offload hello", Size: abi.OffloadHelloLen, Handle: s.hello},
		abi.OffloadCertID:     {Name: "offload certificate", Size: abi.OffloadCertLen, Handle: s.certificate},
		abi.OffloadAnnounceID: {Name: "offload announce", Size: abi.OffloadAnnounceLen, Throttled: true, Handle: s.announce},
		abi.OffloadSubmitID:   {Name: "offload submit", Size: abi.OffloadSubmitLen, Async: true, Handle: s.submitted},
		abi.OffloadStatusID:   {Name: "offload status", Size: abi.RequestLen, Handle: s.tellStatus},
		abi.OffloadSuspendID:  {Name: "offload suspend", Size: abi.OffloadSuspendLen, Throttled: true, Handle: s.suspend},
	}
}

// Closed takes the end of a connection.
func (s *Service) Closed(c service.Conn) { delete(s.clients, c) }

// connections are those of s.clients in the order they came.
func (s *Service) connections() []service.Conn {
	return slices.SortedFunc(maps.Keys(s.clients), func(a, b service.Conn) int { return cmp.Compare(a.Serial(), b.Serial()) })
}

func (s *Service) status(c service.Conn, id int32, st abi.Status) {
	if st != abi.OK {
		s.stats.Refused++
	}
	s.buf = abi.AppendStatus(s.buf[:0], id, st)
	c.Respond(s.buf)
}

// hello is a library's first request, and later asks where it may listen now.
func (s *Service) hello(c service.Conn, msg []byte) {
	var m abi.OffloadHello
	answer := abi.OffloadHelloAnswer{Status: abi.NotSupported, Version: abi.OffloadVersion, Node: s.host.Self()}
	if _, err := m.Decode(msg); err != nil {
		answer.Status = abi.InvalidParam
	} else if _, _, joined := s.cpg.Joined(c); s.allowed && (s.clients[c] != nil || !joined) {
		answer.Status, answer.Addresses = abi.OK, s.host.Addresses()
		if s.clients[c] == nil {
			s.clients[c] = &client{}
		}
	}
	s.buf = answer.Append(s.buf[:0])
	c.Respond(s.buf)
}

// certificate issues one for the process as which the connection has joined.
func (s *Service) certificate(c service.Conn, msg []byte) {
	var m abi.OffloadCert
	answer := abi.OffloadCertAnswer{Status: abi.NotExist}
	name, pid, ok := s.cpg.Joined(c)
	if _, err := m.Decode(msg); err != nil {
		answer.Status = abi.InvalidParam
	} else if ok && s.clients[c] != nil {
		answer.Status = abi.OK
		if answer.Certificate, answer.Root, err = s.host.Certificate(m.Key[:], name, pid); err != nil {
			s.Log.Warn("can't issue a certificate: " + err.Error())
			answer.Status = abi.FailedOperation
		}
	}
	if answer.Status != abi.OK {
		s.stats.Refused++
	}
	s.buf = answer.Append(s.buf[:0])
	c.Respond(s.buf)
}

// announce offers a connection's endpoint to its group.
func (s *Service) announce(c service.Conn, msg []byte) {
	m := abi.OffloadAnnounce{}
	st := abi.NotExist
	if _, err := m.Decode(msg); err != nil {
		st = abi.InvalidParam
	} else if name, pid, ok := s.cpg.Joined(c); ok && s.clients[c] != nil {
		st = abi.OK
		s.clients[c].endpoint = &m.Endpoint
		s.sendAnnounce(name, pid, &m.Endpoint)
	}
	s.status(c, abi.OffloadAnnounceRes, st)
}

func (s *Service) sendAnnounce(name exec.GroupName, pid uint32, e *offload.Endpoint) {
	m := offload.Announce{Group: name, PID: pid, Endpoint: *e}
	s.send(unsent{msg: m.Append(nil)})
}

// suspend asks for the end of a view.
func (s *Service) suspend(c service.Conn, msg []byte) {
	var m abi.OffloadSuspend
	st := abi.NotExist
	if _, err := m.Decode(msg); err != nil {
		st = abi.InvalidParam
	} else if name, _, ok := s.cpg.Joined(c); ok && s.clients[c] != nil {
		st = abi.OK
		if g := s.groups[name]; g != nil && g.on && g.view == m.View && g.all[m.Member] != nil {
			out := offload.Suspend{Group: name, View: m.View, Member: m.Member}
			s.send(unsent{msg: out.Append(nil)})
		}
	}
	s.status(c, abi.OffloadSuspendRes, st)
}

// submitted takes messages that their sender wants places for. They go to the
// ring at the end of the turn, with those of others. None may be lost while their
// view lasts, as all behind it would be void; so this is never put off, and what
// the queue does not take waits here. How much that is, flow control bounds:
// requests are not read while the queue is nearly full.
func (s *Service) submitted(c service.Conn, msg []byte) {
	m := &s.submit
	name, pid, ok := s.cpg.Joined(c)
	if _, err := m.Decode(msg); err != nil || !ok || s.clients[c] == nil {
		s.stats.Refused++
		return
	}
	if g := s.groups[name]; g == nil || !g.on || g.view != m.View {
		return // void already
	}
	e := offload.Entry{Group: name, PID: pid, Count: m.Count, Epoch: m.View.Epoch, First: m.First}
	if s.count == 0 {
		s.batch = offload.Begin(s.batch[:0], s.ring)
	}
	s.batch = e.Append(s.batch)
	s.count++
	if len(s.batch) > maxBatch {
		s.Flush()
	}
}

// maxBatch is where an Order goes without waiting for the turn's end: about as
// much as one visit of the token takes along.
const maxBatch = 64 << 10

// Flush sends what was submitted. Call it at the end of every turn.
func (s *Service) Flush() {
	if s.count == 0 {
		return
	}
	offload.End(s.batch, s.count)
	s.count = 0
	switch {
	case s.host.SyncInProgress(): // see resend
	case len(s.unsent) > 0 || s.host.MulticastOffload(s.batch) != nil:
		s.send(unsent{append([]byte(nil), s.batch...), true})
	}
}

// retryAfter is how long a message waits that found the queue full.
const retryAfter = 2 * time.Millisecond

// send multicasts a message, now or as soon as the queue takes it. What waits is
// bounded by what clients may have asked for.
func (s *Service) send(m unsent) {
	s.unsent = append(s.unsent, m)
	s.resend()
}

// resend sends what waits, but nothing while a synchronisation runs. It would travel
// with the synchronisation's messages and perhaps come behind them, in the
// middle of a message that this node had begun to send before, which would be
// lost to all. An order is given up then: the view is over when that is through.
func (s *Service) resend() {
	syncing := s.host.SyncInProgress()
	for len(s.unsent) > 0 {
		m := &s.unsent[0]
		given := syncing && m.order
		if !given && (syncing || s.host.MulticastOffload(m.msg) != nil) {
			if !s.retry {
				s.retry = true
				s.host.After(retryAfter, func() {
					s.retry = false
					s.resend()
				})
			}
			return
		}
		*m = unsent{}
		s.unsent = s.unsent[1:]
	}
	s.unsent = nil
}
