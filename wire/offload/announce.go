package offload

import (
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// An Announce offers the endpoint of a process of the sending node, in place of an
// earlier one.
//
//	header 16 | group 136 | pid 4 | 0 4 | endpoint
type Announce struct {
	Group    exec.GroupName
	PID      uint32
	Endpoint Endpoint
}

const announceLen = HeaderLen + exec.GroupNameLen + 8

// Decode reads the message.
func (m *Announce) Decode(b []byte) (n int, err error) {
	if b, err = cut(b, KindAnnounce, "announce", announceLen); err != nil {
		return 0, err
	}
	if err := cutGroup(&m.Group, b[HeaderLen:]); err != nil {
		return 0, err
	}
	at := HeaderLen + exec.GroupNameLen
	m.PID = le.Uint32(b[at:])
	if le.Uint32(b[at+4:]) != 0 {
		return 0, errPadding
	}
	got, err := m.Endpoint.Decode(b[announceLen:])
	if err != nil {
		return 0, err
	}
	if announceLen+got != len(b) {
		return 0, lengthError("announce", announceLen+got, len(b))
	}
	return len(b), nil
}

// Append appends the message.
func (m *Announce) Append(b []byte) []byte {
	n := min(len(m.Endpoint.Addresses), MaxAddresses)
	b = appendHeader(b, KindAnnounce, announceLen+endpointLen+n*addressLen)
	b = m.Group.Append(b)
	b = le.AppendUint64(b, uint64(m.PID))
	return m.Endpoint.Append(b)
}

// A Suspend takes the endpoint of a member out of a view.
//
//	header 16 | group 136 | ring node 4 | pid 4 | ring seq 8 | epoch 8 | node 4 | 0 4
type Suspend struct {
	Group  exec.GroupName
	View   View
	Member Member
}

const suspendLen = HeaderLen + exec.GroupNameLen + 32

// Decode reads the message.
func (m *Suspend) Decode(b []byte) (n int, err error) {
	if b, err = cut(b, KindSuspend, "suspend", suspendLen); err != nil {
		return 0, err
	}
	if len(b) != suspendLen {
		return 0, lengthError("suspend", suspendLen, len(b))
	}
	if err := cutGroup(&m.Group, b[HeaderLen:]); err != nil {
		return 0, err
	}
	at := b[HeaderLen+exec.GroupNameLen:]
	if le.Uint32(at[28:]) != 0 {
		return 0, errPadding
	}
	m.View = View{totem.RingID{Rep: totem.NodeID(le.Uint32(at)), Seq: le.Uint64(at[8:])}, le.Uint64(at[16:])}
	m.Member = Member{totem.NodeID(le.Uint32(at[24:])), le.Uint32(at[4:])}
	return len(b), nil
}

// Append appends the message.
func (m *Suspend) Append(b []byte) []byte {
	b = appendHeader(b, KindSuspend, suspendLen)
	b = m.Group.Append(b)
	b = le.AppendUint32(b, uint32(m.View.Ring.Rep))
	b = le.AppendUint32(b, m.Member.PID)
	b = le.AppendUint64(b, m.View.Ring.Seq)
	b = le.AppendUint64(b, m.View.Epoch)
	return le.AppendUint64(b, uint64(m.Member.Node))
}

// A Present says that the sending node is one of ours, in a ring: first that it is
// there, and then, once all are, that it expects the token to rest early.
//
//	header 16 | ring node 4 | step 4 | ring seq 8
type Present struct {
	Ring totem.RingID
	Step uint32
}

// The steps.
const (
	StepHere    = 1
	StepExpects = 2
)

const presentLen = HeaderLen + 16

// Decode reads the message.
func (m *Present) Decode(b []byte) (n int, err error) {
	if b, err = cut(b, KindPresent, "present", presentLen); err != nil {
		return 0, err
	}
	if len(b) != presentLen {
		return 0, lengthError("present", presentLen, len(b))
	}
	m.Ring = totem.RingID{Rep: totem.NodeID(le.Uint32(b[HeaderLen:])), Seq: le.Uint64(b[HeaderLen+8:])}
	m.Step = le.Uint32(b[HeaderLen+4:])
	return len(b), nil
}

// Append appends the message.
func (m *Present) Append(b []byte) []byte {
	b = appendHeader(b, KindPresent, presentLen)
	b = le.AppendUint32(b, uint32(m.Ring.Rep))
	b = le.AppendUint32(b, m.Step)
	return le.AppendUint64(b, m.Ring.Seq)
}

// cutGroup reads a name whose padding is zero.
func cutGroup(g *exec.GroupName, b []byte) error {
	if _, err := g.Decode(b); err != nil {
		return err
	}
	if le.Uint32(b[4:]) != 0 || !zero(b[8+g.Len():exec.GroupNameLen]) {
		return errPadding
	}
	return nil
}
