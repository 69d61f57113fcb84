package cmap

import (
	"fmt"
	"time"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// version is what decides whether this node's configuration is too old for the
// ring that it came into.
type version struct {
	mine    uint64 // 0: none
	highest uint64 // of this round, mine included
	single  bool   // nobody came along from an earlier ring
	first   bool   // no round of several nodes has ended yet
	retry   bool   // an announcement waits
}

// retryAfter is when a version that the ring had no room for is sent again. The
// reference loses it.
const retryAfter = 100 * time.Millisecond

// SyncInit starts a round with this node's version (cmap_sync_init).
func (s *Service) SyncInit(trans, _ []totem.NodeID, _ totem.RingID) {
	s.version.single = len(trans) == 0
	s.version.mine, _ = s.m.U64(exec.CmapVersionKey)
	s.version.highest = s.version.mine
}

// SyncProcess tells this node's version.
func (s *Service) SyncProcess() bool { return s.sendVersion(exec.CmapSync) }

// SyncActivate stops this daemon if another member has a later version. Only
// the first round counts that others came along to: a node that joins a running
// ring at once is checked at the next change only (cmap_sync_activate).
func (s *Service) SyncActivate() {
	v := &s.version
	if v.single || !v.first {
		return
	}
	v.first = false
	if v.mine == 0 || v.highest == v.mine {
		return
	}
	reason := fmt.Sprintf("Received config version (%d) is different than my config version (%d)! Exiting",
		v.highest, v.mine)
	s.Log.Error(reason)
	s.host.Shutdown(reason)
}

// SyncAbort has nothing to undo.
func (s *Service) SyncAbort() {}

// announceVersion tells the nodes that the version has changed
// (cmap_config_version_track_cb).
func (s *Service) announceVersion() {
	s.version.mine, _ = s.m.U64(exec.CmapVersionKey)
	if s.version.retry || s.sendVersion(exec.CmapNewVersion) {
		return
	}
	s.version.retry = true
	s.host.After(retryAfter, func() {
		s.version.retry = false
		s.announceVersion()
	})
}

func (s *Service) sendVersion(reason uint8) bool {
	v, ok := s.m.U64(exec.CmapVersionKey)
	msg := exec.NewCmapVersion(reason, v, ok).Append(nil)
	return s.host.Multicast(msg, nil) == nil
}
