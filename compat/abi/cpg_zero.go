package abi

import (
	"bytes"
	"fmt"
)

// Zero copy: the client makes a file, the daemon maps it, and a message is sent
// from there without being sent to the daemon. The three requests went after
// 3.1.10. The library looks at the answer of CPGZeroExecute only, whose number is
// CPGZeroExecuteRes; the others' is CPGZeroRes.

// cpgZeroPathLen is how long the path may be, with its NUL (CPG_ZC_PATH_LEN).
const cpgZeroPathLen = 128

// A CPGZeroAlloc names the client's file (struct req_coroipcc_zc_alloc, 152
// bytes).
//
//	header 16 | map size 8 | path 128, a C string
type CPGZeroAlloc struct {
	MapSize uint64 // length of the file, 56 bytes for headers included
	Path    string
}

// Decode reads the request. The path must end within its place.
func (m *CPGZeroAlloc) Decode(b []byte) (n int, err error) {
	b, err = request("cpg zero-copy alloc", b, CPGZeroAllocID, CPGZeroAllocLen)
	if err != nil {
		return 0, err
	}
	path, _, ok := bytes.Cut(b[24:24+cpgZeroPathLen], []byte{0})
	if !ok {
		return 0, fmt.Errorf("abi: cpg zero-copy alloc: path of over %d bytes", cpgZeroPathLen-1)
	}
	m.MapSize, m.Path = le.Uint64(b[16:]), string(path)
	return len(b), nil
}

// Append appends the request. The path must be shorter than 128 bytes.
func (m *CPGZeroAlloc) Append(b []byte) []byte {
	b = AppendRequest(b, CPGZeroAllocID, CPGZeroAllocLen)
	b = le.AppendUint64(b, m.MapSize)
	var path [cpgZeroPathLen]byte
	copy(path[:cpgZeroPathLen-1], m.Path)
	return append(b, path[:]...)
}

// A CPGZeroFree gives a file back (struct req_coroipcc_zc_free, 32 bytes).
//
//	header 16 | map size 8 | server address 8
type CPGZeroFree struct {
	MapSize uint64 // the daemon knows it
	Address uint64 // as the daemon wrote it into the file
}

// Decode reads the request.
func (m *CPGZeroFree) Decode(b []byte) (n int, err error) {
	b, err = request("cpg zero-copy free", b, CPGZeroFreeID, CPGZeroFreeLen)
	if err != nil {
		return 0, err
	}
	m.MapSize, m.Address = le.Uint64(b[16:]), le.Uint64(b[24:])
	return len(b), nil
}

// Append appends the request.
func (m *CPGZeroFree) Append(b []byte) []byte {
	b = AppendRequest(b, CPGZeroFreeID, CPGZeroFreeLen)
	b = le.AppendUint64(b, m.MapSize)
	return le.AppendUint64(b, m.Address)
}

// A CPGZeroExecute sends the message in a file to the group joined (struct
// req_coroipcc_zc_execute, 24 bytes).
//
//	header 16 | server address 8
type CPGZeroExecute struct {
	Address uint64
}

// Decode reads the request.
func (m *CPGZeroExecute) Decode(b []byte) (n int, err error) {
	b, err = request("cpg zero-copy execute", b, CPGZeroExecuteID, CPGZeroExecuteLen)
	if err != nil {
		return 0, err
	}
	m.Address = le.Uint64(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *CPGZeroExecute) Append(b []byte) []byte {
	b = AppendRequest(b, CPGZeroExecuteID, CPGZeroExecuteLen)
	return le.AppendUint64(b, m.Address)
}
