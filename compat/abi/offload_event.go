package abi

import (
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A ViewReason says why a group is not offloaded.
type ViewReason uint32

// The reasons.
const (
	ViewOn        ViewReason = 0 // it is
	ViewJoined    ViewReason = 1 // a process joined and has not announced an endpoint yet
	ViewPlain     ViewReason = 2 // a process can't offload: there is no announcement of its
	ViewSuspended ViewReason = 3 // a process did not answer
	ViewNewRing   ViewReason = 4 // the ring formed anew: all announce again
	ViewRenewed   ViewReason = 5 // a process announced another endpoint
)

// An OffloadView tells a group's member, at its place in the order, that a view
// begins or that there is none any more.
//
//	header 24 | group 136 | view 24 | reason 4 | node 4 | pid 4 | count 4 |
//	count times: node 4 | pid 4 | endpoint (package offload)
//
// Node and PID name whom the reason is about. Members, this process's own
// endpoint among them, are there if a view begins.
type OffloadView struct {
	Group   exec.GroupName
	View    offload.View
	Reason  ViewReason
	Cause   offload.Member
	Members []OffloadPeer
}

// An OffloadPeer is a member of a view.
type OffloadPeer struct {
	Member   offload.Member
	Endpoint offload.Endpoint
}

const offloadViewLen = ResponseLen + exec.GroupNameLen + 40

// Decode reads the event.
func (m *OffloadView) Decode(b []byte) (n int, err error) {
	b, _, err = response("offload view", b, OffloadViewEvent, offloadViewLen)
	if err != nil {
		return 0, err
	}
	if _, err := m.Group.Decode(b[ResponseLen:]); err != nil {
		return 0, err
	}
	at := b[ResponseLen+exec.GroupNameLen:]
	m.View = cutView(at)
	m.Reason = ViewReason(le.Uint32(at[24:]))
	m.Cause = offload.Member{Node: totem.NodeID(le.Uint32(at[28:])), PID: le.Uint32(at[32:])}
	count := int(le.Uint32(at[36:]))
	if count > MaxCPGMembers {
		return 0, fmt.Errorf("abi: offload view: %d members, at most %d", count, MaxCPGMembers)
	}
	rest := b[offloadViewLen:]
	m.Members = m.Members[:0]
	for range count {
		if len(rest) < 8 {
			return 0, lengthError("offload view", len(rest), 8)
		}
		p := OffloadPeer{Member: offload.Member{Node: totem.NodeID(le.Uint32(rest)), PID: le.Uint32(rest[4:])}}
		n, err := p.Endpoint.Decode(rest[8:])
		if err != nil {
			return 0, err
		}
		m.Members = append(m.Members, p)
		rest = rest[8+n:]
	}
	return len(b), nil
}

// Append appends the event.
func (m *OffloadView) Append(b []byte) []byte {
	start := len(b)
	b = AppendResponse(b, OffloadViewEvent, 0, OK)
	b = m.Group.Append(b)
	b = appendView(b, m.View)
	b = le.AppendUint32(b, uint32(m.Reason))
	b = le.AppendUint32(b, uint32(m.Cause.Node))
	b = le.AppendUint32(b, m.Cause.PID)
	b = le.AppendUint32(b, uint32(len(m.Members)))
	for i := range m.Members {
		p := &m.Members[i]
		b = le.AppendUint32(b, uint32(p.Member.Node))
		b = le.AppendUint32(b, p.Member.PID)
		b = p.Endpoint.Append(b)
	}
	le.PutUint32(b[start+8:], uint32(len(b)-start))
	return b
}

// An OffloadOrdered tells a group's member that messages of a process, which it
// holds, have their place in the order here.
//
//	header 24 | view 24 | node 4 | pid 4 | first 8 | count 4 | 0 4
type OffloadOrdered struct {
	View  offload.View
	From  offload.Member
	First uint64
	Count uint32
}

const offloadOrderedLen = ResponseLen + 48

// Decode reads the event. It does not allocate.
func (m *OffloadOrdered) Decode(b []byte) (n int, err error) {
	b, _, err = response("offload ordered", b, OffloadOrderedEvent, offloadOrderedLen)
	if err != nil {
		return 0, err
	}
	m.View = cutView(b[24:])
	m.From = offload.Member{Node: totem.NodeID(le.Uint32(b[48:])), PID: le.Uint32(b[52:])}
	m.First = le.Uint64(b[56:])
	if m.Count, err = cutCount(b[64:], m.First); err != nil {
		return 0, fmt.Errorf("abi: offload ordered: %w", err)
	}
	return len(b), nil
}

// Append appends the event.
func (m *OffloadOrdered) Append(b []byte) []byte {
	b = AppendResponse(b, OffloadOrderedEvent, offloadOrderedLen, OK)
	b = appendView(b, m.View)
	b = le.AppendUint32(b, uint32(m.From.Node))
	b = le.AppendUint32(b, m.From.PID)
	b = le.AppendUint64(b, m.First)
	return le.AppendUint64(b, uint64(m.Count))
}
