package cfg

import (
	"fmt"
	"net/netip"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// ringStatus lists the local links.
func (s *Service) ringStatus(c service.Conn, _ []byte) error {
	answer := abi.CfgRingStatus{Status: abi.OK}
	for _, f := range s.links.Interfaces(s.host.Self()) {
		answer.Interfaces = append(answer.Interfaces, abi.CfgInterface{
			Name: fmt.Sprintf("%d %v", f.Link, f.Addr), Status: f.Status,
		})
	}
	c.Respond(answer.Append(nil))
	return nil
}

// ringReenable has had nothing to do since 3.0.
func (s *Service) ringReenable(c service.Conn, _ []byte) error {
	s.status(c, abi.CfgRingReenableRes, abi.NotSupported)
	return nil
}

// nodeAddrs lists a node's addresses; number 0 means this node.
func (s *Service) nodeAddrs(c service.Conn, msg []byte) error {
	r := abi.CfgWordRequest{ID: abi.CfgGetNodeAddrsID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	node := totem.NodeID(r.Word)
	if node == 0 {
		node = s.host.Self()
	}
	answer := abi.CfgNodeAddrs{Status: abi.NotExist}
	for _, f := range s.links.Interfaces(node) {
		answer.Status = abi.OK
		if f.Addr != (netip.Addr{}) {
			answer.Addrs = append(answer.Addrs, f.Addr)
		}
	}
	c.Respond(answer.Append(nil))
	return nil
}

func (s *Service) localGet(c service.Conn, _ []byte) error {
	c.Respond(abi.AppendCfgLocal(nil, s.host.Self()))
	return nil
}

// nodeStatus tells how a node is reached. A failure has a shorter answer.
func (s *Service) nodeStatus(c service.Conn, msg []byte) error {
	var r abi.CfgNodeStatusRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st, ok := s.links.NodeStatus(r.Node)
	switch {
	case !ok:
		c.Respond(abi.AppendCfgNodeStatusError(nil, abi.FailedOperation))
	case r.Version != abi.CfgNodeStatusV1:
		c.Respond(abi.AppendCfgNodeStatusError(nil, abi.NotSupported))
	default:
		st.Node = r.Node
		c.Respond(st.Append(nil))
	}
	return nil
}

// killNode ends a node that has joined the ring. The answer does not wait for
// its end.
func (s *Service) killNode(c service.Conn, msg []byte) error {
	var r abi.CfgKillNodeRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := abi.OK
	if joined, _ := s.m.Text(fmt.Sprintf("runtime.members.%d.status", r.Node)); joined != "joined" {
		st = abi.NotExist
	} else if !s.send(&exec.CfgKillNode{Node: r.Node, Reason: r.Reason}) {
		st = abi.TryAgain
	}
	s.status(c, abi.CfgKillNodeRes, st)
	return nil
}

// exitKilled is the status of a daemon that another node ended (-1).
const exitKilled = 255

// killed ends this daemon at once if it is meant: its peers must notice by
// themselves (message_handler_req_exec_cfg_killnode).
func (s *Service) killed(from totem.NodeID, msg []byte) error {
	var m exec.CfgKillNode
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	if m.Node == s.host.Self() {
		text := fmt.Sprintf("Killed by node %d : %s", from, m.Text())
		s.Log.Log(nil, levelNotice, text)
		s.host.Exit(exitKilled, text)
	}
	return nil
}

func (s *Service) reopenLogs(c service.Conn, _ []byte) error {
	st := abi.NotSupported
	if s.ReopenLogs != nil {
		st = abi.OK
		if err := s.ReopenLogs(); err != nil {
			s.Log.Error(err.Error())
			st = abi.Library
		}
	}
	s.status(c, abi.CfgReopenLogFilesRes, st)
	return nil
}
