package votequorum

import (
	"cpgol/daemon/cmap"
	"cpgol/wire/exec"
)

const (
	reloadKey     = "config.totemconfig_reload_in_progress"
	cancelWaitKey = "quorum.cancel_wait_for_all"
)

// trackConfig makes the service hear of its configuration
// (votequorum_exec_add_config_notification).
func (s *Service) trackConfig() {
	s.m.Track("nodelist.", cmap.AllEvents|cmap.Prefix, s.configChanged)
	s.m.Track("quorum.", cmap.AllEvents|cmap.Prefix, s.configChanged)
	s.m.Track(reloadKey, cmap.Added|cmap.Modified, s.configChanged)
}

// configChanged reads the configuration again and tells the other nodes what
// came of it. During a reload it waits for the end, and if that failed it does
// nothing. quorum.cancel_wait_for_all is no configuration but a trigger, which
// resets itself (votequorum_refresh_config).
func (s *Service) configChanged(c cmap.Change) {
	if running, _ := s.m.U8(reloadKey); running != 0 {
		return
	}
	if st, ok := s.m.I32("config.reload_status"); c.Key == reloadKey && ok && st != 1 {
		return
	}
	if on, _ := s.m.U8(cancelWaitKey); c.Key == cancelWaitKey && on >= 1 {
		s.m.Set(cancelWaitKey, cmap.U8(0))
		s.sendReconfigure(exec.VoteParamCancelWaitForAll, 0)
		return
	}
	votes, expected := s.us.votes, s.us.expected
	s.readConfig(atRuntime) // never fails at run time
	s.sendNodeInfo(s.us)
	s.sendNodeInfo(s.device)
	if s.us.votes != votes {
		s.sendReconfigure(exec.VoteParamVotes, s.us.votes)
	}
	if s.us.expected != expected {
		s.sendReconfigure(exec.VoteParamExpected, s.us.expected)
	}
}
