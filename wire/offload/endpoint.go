package offload

import (
	"fmt"
	"net/netip"
)

// Bounds of an endpoint.
const (
	KeyLen       = 32
	MaxSocket    = 64
	MaxAddresses = 8
)

const (
	endpointLen = KeyLen + MaxSocket + 8
	addressLen  = 24
)

// An Endpoint is where a process takes payloads.
//
//	key 32, Ed25519 | socket 64, zero behind the name | count 4 | 0 4 |
//	count times: address 16 (IPv4 mapped) | port 2 | 0 6
type Endpoint struct {
	Key    [KeyLen]byte // of the certificate that it shows and wants to see answered
	Socket string       // abstract name of its Unix socket, for processes on its own node
	// Addresses are on its node's ring addresses, in the order in which they
	// should be tried.
	Addresses []netip.AddrPort
}

// Decode reads an endpoint into e, whose list is used again.
func (e *Endpoint) Decode(b []byte) (n int, err error) {
	if len(b) < endpointLen {
		return 0, lengthError("endpoint", len(b), endpointLen)
	}
	copy(e.Key[:], b)
	name := b[KeyLen : KeyLen+MaxSocket]
	end := MaxSocket
	for end > 0 && name[end-1] == 0 {
		end--
	}
	for _, c := range name[:end] {
		if c == 0 {
			return 0, fmt.Errorf("offload: endpoint: socket name with a zero byte inside")
		}
	}
	e.Socket = string(name[:end])
	count := int(le.Uint32(b[KeyLen+MaxSocket:]))
	if le.Uint32(b[KeyLen+MaxSocket+4:]) != 0 {
		return 0, errPadding
	}
	if count > MaxAddresses {
		return 0, fmt.Errorf("offload: endpoint: %d addresses, at most %d", count, MaxAddresses)
	}
	n = endpointLen + count*addressLen
	if len(b) < n {
		return 0, lengthError("endpoint", len(b), n)
	}
	e.Addresses = e.Addresses[:0]
	for i := range count {
		a := b[endpointLen+i*addressLen:][:addressLen]
		if !zero(a[18:]) {
			return 0, errPadding
		}
		ip := netip.AddrFrom16([16]byte(a[:16]))
		e.Addresses = append(e.Addresses, netip.AddrPortFrom(ip.Unmap(), le.Uint16(a[16:])))
	}
	return n, nil
}

// Append appends the endpoint. Names and lists beyond the bounds are cut.
func (e *Endpoint) Append(b []byte) []byte {
	b = append(b, e.Key[:]...)
	var name [MaxSocket]byte
	copy(name[:], e.Socket)
	b = append(b, name[:]...)
	list := e.Addresses[:min(len(e.Addresses), MaxAddresses)]
	b = le.AppendUint32(b, uint32(len(list)))
	b = le.AppendUint32(b, 0)
	for _, a := range list {
		ip := a.Addr().As16()
		b = append(b, ip[:]...)
		b = le.AppendUint16(b, a.Port())
		b = append(b, 0, 0, 0, 0, 0, 0)
	}
	return b
}
