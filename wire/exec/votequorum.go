package exec

import (
	"bytes"
	"fmt"
)

// The function numbers of service 5, VOTEQUORUM
// (MESSAGE_REQ_EXEC_VOTEQUORUM_*).
const (
	votequorumService = 5

	VoteNodeInfoFn     = 0
	VoteReconfigureFn  = 1
	VoteDeviceFn       = 2
	VoteDeviceRenameFn = 3
	VoteExtraInfoFn    = 4 // after 3.1.10 only
)

// DeviceNameLen is the size of the field that holds a quorum device's name and
// the NUL behind it (VOTEQUORUM_QDEVICE_MAX_NAME_LEN).
const DeviceNameLen = 255

// A deviceName is such a field as it came: behind the NUL is what the sender's
// stack held.
type deviceName [DeviceNameLen]byte

// decode reads the field. Receivers of the reference copy up to a NUL wherever
// it is, so a name without one is refused.
func (d *deviceName) decode(name string, b []byte) (string, error) {
	copy(d[:], b)
	end := bytes.IndexByte(d[:], 0)
	if end < 0 {
		return "", fmt.Errorf("exec: %s: device name of %d bytes has no end", name, DeviceNameLen)
	}
	return string(d[:end]), nil
}

// append appends the field with this name, cut to what fits, and the bytes
// behind it as decoded.
func (d *deviceName) append(b []byte, name string) []byte {
	start := len(b)
	b = append(b, d[:]...)
	b[start+copy(b[start:start+DeviceNameLen-1], name)] = 0
	return b
}
