package abi

import (
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// OffloadStatusID asks which groups there are and whether they are offloaded; it
// is a bare header. Anyone who may connect may ask.
const (
	OffloadStatusID  int32 = 69
	OffloadStatusRes int32 = 69
)

// An OffloadStatus is the answer.
//
//	header 24 | count 4 | pad 4 | count times: group 136 | members 4 | reason 4 | node 4 | pid 4
type OffloadStatus struct {
	Status Status
	Groups []OffloadGroup
}

// An OffloadGroup is one group's state. Cause is whom the reason is about.
type OffloadGroup struct {
	Group   exec.GroupName
	Members uint32
	Reason  ViewReason
	Cause   offload.Member
}

const (
	offloadStatusLen = ResponseLen + 8
	offloadGroupLen  = exec.GroupNameLen + 16
	// MaxOffloadGroups is how many groups an answer has room for.
	MaxOffloadGroups = 4096
)

// Decode reads the response.
func (m *OffloadStatus) Decode(b []byte) (n int, err error) {
	b, m.Status, err = response("offload status", b, OffloadStatusRes, offloadStatusLen)
	if err != nil {
		return 0, err
	}
	count := int(le.Uint32(b[24:]))
	if count > MaxOffloadGroups || len(b) < offloadStatusLen+count*offloadGroupLen {
		return 0, fmt.Errorf("abi: offload status: %d groups in %d bytes", count, len(b))
	}
	m.Groups = m.Groups[:0]
	for i := range count {
		at := b[offloadStatusLen+i*offloadGroupLen:]
		var g OffloadGroup
		if _, err := g.Group.Decode(at); err != nil {
			return 0, err
		}
		at = at[exec.GroupNameLen:]
		g.Members, g.Reason = le.Uint32(at), ViewReason(le.Uint32(at[4:]))
		g.Cause = offload.Member{Node: totem.NodeID(le.Uint32(at[8:])), PID: le.Uint32(at[12:])}
		m.Groups = append(m.Groups, g)
	}
	return len(b), nil
}

// Append appends the response with the first groups that fit.
func (m *OffloadStatus) Append(b []byte) []byte {
	list := m.Groups[:min(len(m.Groups), MaxOffloadGroups)]
	b = AppendResponse(b, OffloadStatusRes, offloadStatusLen+len(list)*offloadGroupLen, m.Status)
	b = le.AppendUint64(b, uint64(len(list)))
	for i := range list {
		g := &list[i]
		b = g.Group.Append(b)
		b = le.AppendUint32(b, g.Members)
		b = le.AppendUint32(b, uint32(g.Reason))
		b = le.AppendUint32(b, uint32(g.Cause.Node))
		b = le.AppendUint32(b, g.Cause.PID)
	}
	return b
}

// String says why a group is not offloaded, in words; "offloaded" if it is.
func (r ViewReason) String() string {
	switch r {
	case ViewOn:
		return "offloaded"
	case ViewJoined:
		return "a process has joined and not announced itself yet"
	case ViewPlain:
		return "not all processes can"
	case ViewSuspended:
		return "a process does not answer"
	case ViewNewRing:
		return "the ring has just formed"
	case ViewRenewed:
		return "a process announces itself anew"
	}
	return fmt.Sprintf("reason %d", uint32(r))
}
