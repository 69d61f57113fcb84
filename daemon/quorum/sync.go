package quorum

import (
	"fmt"
	"slices"
	"strings"

	"cpgol/wire/totem"
)

// SyncInit compares the new membership with the last one completed. A node
// that went and came back is in both lists (quorum_sync_init).
func (s *Service) SyncInit(trans, members []totem.NodeID, ring totem.RingID) {
	s.members = append(s.members[:0], members...)
	s.ring = ring
	s.left, s.joined = nil, nil
	for _, n := range s.oldMembers {
		if !slices.Contains(trans, n) || !slices.Contains(members, n) {
			s.left = append(s.left, n)
		}
	}
	for _, n := range members {
		if !slices.Contains(s.oldMembers, n) || slices.Contains(s.left, n) {
			s.joined = append(s.joined, n)
		}
	}
	s.logNodes("Sync members", s.members)
	if len(s.joined) > 0 {
		s.logNodes("Sync joined", s.joined)
	}
	if len(s.left) > 0 {
		s.logNodes("Sync left", s.left)
	}
}

// SyncProcess has nothing to send.
func (s *Service) SyncProcess() bool { return true }

// SyncActivate tells the trackers how the membership changed.
func (s *Service) SyncActivate() {
	s.oldMembers = append(s.oldMembers[:0], s.members...)
	for _, c := range slices.Backward(s.trackers) {
		s.tellNodes(c, s.joined, s.left)
	}
}

// SyncAbort has nothing to undo: only SyncActivate moves the last membership.
func (s *Service) SyncAbort() {}

// logNodes writes a list as the reference does, in lines of at most 63 bytes
// of ids (log_view_list).
func (s *Service) logNodes(what string, nodes []totem.NodeID) {
	if s.Log == nil {
		return
	}
	const width = 63
	var line strings.Builder
	for _, n := range nodes {
		id := fmt.Sprintf(" %d", n)
		if line.Len()+len(id) > width {
			s.log(fmt.Sprintf("%s[%d]:%s\\", what, len(nodes), line.String()))
			line.Reset()
		}
		line.WriteString(id)
	}
	s.log(fmt.Sprintf("%s[%d]:%s", what, len(nodes), line.String()))
}
