package abi

import (
	"bytes"
	"fmt"

	"cpgol/wire/totem"
)

// The requests of libcfg by number (enum req_lib_cfg_types).
const (
	CfgRingStatusGetID   int32 = 0
	CfgRingReenableID    int32 = 1
	CfgKillNodeID        int32 = 2
	CfgTryShutdownID     int32 = 3
	CfgReplyToShutdownID int32 = 4
	CfgGetNodeAddrsID    int32 = 5
	CfgLocalGetID        int32 = 6
	CfgReloadConfigID    int32 = 7
	CfgReopenLogFilesID  int32 = 8
	CfgNodeStatusGetID   int32 = 9
	CfgTrackStartID      int32 = 10
	CfgTrackStopID       int32 = 11
)

// The numbers of their answers and of the one event (enum res_lib_cfg_types).
const (
	CfgRingStatusGetRes    int32 = 0
	CfgRingReenableRes     int32 = 1
	CfgTrackStartRes       int32 = 2
	CfgTrackStopRes        int32 = 3
	CfgKillNodeRes         int32 = 8
	CfgTryShutdownRes      int32 = 9
	CfgTestShutdownEventID int32 = 10
	CfgGetNodeAddrsRes     int32 = 11
	CfgLocalGetRes         int32 = 12
	CfgReplyToShutdownRes  int32 = 13
	CfgReloadConfigRes     int32 = 14
	CfgReopenLogFilesRes   int32 = 15
	CfgNodeStatusGetRes    int32 = 16
)

// Sizes of requests that are more than a header.
const (
	CfgKillNodeLen      = 288
	CfgWordLen          = 24 // try shutdown, reply to shutdown, get node addrs, track start
	CfgNodeStatusGetLen = 32
)

// Flags of a try shutdown (corosync_cfg_shutdown_flags_t).
const (
	CfgShutdownRequest    = 0
	CfgShutdownRegardless = 1
	CfgShutdownImmediate  = 2
)

// A CfgKillNodeRequest ends a node (struct req_lib_cfg_killnode, 288 bytes).
type CfgKillNodeRequest struct {
	Node   totem.NodeID
	Reason []byte // at most 256 bytes, the NUL included; aliases the input
}

// Decode reads the request.
func (m *CfgKillNodeRequest) Decode(b []byte) (n int, err error) {
	const name = "cfg kill node"
	if b, err = request(name, b, CfgKillNodeID, CfgKillNodeLen); err != nil {
		return 0, err
	}
	size := int(le.Uint16(b[24:]))
	if size > 256 {
		return 0, fmt.Errorf("abi: %s: reason of %d bytes, at most 256", name, size)
	}
	m.Node, m.Reason = totem.NodeID(le.Uint32(b[16:])), b[26:26+size]
	return len(b), nil
}

// Append appends the request, with the reason cut to what fits.
func (m *CfgKillNodeRequest) Append(b []byte) []byte {
	b, p := zeroed(b, CfgKillNodeLen)
	AppendRequest(p[:0], CfgKillNodeID, CfgKillNodeLen)
	le.PutUint32(p[16:], uint32(m.Node))
	le.PutUint16(p[24:], uint16(copy(p[26:282], m.Reason)))
	return b
}

// A CfgWordRequest carries one word: the flags of a try shutdown, the answer of
// a reply to shutdown (0 no), the node of a get node addrs (0 the local one),
// and nothing that anybody looks at in a track start (24 bytes).
type CfgWordRequest struct {
	ID   int32 // Decode expects it to be set
	Word uint32
}

// Decode reads a request with the number that m.ID says.
func (m *CfgWordRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("cfg request", b, m.ID, CfgWordLen); err != nil {
		return 0, err
	}
	m.Word = le.Uint32(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *CfgWordRequest) Append(b []byte) []byte {
	b = AppendRequest(b, m.ID, CfgWordLen)
	return le.AppendUint64(b, uint64(m.Word))
}

// A CfgNodeStatusRequest asks for a node's links
// (struct req_lib_cfg_nodestatusget, 32 bytes).
type CfgNodeStatusRequest struct {
	Node    totem.NodeID
	Version uint32 // CfgNodeStatusV1; there is no other
}

// Decode reads the request.
func (m *CfgNodeStatusRequest) Decode(b []byte) (n int, err error) {
	if b, err = request("cfg node status", b, CfgNodeStatusGetID, CfgNodeStatusGetLen); err != nil {
		return 0, err
	}
	m.Node, m.Version = totem.NodeID(le.Uint32(b[16:])), le.Uint32(b[24:])
	return len(b), nil
}

// Append appends the request.
func (m *CfgNodeStatusRequest) Append(b []byte) []byte {
	b = AppendRequest(b, CfgNodeStatusGetID, CfgNodeStatusGetLen)
	b = le.AppendUint64(b, uint64(m.Node))
	return le.AppendUint64(b, uint64(m.Version))
}

// text returns what stands before the first NUL of a field, all of it without
// one.
func text(field []byte) string {
	before, _, _ := bytes.Cut(field, []byte{0})
	return string(before)
}

// putText writes s into a zeroed field, cut so that a NUL remains.
func putText(field []byte, s string) { copy(field[:len(field)-1], s) }
