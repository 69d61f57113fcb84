package abi

import (
	"fmt"
	"net/netip"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// Our own requests and events on a connection to cpg, for libraries that
// offload. The reference's daemon answers the first with InvalidParam, as any
// number that it does not know, and the library leaves it at that. They begin
// where no release of the reference will come to.
const (
	OffloadHelloID    int32 = 64
	OffloadCertID     int32 = 65
	OffloadAnnounceID int32 = 66
	OffloadSubmitID   int32 = 67 // without response
	OffloadSuspendID  int32 = 68

	OffloadHelloRes    int32 = 64
	OffloadCertRes     int32 = 65
	OffloadAnnounceRes int32 = 66
	OffloadSuspendRes  int32 = 68

	OffloadViewEvent    int32 = 96
	OffloadOrderedEvent int32 = 97
	OffloadRenewEvent   int32 = 98 // no body: the certificate is to be renewed and the endpoint announced again
)

// OffloadVersion is the only version of these messages.
const OffloadVersion = 1

// Sizes of the requests' fixed parts.
const (
	OffloadHelloLen    = 24
	OffloadCertLen     = 48
	OffloadAnnounceLen = RequestLen
	OffloadSubmitLen   = 56
	OffloadSuspendLen  = 48
)

// An OffloadHello asks whether the daemon can order for this connection, which
// then gets the events too. It comes before the connection joins.
//
//	header 16 | version 4 | pad 4
type OffloadHello struct{ Version uint32 }

// Decode reads the request.
func (m *OffloadHello) Decode(b []byte) (n int, err error) {
	b, err = request("offload hello", b, OffloadHelloID, OffloadHelloLen)
	if err != nil {
		return 0, err
	}
	m.Version = le.Uint32(b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *OffloadHello) Append(b []byte) []byte {
	b = AppendRequest(b, OffloadHelloID, OffloadHelloLen)
	return le.AppendUint64(b, uint64(m.Version))
}

// An OffloadHelloAnswer says where the library may listen: on its node's ring
// addresses, whose ports are of its choice. Status is NotSupported if the daemon
// may not offload.
//
//	header 24 | version 4 | node 4 | count 4 | pad 4 | count times address 16
type OffloadHelloAnswer struct {
	Status    Status
	Version   uint32
	Node      totem.NodeID
	Addresses []netip.Addr
}

const helloAnswerLen = ResponseLen + 16

// Decode reads the response.
func (m *OffloadHelloAnswer) Decode(b []byte) (n int, err error) {
	b, m.Status, err = response("offload hello", b, OffloadHelloRes, helloAnswerLen)
	if err != nil {
		return 0, err
	}
	m.Version, m.Node = le.Uint32(b[24:]), totem.NodeID(le.Uint32(b[28:]))
	count := int(le.Uint32(b[32:]))
	if count > offload.MaxAddresses || len(b) < helloAnswerLen+16*count {
		return 0, fmt.Errorf("abi: offload hello: %d addresses in %d bytes", count, len(b))
	}
	m.Addresses = m.Addresses[:0]
	for i := range count {
		m.Addresses = append(m.Addresses, netip.AddrFrom16([16]byte(b[helloAnswerLen+16*i:][:16])).Unmap())
	}
	return len(b), nil
}

// Append appends the response.
func (m *OffloadHelloAnswer) Append(b []byte) []byte {
	list := m.Addresses[:min(len(m.Addresses), offload.MaxAddresses)]
	b = AppendResponse(b, OffloadHelloRes, helloAnswerLen+16*len(list), m.Status)
	b = le.AppendUint32(b, m.Version)
	b = le.AppendUint32(b, uint32(m.Node))
	b = le.AppendUint64(b, uint64(len(list)))
	for _, a := range list {
		ip := a.As16()
		b = append(b, ip[:]...)
	}
	return b
}

// An OffloadCert asks for a certificate of a public key, for the process and the
// group that the connection has joined with.
//
//	header 16 | key 32
type OffloadCert struct{ Key [offload.KeyLen]byte }

// Decode reads the request.
func (m *OffloadCert) Decode(b []byte) (n int, err error) {
	b, err = request("offload certificate", b, OffloadCertID, OffloadCertLen)
	if err != nil {
		return 0, err
	}
	copy(m.Key[:], b[16:])
	return len(b), nil
}

// Append appends the request.
func (m *OffloadCert) Append(b []byte) []byte {
	return append(AppendRequest(b, OffloadCertID, OffloadCertLen), m.Key[:]...)
}

// An OffloadCertAnswer has the certificate, and the one whose key signed it,
// which also signs those of the ring's other nodes; none if the ring has no key.
// Both are X.509, in DER.
//
//	header 24 | certificate 4 | root 4 | certificate's bytes | root's bytes
type OffloadCertAnswer struct {
	Status      Status
	Certificate []byte // aliases the input
	Root        []byte // aliases the input
}

const certAnswerLen = ResponseLen + 8

// Decode reads the response.
func (m *OffloadCertAnswer) Decode(b []byte) (n int, err error) {
	b, m.Status, err = response("offload certificate", b, OffloadCertRes, certAnswerLen)
	if err != nil {
		return 0, err
	}
	cert, root := int(int32(le.Uint32(b[24:]))), int(int32(le.Uint32(b[28:])))
	if cert < 0 || root < 0 || cert > len(b)-certAnswerLen || root > len(b)-certAnswerLen-cert {
		return 0, fmt.Errorf("abi: offload certificate: %d and %d bytes in %d", cert, root, len(b))
	}
	m.Certificate = b[certAnswerLen:][:cert:cert]
	m.Root = b[certAnswerLen+cert:][:root:root]
	return len(b), nil
}

// Append appends the response.
func (m *OffloadCertAnswer) Append(b []byte) []byte {
	b = AppendResponse(b, OffloadCertRes, certAnswerLen+len(m.Certificate)+len(m.Root), m.Status)
	b = le.AppendUint32(b, uint32(len(m.Certificate)))
	b = le.AppendUint32(b, uint32(len(m.Root)))
	return append(append(b, m.Certificate...), m.Root...)
}

// An OffloadAnnounce offers the connection's endpoint to its group, in place of
// an earlier one. It is answered at once; what becomes of it, views tell.
//
//	header 16 | endpoint (package offload)
type OffloadAnnounce struct{ Endpoint offload.Endpoint }

// Decode reads the request.
func (m *OffloadAnnounce) Decode(b []byte) (n int, err error) {
	b, err = request("offload announce", b, OffloadAnnounceID, OffloadAnnounceLen)
	if err != nil {
		return 0, err
	}
	if _, err := m.Endpoint.Decode(b[RequestLen:]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Append appends the request.
func (m *OffloadAnnounce) Append(b []byte) []byte {
	at := len(b)
	b = m.Endpoint.Append(AppendRequest(b, OffloadAnnounceID, 0))
	le.PutUint32(b[at+8:], uint32(len(b)-at))
	return b
}

// An OffloadSubmit asks for places in the order for Count messages of the
// connection's, from number First on, which every other member of the view
// holds. It has no response.
//
//	header 16 | view 24 | first 8 | count 4 | 0 4
type OffloadSubmit struct {
	View  offload.View
	First uint64
	Count uint32
}

// Decode reads the request. It does not allocate.
func (m *OffloadSubmit) Decode(b []byte) (n int, err error) {
	b, err = request("offload submit", b, OffloadSubmitID, OffloadSubmitLen)
	if err != nil {
		return 0, err
	}
	m.View, m.First = cutView(b[16:]), le.Uint64(b[40:])
	if m.Count, err = cutCount(b[48:], m.First); err != nil {
		return 0, fmt.Errorf("abi: offload submit: %w", err)
	}
	return len(b), nil
}

// Append appends the request.
func (m *OffloadSubmit) Append(b []byte) []byte {
	b = AppendRequest(b, OffloadSubmitID, OffloadSubmitLen)
	b = appendView(b, m.View)
	b = le.AppendUint64(b, m.First)
	return le.AppendUint64(b, uint64(m.Count))
}

// An OffloadSuspend asks for the end of a view, as a member does not answer.
//
//	header 16 | view 24 | node 4 | pid 4
type OffloadSuspend struct {
	View   offload.View
	Member offload.Member
}

// Decode reads the request.
func (m *OffloadSuspend) Decode(b []byte) (n int, err error) {
	b, err = request("offload suspend", b, OffloadSuspendID, OffloadSuspendLen)
	if err != nil {
		return 0, err
	}
	m.View = cutView(b[16:])
	m.Member = offload.Member{Node: totem.NodeID(le.Uint32(b[40:])), PID: le.Uint32(b[44:])}
	return len(b), nil
}

// Append appends the request.
func (m *OffloadSuspend) Append(b []byte) []byte {
	b = appendView(AppendRequest(b, OffloadSuspendID, OffloadSuspendLen), m.View)
	b = le.AppendUint32(b, uint32(m.Member.Node))
	return le.AppendUint32(b, m.Member.PID)
}

// cutCount reads a count of messages, of which the first has the number first.
func cutCount(b []byte, first uint64) (uint32, error) {
	count := le.Uint64(b)
	if count == 0 || count > offload.MaxCount || first == 0 || first+count < first {
		return 0, fmt.Errorf("%d messages from number %d on", count, first)
	}
	return uint32(count), nil
}

// A view: ring node 4 | pad 4 | ring seq 8 | epoch 8.
func cutView(b []byte) offload.View {
	return offload.View{Ring: totem.RingID{Rep: totem.NodeID(le.Uint32(b)), Seq: le.Uint64(b[8:])}, Epoch: le.Uint64(b[16:])}
}

func appendView(b []byte, v offload.View) []byte {
	b = le.AppendUint64(b, uint64(v.Ring.Rep))
	b = le.AppendUint64(b, v.Ring.Seq)
	return le.AppendUint64(b, v.Epoch)
}
