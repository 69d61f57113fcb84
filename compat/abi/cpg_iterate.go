package abi

import (
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// What an iteration goes over (cpg_iteration_type_t).
const (
	CPGIterNames uint32 = 1 // groups, once each, without processes
	CPGIterGroup uint32 = 2 // the processes of one group
	CPGIterAll   uint32 = 3 // all processes of all groups
)

// A CPGIterInit starts an iteration
// (struct req_lib_cpg_iterationinitialize, 160 bytes); the answer has a handle.
//
//	header 16 | group name 136 | type 4 | pad 4
type CPGIterInit struct {
	Type  uint32
	Group exec.GroupName // for CPGIterGroup only, else zero: clients send garbage
}

// Decode reads the request.
func (m *CPGIterInit) Decode(b []byte) (n int, err error) {
	b, err = request("cpg iteration initialize", b, CPGIterInitID, CPGIterInitLen)
	if err != nil {
		return 0, err
	}
	m.Group, m.Type = exec.GroupName{}, le.Uint32(b[152:])
	if m.Type == CPGIterGroup {
		m.Group, err = groupName("cpg iteration initialize", b[16:])
	}
	return len(b), err
}

// Append appends the request.
func (m *CPGIterInit) Append(b []byte) []byte {
	b = AppendRequest(b, CPGIterInitID, CPGIterInitLen)
	b = m.Group.Append(b)
	return le.AppendUint64(b, uint64(m.Type))
}

// A CPGIter continues or ends an iteration, as ID says (CPGIterNextID,
// CPGIterFinalizeID; struct req_lib_cpg_iterationnext and …finalize, 24 bytes).
//
//	header 16 | handle 8
type CPGIter struct {
	ID     int32
	Handle uint64
}

// Decode reads either request.
func (m *CPGIter) Decode(b []byte) (n int, err error) {
	m.ID = CPGIterNextID
	if len(b) > 0 && int32(b[0]) == CPGIterFinalizeID {
		m.ID = CPGIterFinalizeID
	}
	b, err = request("cpg iteration", b, m.ID, CPGIterHandleLen)
	if err != nil {
		return 0, err
	}
	m.Handle = le.Uint64(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *CPGIter) Append(b []byte) []byte {
	return le.AppendUint64(AppendRequest(b, m.ID, CPGIterHandleLen), m.Handle)
}

// CPGIterInitResLen is the size of the answer to a CPGIterInit.
const CPGIterInitResLen = 32

// AppendCPGIterInitRes appends the answer to a CPGIterInit
// (struct res_lib_cpg_iterationinitialize): header 24 | handle 8.
func AppendCPGIterInitRes(b []byte, st Status, handle uint64) []byte {
	return le.AppendUint64(AppendResponse(b, CPGIterInitRes, CPGIterInitResLen, st), handle)
}

// CutCPGIterInitRes reads the answer to a CPGIterInit.
func CutCPGIterInitRes(b []byte) (handle uint64, st Status, err error) {
	b, st, err = response("cpg iteration initialize response", b, CPGIterInitRes, CPGIterInitResLen)
	if err != nil {
		return 0, st, err
	}
	return le.Uint64(b[24:]), st, nil
}

// A CPGIterItem is the answer to the request for the next item
// (struct res_lib_cpg_iterationnext, 168 bytes).
//
//	header 24 | group name 136 | node 4 | pid 4
type CPGIterItem struct {
	Status Status // NoSections at the end; the rest is zero then
	Group  exec.GroupName
	Node   totem.NodeID
	PID    uint32
}

const iterItemLen = 168

// Decode reads the response.
func (m *CPGIterItem) Decode(b []byte) (n int, err error) {
	b, m.Status, err = response("cpg iteration next response", b, CPGIterNextRes, iterItemLen)
	if err != nil {
		return 0, err
	}
	m.Node, m.PID = totem.NodeID(le.Uint32(b[160:])), le.Uint32(b[164:])
	m.Group, err = groupName("cpg iteration next response", b[24:])
	return len(b), err
}

// Append appends the response.
func (m *CPGIterItem) Append(b []byte) []byte {
	b = AppendResponse(b, CPGIterNextRes, iterItemLen, m.Status)
	b = m.Group.Append(b)
	b = le.AppendUint32(b, uint32(m.Node))
	return le.AppendUint32(b, m.PID)
}
