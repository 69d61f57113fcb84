// Package sync brings the services of all members to one state after each
// change of the ring, before they serve clients again.
//
//	regular configuration
//	  |  every member: SERVICE_BUILD with its services; SyncInit of its own
//	  v
//	all members' SERVICE_BUILD here: the union of services, ascending
//	  |  for each service in turn
//	  |    token sent: SyncProcess until it is done, then BARRIER
//	  |    all members' BARRIER here: SyncActivate
//	  v
//	done
//
// The messages are ordered by the ring, so every member activates a service at
// the same place between the messages. A barrier names no service: it counts.
// A member goes through the barriers of services that it does not have, too.
//
// Another configuration ends the round early; there is no timeout. Messages of
// a dead round can arrive in a later one and are told by their ring id.
//
// Reference: services.md section 2; exec/sync.c, exec/main.c (confchg_fn). As
// the development head does and 3.1 does not, a service is told of the abort
// also while its barrier is awaited. Stricter than the reference: a list or a
// barrier out of its phase is ignored, and sends that find the queue full are
// tried again at the next token.
package sync

import (
	"cmp"
	"slices"

	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// maxServices is how many different services the members may have; beyond it a
// C peer's list overflows (SERVICES_COUNT_MAX).
const maxServices = 64

// A Starter is a service that wants to know when a peer enters the present
// round: by the order of one sender's messages, whatever that peer told the
// service before is of an earlier round.
type Starter interface {
	SyncStarted(peer totem.NodeID)
}

type phase uint8

const (
	idle     phase = iota // before the first round, after one, after an abort
	building              // waiting for all members' SERVICE_BUILD
	working               // the present service has something to send
	waiting               // waiting for all members' BARRIER
)

func (p phase) String() string {
	return [...]string{"idle", "building", "working", "waiting"}[p]
}

// A Sync runs the rounds of one node. It is driven by the loop: the ring's
// configurations, the messages of group "sync" in order, and each token sent.
type Sync struct {
	self  totem.NodeID
	local []service.Syncer // ascending by id
	send  func(head, body []byte) error
	done  func()

	phase      phase
	inProgress bool
	ring       totem.RingID
	members    []totem.NodeID
	trans      []totem.NodeID
	arrived    map[totem.NodeID]bool // members heard in this phase
	services   []int32               // of all members so far, ascending
	current    int                   // index into services
	announced  bool                  // SERVICE_BUILD is sent
	processed  bool                  // the present service has sent its part

	stats Stats
	buf   []byte
}

// Stats counts what the engine saw.
type Stats struct {
	Rounds    uint64 // begun
	Completed uint64
	Aborted   uint64
	Stale     uint64 // messages of another ring
	Untimely  uint64 // messages of this ring that no good member sends now
	Malformed uint64
}

// New makes an engine for these services. send queues a message in group
// "sync" as head followed by body and reports service.ErrQueueFull. done is
// called at the end of every complete round, from Deliver; by then InProgress
// is false.
func New(self totem.NodeID, services []service.Syncer, send func(head, body []byte) error, done func()) *Sync {
	local := slices.Clone(services)
	slices.SortFunc(local, func(a, b service.Syncer) int { return cmp.Compare(a.ID(), b.ID()) })
	return &Sync{
		self:       self,
		local:      local,
		send:       send,
		done:       done,
		inProgress: true,
		arrived:    make(map[totem.NodeID]bool),
	}
}

// InProgress reports whether services are not yet synchronised: from the start
// on, and from each transitional configuration until the round is complete.
func (s *Sync) InProgress() bool { return s.inProgress }

// Stats returns the counters.
func (s *Sync) Stats() Stats { return s.stats }

// A Kind is a configuration's: first the transitional one, then the regular.
type Kind uint8

// The kinds.
const (
	Transitional Kind = iota // members that come along from this node's previous ring; none for its first
	Regular                  // the new ring's members
)

// Configure takes a configuration of the ring. A round that was not complete
// is over; a regular configuration begins the next, in which the members of
// the last transitional one before it, if they are still there, count as come
// along. The list is copied.
func (s *Sync) Configure(kind Kind, members []totem.NodeID, ring totem.RingID) {
	s.abort()
	s.inProgress = true
	if kind == Transitional {
		s.trans = append(s.trans[:0], members...)
		return
	}
	s.start(members, ring)
}

// start begins a round: this node's list goes out and its services prepare,
// before anything of the round can have come from a peer
// (sync_servicelist_build_enter).
func (s *Sync) start(members []totem.NodeID, ring totem.RingID) {
	s.stats.Rounds++
	s.phase, s.ring = building, ring
	s.members = append(s.members[:0], members...)
	s.trans = slices.DeleteFunc(s.trans, func(n totem.NodeID) bool { return !slices.Contains(s.members, n) })
	clear(s.arrived)
	s.services, s.current = s.services[:0], 0
	for _, x := range s.local {
		s.services = append(s.services, int32(x.ID()))
	}
	s.processed = false
	s.announce()
	for _, x := range s.local {
		x.SyncInit(s.trans, s.members, ring)
	}
}

// announce sends the list of this node's own services. It is tried again at
// the next tokens if the queue is full.
func (s *Sync) announce() {
	m := exec.ServiceBuild{Ring: s.ring}
	for _, x := range s.local {
		m.List[m.Count] = int32(x.ID())
		m.Count++
	}
	s.buf = m.Append(s.buf[:0])
	s.announced = s.send(s.buf, nil) == nil
}

// abort ends the round in progress, if there is one. The service that was in
// turn is told; those before it are through, those after it have not begun.
// The reference's sync_abort, as of its development head.
func (s *Sync) abort() {
	if s.phase == idle {
		return
	}
	if s.phase == working || s.phase == waiting {
		if x := s.localService(); x != nil {
			x.SyncAbort()
		}
	}
	s.stats.Aborted++
	s.phase, s.ring = idle, totem.RingID{}
}

// localService returns the service in turn, nil if only others have it.
func (s *Sync) localService() service.Syncer {
	for _, x := range s.local {
		if int32(x.ID()) == s.services[s.current] {
			return x
		}
	}
	return nil
}

// TokenSent is this node's turn to send: the service in turn gets to process.
func (s *Sync) TokenSent() {
	switch s.phase {
	case building:
		if !s.announced {
			s.announce()
		}
	case working:
		if !s.processed {
			x := s.localService()
			s.processed = x == nil || x.SyncProcess()
		}
		if s.processed {
			m := exec.Barrier{Ring: s.ring}
			s.buf = m.Append(s.buf[:0])
			if s.send(s.buf, nil) == nil {
				s.phase = waiting
			}
		}
	}
}

// Deliver takes a message of group "sync" in the ring's order.
func (s *Sync) Deliver(from totem.NodeID, msg []byte) {
	var head exec.Header
	if _, err := head.Decode(msg); err != nil {
		s.stats.Malformed++
		return
	}
	switch head.ID {
	case exec.SyncServiceBuildID:
		var m exec.ServiceBuild
		if _, err := m.Decode(msg); err != nil {
			s.stats.Malformed++
		} else if s.timely(m.Ring, s.phase == building) {
			s.serviceBuild(from, m.Services())
		}
	case exec.SyncBarrierID:
		var m exec.Barrier
		if _, err := m.Decode(msg); err != nil {
			s.stats.Malformed++
		} else if s.timely(m.Ring, s.phase == working || s.phase == waiting) {
			s.barrier(from)
		}
	default:
		s.stats.Malformed++
	}
}

// timely reports whether a message of ring belongs to the present round, and
// to its present phase.
func (s *Sync) timely(ring totem.RingID, phase bool) bool {
	if s.phase == idle || ring != s.ring {
		s.stats.Stale++
		return false
	}
	if !phase {
		s.stats.Untimely++
	}
	return phase
}

// serviceBuild takes a peer's list, or this node's own come back
// (sync_service_build_handler).
func (s *Sync) serviceBuild(from totem.NodeID, services []int32) {
	for _, id := range services {
		at, found := slices.BinarySearch(s.services, id)
		if !found && len(s.services) < maxServices {
			s.services = slices.Insert(s.services, at, id)
		}
	}
	for _, x := range s.local {
		if x, ok := x.(Starter); ok {
			x.SyncStarted(from)
		}
	}
	if s.arrive(from) {
		s.nextService()
	}
}

// barrier takes a peer's barrier, or this node's own come back
// (sync_barrier_handler). One from a faster peer counts while this node is
// still at work.
func (s *Sync) barrier(from totem.NodeID) {
	if from == s.self && s.phase == working {
		s.stats.Untimely++ // not sent yet: someone uses this node's name
		return
	}
	if !s.arrive(from) {
		return
	}
	if x := s.localService(); x != nil {
		x.SyncActivate()
	}
	s.current++
	s.nextService()
}

// arrive marks a member as heard in this phase and reports whether all are.
func (s *Sync) arrive(from totem.NodeID) bool {
	if !slices.Contains(s.members, from) {
		s.stats.Untimely++
		return false
	}
	s.arrived[from] = true
	return len(s.arrived) == len(s.members)
}

// nextService begins the service in turn, or completes the round after the
// last (sync_process_enter).
func (s *Sync) nextService() {
	clear(s.arrived)
	s.processed = false
	if s.current < len(s.services) {
		s.phase = working
		return
	}
	s.phase = idle
	s.inProgress = false
	s.stats.Completed++
	s.done()
}
