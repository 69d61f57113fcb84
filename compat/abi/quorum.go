package abi

import (
	"fmt"

	"cpgol/wire/totem"
)

// Request numbers of libquorum (enum req_quorum_types).
const (
	QuorumGetQuorateID int32 = 0
	QuorumTrackStartID int32 = 1
	QuorumTrackStopID  int32 = 2
	QuorumGetTypeID    int32 = 3
	QuorumModelID      int32 = 4
)

// Response and event numbers of libquorum (enum res_quorum_types).
const (
	QuorumGetQuorateRes int32 = 0
	QuorumTrackStartRes int32 = 1
	QuorumTrackStopRes  int32 = 2
	QuorumV0Event       int32 = 3
	QuorumGetTypeRes    int32 = 4
	QuorumModelRes      int32 = 5
	QuorumV1Event       int32 = 6
	QuorumNodesEvent    int32 = 7
)

// QuorumWordLen is the size of the two requests with a number
// (struct req_lib_quorum_trackstart and …model_gettype).
const QuorumWordLen = 24

// Track flags (CS_TRACK_*).
const (
	TrackCurrent     uint32 = 1
	TrackChanges     uint32 = 2
	TrackChangesOnly uint32 = 4
)

// Quorum types: whether a provider decides.
const (
	QuorumFree uint32 = 0
	QuorumSet  uint32 = 1
)

// A QuorumWord is one of the two requests with a number: QuorumTrackStartID
// with track flags, QuorumModelID with the model, 0 or 1.
//
//	header 16 | word 4 | pad 4
type QuorumWord struct {
	ID   int32
	Word uint32
}

// Decode reads either request.
func (m *QuorumWord) Decode(b []byte) (n int, err error) {
	m.ID = QuorumTrackStartID
	if len(b) > 0 && int32(b[0]) == QuorumModelID {
		m.ID = QuorumModelID
	}
	b, err = request("quorum request", b, m.ID, QuorumWordLen)
	if err != nil {
		return 0, err
	}
	m.Word = le.Uint32(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *QuorumWord) Append(b []byte) []byte {
	return le.AppendUint64(AppendRequest(b, m.ID, QuorumWordLen), uint64(m.Word))
}

// QuorumWordResLen is the size of the three answers with a number.
const QuorumWordResLen = 32

// AppendQuorumWordRes appends an answer with a number: QuorumGetQuorateRes,
// QuorumGetTypeRes or QuorumModelRes: header 24 | word 4 | pad 4.
func AppendQuorumWordRes(b []byte, id int32, st Status, word uint32) []byte {
	return le.AppendUint64(AppendResponse(b, id, QuorumWordResLen, st), uint64(word))
}

// CutQuorumWordRes reads an answer with a number.
func CutQuorumWordRes(b []byte, id int32) (word uint32, st Status, err error) {
	b, st, err = response("quorum response", b, id, QuorumWordResLen)
	if err != nil {
		return 0, st, err
	}
	return le.Uint32(b[24:]), st, nil
}

const (
	quorumV0Len    = 48
	quorumV1Len    = 56
	quorumNodesLen = 64
)

// A QuorumChange tells whether this partition may act, in the layout of model 0
// (struct res_lib_quorum_notification) or, with V1, of model 1
// (struct res_lib_quorum_v1_quorum_notification). C counts the list from
// before the structure's end, so the event ends with 4 bytes that mean nothing.
//
//	v0: header 24 | quorate 4 | pad 4 | seq 8 | count 4 | node 4 x count | pad 4
//	v1: header 24 | quorate 4 | pad 4 | rep 4 | pad 4 | seq 8 | count 4 | node 4 x count | pad 4
type QuorumChange struct {
	V1      bool
	Quorate bool
	Ring    totem.RingID // Rep is not in the layout of model 0
	Members []totem.NodeID
}

// Decode reads either event; the list is new.
func (m *QuorumChange) Decode(b []byte) (n int, err error) {
	id, least := QuorumV0Event, quorumV0Len
	m.V1 = len(b) > 0 && int32(b[0]) == QuorumV1Event
	if m.V1 {
		id, least = QuorumV1Event, quorumV1Len
	}
	b, _, err = response("quorum notification", b, id, least)
	if err != nil {
		return 0, err
	}
	count := int(le.Uint32(b[least-8:]))
	if len(b) != least+4*count {
		return 0, fmt.Errorf("abi: quorum notification: %d members in %d bytes", count, len(b))
	}
	m.Quorate = le.Uint32(b[24:]) != 0
	m.Ring = totem.RingID{Seq: le.Uint64(b[32:])}
	if m.V1 {
		m.Ring = cutRing(b[32:])
	}
	m.Members = cutNodes(b[least-4:], count)
	return len(b), nil
}

// Append appends the event.
func (m *QuorumChange) Append(b []byte) []byte {
	id, size := QuorumV0Event, quorumV0Len+4*len(m.Members)
	if m.V1 {
		id, size = QuorumV1Event, quorumV1Len+4*len(m.Members)
	}
	b = AppendResponse(b, id, size, OK)
	var quorate uint64
	if m.Quorate {
		quorate = 1
	}
	b = le.AppendUint64(b, quorate)
	if m.V1 {
		b = appendRing(b, m.Ring)
	} else {
		b = le.AppendUint64(b, m.Ring.Seq)
	}
	b = le.AppendUint32(b, uint32(len(m.Members)))
	b = appendNodes(b, m.Members)
	return le.AppendUint32(b, 0)
}

// A QuorumNodes tells clients of model 1 how the ring's membership changed
// (struct res_lib_quorum_v1_nodelist_notification); 4 bytes at its end mean
// nothing.
//
//	header 24 | rep 4 | pad 4 | seq 8 | members 4 | pad 4 | joined 4 | pad 4 |
//	left 4 | node 4 x (members + joined + left) | pad 4
type QuorumNodes struct {
	Ring                  totem.RingID
	Members, Joined, Left []totem.NodeID
}

// Decode reads the event; the lists are new.
func (m *QuorumNodes) Decode(b []byte) (n int, err error) {
	b, _, err = response("quorum nodelist", b, QuorumNodesEvent, quorumNodesLen)
	if err != nil {
		return 0, err
	}
	members, joined, left := int(le.Uint32(b[40:])), int(le.Uint32(b[48:])), int(le.Uint32(b[56:]))
	if len(b) != quorumNodesLen+4*(members+joined+left) {
		return 0, fmt.Errorf("abi: quorum nodelist: %d + %d + %d nodes in %d bytes", members, joined, left, len(b))
	}
	m.Ring = cutRing(b[24:])
	m.Members = cutNodes(b[60:], members)
	m.Joined = cutNodes(b[60+4*members:], joined)
	m.Left = cutNodes(b[60+4*(members+joined):], left)
	return len(b), nil
}

// Append appends the event.
func (m *QuorumNodes) Append(b []byte) []byte {
	size := quorumNodesLen + 4*(len(m.Members)+len(m.Joined)+len(m.Left))
	b = AppendResponse(b, QuorumNodesEvent, size, OK)
	b = appendRing(b, m.Ring)
	b = le.AppendUint64(b, uint64(len(m.Members)))
	b = le.AppendUint64(b, uint64(len(m.Joined)))
	b = le.AppendUint32(b, uint32(len(m.Left)))
	b = appendNodes(b, m.Members)
	b = appendNodes(b, m.Joined)
	b = appendNodes(b, m.Left)
	return le.AppendUint32(b, 0)
}

// cutRing reads a ring id as clients get it, 16 bytes (mar_cpg_ring_id_t,
// mar_quorum_ring_id_t).
func cutRing(b []byte) totem.RingID {
	return totem.RingID{Rep: totem.NodeID(le.Uint32(b)), Seq: le.Uint64(b[8:])}
}

func appendRing(b []byte, r totem.RingID) []byte {
	return le.AppendUint64(le.AppendUint64(b, uint64(r.Rep)), r.Seq)
}

// cutNodes reads n node ids at the start of b, which must have them.
func cutNodes(b []byte, n int) []totem.NodeID {
	var list []totem.NodeID
	for i := range n {
		list = append(list, totem.NodeID(le.Uint32(b[4*i:])))
	}
	return list
}

func appendNodes(b []byte, list []totem.NodeID) []byte {
	for _, n := range list {
		b = le.AppendUint32(b, uint32(n))
	}
	return b
}
