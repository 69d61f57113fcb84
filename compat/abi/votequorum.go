package abi

import (
	"bytes"
	"fmt"

	"cpgol/wire/totem"
)

// The requests of libvotequorum by number (enum req_votequorum_types). Numbers
// 10 and 11 came after 3.1.10.
const (
	VoteGetInfoID          int32 = 0
	VoteSetExpectedID      int32 = 1
	VoteSetVotesID         int32 = 2
	VoteTrackStartID       int32 = 3
	VoteTrackStopID        int32 = 4
	VoteDeviceRegisterID   int32 = 5
	VoteDeviceUnregisterID int32 = 6
	VoteDeviceUpdateID     int32 = 7
	VoteDevicePollID       int32 = 8
	VoteDeviceMasterWinsID int32 = 9
)

// The numbers of answers and events (enum res_votequorum_types). Every request
// but get info is answered by a status.
const (
	VoteStatusRes       int32 = 0
	VoteGetInfoRes      int32 = 1
	VoteQuorumEventID   int32 = 3
	VoteExpectedEventID int32 = 4
	VoteNodeListEventID int32 = 5
)

// Sizes of requests.
const (
	VoteWordLen         = 24 // get info, set expected
	VoteSetVotesLen     = 24
	VoteTrackStartLen   = 32
	VoteDeviceNameLen   = 272 // register, unregister
	VoteDeviceUpdateLen = 528
	VoteDevicePollLen   = 296
	VoteMasterWinsLen   = 280
)

// Flags of a VoteInfo (VOTEQUORUM_INFO_*).
const (
	VoteInfoTwoNode          = 1
	VoteInfoQuorate          = 2
	VoteInfoWaitForAll       = 4
	VoteInfoLastManStanding  = 8
	VoteInfoAutoTieBreaker   = 16
	VoteInfoAllowDownscale   = 32
	VoteInfoDeviceRegistered = 64
	VoteInfoDeviceAlive      = 128
	VoteInfoDeviceCastVote   = 256
	VoteInfoDeviceMasterWins = 512
)

// deviceName is the size of a device's name with its NUL
// (VOTEQUORUM_QDEVICE_MAX_NAME_LEN).
const deviceName = 255

// cutDevice reads a device's name. The daemon of the reference copies up to a
// NUL wherever it is; a name without one in its field is refused here.
func cutDevice(name string, field []byte) (string, error) {
	end := bytes.IndexByte(field[:deviceName], 0)
	if end < 0 {
		return "", fmt.Errorf("abi: %s: device name without an end", name)
	}
	return string(field[:end]), nil
}

// A VoteWordRequest carries one word: the node of a get info (0 the local one),
// the votes of a set expected (24 bytes).
type VoteWordRequest struct {
	ID   int32 // Decode expects it to be set
	Word uint32
}

// Decode reads a request with the number that m.ID says.
func (m *VoteWordRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("votequorum request", b, m.ID, VoteWordLen); err != nil {
		return 0, err
	}
	m.Word = le.Uint32(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *VoteWordRequest) Append(b []byte) []byte {
	b = AppendRequest(b, m.ID, VoteWordLen)
	return le.AppendUint64(b, uint64(m.Word))
}

// A VoteSetVotesRequest gives a node other votes
// (struct req_lib_votequorum_setvotes, 24 bytes, no holes).
type VoteSetVotesRequest struct {
	Votes uint32
	Node  totem.NodeID // 0 the quorum device
}

// Decode reads the request.
func (m *VoteSetVotesRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("votequorum set votes", b, VoteSetVotesID, VoteSetVotesLen); err != nil {
		return 0, err
	}
	m.Votes, m.Node = le.Uint32(b[16:]), totem.NodeID(le.Uint32(b[20:]))
	return len(b), nil
}

// Append appends the request.
func (m *VoteSetVotesRequest) Append(b []byte) []byte {
	b = AppendRequest(b, VoteSetVotesID, VoteSetVotesLen)
	b = le.AppendUint32(b, m.Votes)
	return le.AppendUint32(b, uint32(m.Node))
}

// A VoteTrackStartRequest wants to hear of the quorum
// (struct req_lib_votequorum_trackstart, 32 bytes).
type VoteTrackStartRequest struct {
	Context uint64 // in every event
	Flags   uint32
}

// Decode reads the request.
func (m *VoteTrackStartRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("votequorum track start", b, VoteTrackStartID, VoteTrackStartLen); err != nil {
		return 0, err
	}
	m.Context, m.Flags = le.Uint64(b[16:]), le.Uint32(b[24:])
	return len(b), nil
}

// Append appends the request.
func (m *VoteTrackStartRequest) Append(b []byte) []byte {
	b = AppendRequest(b, VoteTrackStartID, VoteTrackStartLen)
	b = le.AppendUint64(b, m.Context)
	return le.AppendUint64(b, uint64(m.Flags))
}

// A VoteDeviceRequest names a quorum device: register and unregister
// (struct req_lib_votequorum_qdevice_register, 272 bytes).
type VoteDeviceRequest struct {
	ID   int32 // Decode expects it to be set
	Name string
}

// Decode reads a request with the number that m.ID says.
func (m *VoteDeviceRequest) Decode(b []byte) (n int, err error) {
	const name = "votequorum device"
	if b, err = request(name, b, m.ID, VoteDeviceNameLen); err != nil {
		return 0, err
	}
	m.Name, err = cutDevice(name, b[16:])
	return len(b), err
}

// Append appends the request.
func (m *VoteDeviceRequest) Append(b []byte) []byte {
	b, p := zeroed(b, VoteDeviceNameLen)
	AppendRequest(p[:0], m.ID, VoteDeviceNameLen)
	putText(p[16:16+deviceName], m.Name)
	return b
}

// A VoteDeviceUpdateRequest renames the quorum device
// (struct req_lib_votequorum_qdevice_update, 528 bytes; the new name at 271).
type VoteDeviceUpdateRequest struct{ Old, New string }

// Decode reads the request.
func (m *VoteDeviceUpdateRequest) Decode(b []byte) (n int, err error) {
	const name = "votequorum device update"
	if b, err = request(name, b, VoteDeviceUpdateID, VoteDeviceUpdateLen); err != nil {
		return 0, err
	}
	if m.Old, err = cutDevice(name, b[16:]); err != nil {
		return 0, err
	}
	m.New, err = cutDevice(name, b[16+deviceName:])
	return len(b), err
}

// Append appends the request.
func (m *VoteDeviceUpdateRequest) Append(b []byte) []byte {
	b, p := zeroed(b, VoteDeviceUpdateLen)
	AppendRequest(p[:0], VoteDeviceUpdateID, VoteDeviceUpdateLen)
	putText(p[16:16+deviceName], m.Old)
	putText(p[16+deviceName:16+2*deviceName], m.New)
	return b
}

// A VoteDevicePollRequest says that the quorum device is alive and how it votes
// in a ring (struct req_lib_votequorum_qdevice_poll, 296 bytes).
type VoteDevicePollRequest struct {
	Name     string
	CastVote bool
	Ring     totem.RingID
}

// Decode reads the request.
func (m *VoteDevicePollRequest) Decode(b []byte) (n int, err error) {
	const name = "votequorum device poll"
	if b, err = request(name, b, VoteDevicePollID, VoteDevicePollLen); err != nil {
		return 0, err
	}
	m.CastVote = le.Uint32(b[272:]) != 0
	m.Ring = totem.RingID{Rep: totem.NodeID(le.Uint32(b[280:])), Seq: le.Uint64(b[288:])}
	m.Name, err = cutDevice(name, b[16:])
	return len(b), err
}

// Append appends the request.
func (m *VoteDevicePollRequest) Append(b []byte) []byte {
	b, p := zeroed(b, VoteDevicePollLen)
	AppendRequest(p[:0], VoteDevicePollID, VoteDevicePollLen)
	putText(p[16:16+deviceName], m.Name)
	p[272] = bit(m.CastVote)
	le.PutUint32(p[280:], uint32(m.Ring.Rep))
	le.PutUint64(p[288:], m.Ring.Seq)
	return b
}

// A VoteMasterWinsRequest lets the partition that the device votes for be
// quorate (struct req_lib_votequorum_qdevice_master_wins, 280 bytes).
type VoteMasterWinsRequest struct {
	Name  string
	Allow uint32
}

// Decode reads the request.
func (m *VoteMasterWinsRequest) Decode(b []byte) (n int, err error) {
	const name = "votequorum device master wins"
	if b, err = request(name, b, VoteDeviceMasterWinsID, VoteMasterWinsLen); err != nil {
		return 0, err
	}
	m.Allow = le.Uint32(b[272:])
	m.Name, err = cutDevice(name, b[16:])
	return len(b), err
}

// Append appends the request.
func (m *VoteMasterWinsRequest) Append(b []byte) []byte {
	b, p := zeroed(b, VoteMasterWinsLen)
	AppendRequest(p[:0], VoteDeviceMasterWinsID, VoteMasterWinsLen)
	putText(p[16:16+deviceName], m.Name)
	le.PutUint32(p[272:], m.Allow)
	return b
}
