package cfg

import (
	"fmt"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// reloadRequest makes every node read its configuration again. The client is
// answered when this one has; it is known by a number, where the reference sends
// a pointer and follows whatever comes back.
func (s *Service) reloadRequest(c service.Conn, _ []byte) error {
	if s.Reload == nil {
		s.status(c, abi.CfgReloadConfigRes, abi.NotSupported)
		return nil
	}
	s.token++
	if !s.send(&exec.CfgReload{Node: s.host.Self(), Conn: s.token}) {
		s.status(c, abi.CfgReloadConfigRes, abi.TryAgain)
		return nil
	}
	s.reloads[s.token] = c
	return nil
}

// reload reads this node's configuration again, whoever asked for it
// (message_handler_req_exec_cfg_reload_config).
func (s *Service) reload(from totem.NodeID, msg []byte) error {
	var m exec.CfgReload
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	s.Log.Log(nil, levelNotice, fmt.Sprintf("Config reload requested by node %d", from))
	st := abi.NotSupported
	if s.Reload != nil {
		st = s.reloadNow()
	}
	if from == s.host.Self() {
		if c := s.reloads[m.Conn]; c != nil {
			delete(s.reloads, m.Conn)
			s.status(c, abi.CfgReloadConfigRes, st)
		}
	}
	return nil
}

// reloadNow calls the hook between the keys that tell of it, in the reference's
// order. The reference leaves the first of them set if the file cannot be
// parsed, and so deaf to changes; here it is always taken back. Why a reload was
// refused stands in the key that later releases of the reference have for what
// went wrong with knet; their tool shows it.
func (s *Service) reloadNow() abi.Status {
	const totemRunning, running = "config.totemconfig_reload_in_progress", "config.reload_in_progress"
	s.m.Delete("config.reload_error_message")
	s.m.Set(totemRunning, cmap.U8(1))
	s.m.Set(running, cmap.U8(1))
	st := abi.OK
	cryptoChanged, err := s.Reload()
	if err != nil {
		s.Log.Error(err.Error())
		s.m.Set("config.reload_error_message", cmap.String(err.Error()))
		st, cryptoChanged = abi.InvalidParam, false
	}
	s.m.Set("config.reload_status", cmap.I32(int32(st)))
	s.m.Set(totemRunning, cmap.U8(0))
	s.m.Set(running, cmap.U8(0))
	if cryptoChanged {
		s.sendPhase(exec.CryptoActivate)
	}
	return st
}

// sendPhase announces a phase to this node itself: when the message comes back,
// every node of the ring has loaded the new keys.
func (s *Service) sendPhase(phase uint32) {
	if !s.send(&exec.CfgCrypto{Phase: phase}) {
		s.host.After(shutdownRetry, func() { s.sendPhase(phase) })
	}
}

// cryptoPhase performs this node's own phases
// (message_handler_req_exec_cfg_reconfig_crypto).
func (s *Service) cryptoPhase(from totem.NodeID, msg []byte) error {
	var m exec.CfgCrypto
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	if from != s.host.Self() || s.CryptoPhase == nil {
		return nil
	}
	s.CryptoPhase(m.Phase)
	if m.Phase < exec.CryptoCleanup {
		s.sendPhase(exec.CryptoCleanup)
	}
	return nil
}
