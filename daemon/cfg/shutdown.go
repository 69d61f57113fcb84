package cfg

import (
	"fmt"
	"slices"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

const (
	defaultShutdownTimeout = 5 * time.Second
	shutdownRetry          = 100 * time.Millisecond
)

// A tracker is a client that wants to be asked before this daemon stops.
type tracker struct {
	conn  service.Conn
	asked bool // in this negotiation
	vote  vote
}

type vote int

const (
	undecided vote = iota
	yes
	no
)

// A negotiation is the question whether this daemon may stop.
type negotiation struct {
	caller   service.Conn // nil: there is none
	flags    uint32
	stop     func()
	stopping bool // nobody had to be asked: the daemon is about to stop
}

// tryShutdown stops this daemon, after all other trackers were asked unless it
// has to be at once. The answer waits for theirs
// (message_handler_req_lib_cfg_tryshutdown).
func (s *Service) tryShutdown(c service.Conn, msg []byte) error {
	r := abi.CfgWordRequest{ID: abi.CfgTryShutdownID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	switch {
	case r.Word == abi.CfgShutdownImmediate:
		s.sendShutdown()
		s.status(c, abi.CfgTryShutdownRes, abi.OK)
		return nil
	case s.asked.caller != nil || s.asked.stopping:
		s.status(c, abi.CfgTryShutdownRes, abi.Exist)
		return nil
	}
	s.tried[c] = true
	s.asked = negotiation{caller: c, flags: r.Word}
	others := 0
	for _, t := range s.trackers {
		t.asked, t.vote = t.conn != c, undecided
		if t.asked {
			others++
		}
	}
	if others == 0 {
		s.asked = negotiation{stopping: true}
		s.status(c, abi.CfgTryShutdownRes, abi.OK)
		s.sendShutdown()
		return nil
	}
	limit := defaultShutdownTimeout
	if ms, ok := s.m.U32("cfg.shutdown_timeout"); ok {
		limit = time.Duration(ms) * time.Millisecond
	}
	s.asked.stop = s.host.After(limit, s.outOfTime)
	for _, t := range s.trackers {
		if t.asked {
			s.ask(t.conn, abi.OK)
		}
	}
	return nil
}

func (s *Service) ask(c service.Conn, st abi.Status) {
	c.Event(abi.AppendCfgTestShutdown(nil, s.asked.flags, st), nil)
}

// replyToShutdown counts a tracker's vote. Unlike the reference it counts one
// for each that was asked, and none of others.
func (s *Service) replyToShutdown(c service.Conn, msg []byte) error {
	r := abi.CfgWordRequest{ID: abi.CfgReplyToShutdownID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	if s.asked.caller == nil {
		s.status(c, abi.CfgReplyToShutdownRes, abi.Access)
		return nil
	}
	if t := s.tracker(c); t != nil && t.asked {
		t.vote = no
		if r.Word != 0 {
			t.vote = yes
		}
	}
	s.decide(false) // its answer, if there is one, comes before the voter's
	s.status(c, abi.CfgReplyToShutdownRes, abi.OK)
	return nil
}

// decide ends the negotiation if everybody has voted, or nobody is waited for
// any longer (check_shutdown_status).
func (s *Service) decide(timeout bool) {
	c := s.asked.caller
	if c == nil {
		return
	}
	agreed, waiting := true, false
	for _, t := range s.trackers {
		if t.asked {
			agreed = agreed && t.vote == yes
			waiting = waiting || t.vote == undecided
		}
	}
	if waiting && !timeout {
		return
	}
	s.asked.stop()
	s.asked.caller = nil
	if agreed || s.asked.flags == abi.CfgShutdownRegardless {
		s.status(c, abi.CfgTryShutdownRes, abi.OK)
		s.sendShutdown()
	} else {
		s.status(c, abi.CfgTryShutdownRes, abi.Busy)
	}
}

// outOfTime takes silence for no, and then tells. The reference means to tell
// every tracker, but reaches only those that have asked for a shutdown
// themselves before, seen with 3.1.7; others would take the event for a new
// question, as libcfg does not hand on the status that makes the difference.
func (s *Service) outOfTime() {
	s.decide(true)
	for _, t := range s.trackers {
		if s.tried[t.conn] {
			s.ask(t.conn, abi.Timeout)
		}
	}
}

func (s *Service) tracker(c service.Conn) *tracker {
	for _, t := range s.trackers {
		if t.conn == c {
			return t
		}
	}
	return nil
}

// trackStart makes c one of those who are asked, also in a negotiation that
// already runs.
func (s *Service) trackStart(c service.Conn, _ []byte) error {
	if s.tracker(c) == nil {
		t := &tracker{conn: c, asked: s.asked.caller != nil}
		s.trackers = append([]*tracker{t}, s.trackers...)
		if t.asked {
			s.ask(c, abi.OK)
		}
	}
	s.status(c, abi.CfgTrackStartRes, abi.OK)
	return nil
}

func (s *Service) trackStop(c service.Conn, _ []byte) error {
	s.leaveNegotiation(c)
	s.status(c, abi.CfgTrackStopRes, abi.OK)
	return nil
}

// leaveNegotiation cancels what c asked for, and lets it agree to what it was
// asked (remove_ci_from_shutdown).
func (s *Service) leaveNegotiation(c service.Conn) {
	if s.asked.caller == c {
		s.asked.stop()
		s.asked.caller = nil
	}
	if s.tracker(c) != nil {
		s.trackers = slices.DeleteFunc(s.trackers, func(t *tracker) bool { return t.conn == c })
		s.decide(false)
	}
}

// sendShutdown announces this daemon's end, which begins when the ring has
// brought the message back. While the ring has no room it tries again.
func (s *Service) sendShutdown() {
	if !s.send(&exec.CfgShutdown{}) {
		s.host.After(shutdownRetry, s.sendShutdown)
	}
}

// shutdown stops this daemon if it announced it
// (message_handler_req_exec_cfg_shutdown).
func (s *Service) shutdown(from totem.NodeID, msg []byte) error {
	if _, err := new(exec.CfgShutdown).Decode(msg); err != nil {
		return err
	}
	text := fmt.Sprintf("Node %d was shut down by sysadmin", from)
	s.Log.Log(nil, levelNotice, text)
	if from == s.host.Self() {
		s.host.Shutdown(text)
	}
	return nil
}
