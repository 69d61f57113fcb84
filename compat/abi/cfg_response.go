package abi

import (
	"fmt"
	"net/netip"

	"cpgol/wire/totem"
)

// Limits of a CfgRingStatus (CFG_MAX_INTERFACES, CFG_INTERFACE_*_MAX_LEN).
const (
	CfgMaxInterfaces = 16
	cfgNameLen       = 128
	cfgStatusLen     = 512

	cfgRingStatusLen = 10272
)

// A CfgInterface is a local link: "0 10.0.0.1" and, on knet, a character for
// each node.
type CfgInterface struct{ Name, Status string }

// A CfgRingStatus answers a ring status get (struct res_lib_cfg_ringstatusget,
// 10272 bytes).
type CfgRingStatus struct {
	Status     Status
	Interfaces []CfgInterface // at most 16; texts of 127 and 511 bytes
}

// Decode reads the answer.
func (m *CfgRingStatus) Decode(b []byte) (n int, err error) {
	const name = "cfg ring status"
	if b, m.Status, err = response(name, b, CfgRingStatusGetRes, cfgRingStatusLen); err != nil {
		return 0, err
	}
	count := le.Uint32(b[24:])
	if count > CfgMaxInterfaces {
		return 0, fmt.Errorf("abi: %s: %d interfaces, at most %d", name, count, CfgMaxInterfaces)
	}
	m.Interfaces = m.Interfaces[:0]
	for i := range int(count) {
		m.Interfaces = append(m.Interfaces, CfgInterface{
			Name:   text(b[32+cfgNameLen*i:][:cfgNameLen]),
			Status: text(b[2080+cfgStatusLen*i:][:cfgStatusLen]),
		})
	}
	return len(b), nil
}

// Append appends the answer. What does not fit is cut.
func (m *CfgRingStatus) Append(b []byte) []byte {
	b, p := zeroed(b, cfgRingStatusLen)
	AppendResponse(p[:0], CfgRingStatusGetRes, cfgRingStatusLen, m.Status)
	all := m.Interfaces[:min(len(m.Interfaces), CfgMaxInterfaces)]
	le.PutUint32(p[24:], uint32(len(all)))
	for i, f := range all {
		putText(p[32+cfgNameLen*i:][:cfgNameLen], f.Name)
		putText(p[2080+cfgStatusLen*i:][:cfgStatusLen], f.Status)
	}
	return b
}

// CfgNodeStatusV1 is the one version of a CfgNodeStatus.
const CfgNodeStatusV1 = 1

// CfgMaxLinks is the number of links in a CfgNodeStatus.
const CfgMaxLinks = 8

const (
	cfgNodeStatusLen   = 4200
	cfgLinkStatusLen   = 520
	cfgHostLen         = 256
	cfgShortStatusLen  = 32 // of a node status get that fails
	cfgNodeAddrsLen    = 32
	cfgAddrLen         = 16
	cfgLocalLen        = 32
	cfgTestShutdownLen = 32
)

// A CfgLink is a link to a node (struct corosync_knet_link_status_v1, 520
// bytes).
type CfgLink struct {
	Enabled      bool
	Connected    bool
	DynConnected bool
	MTU          uint32
	Source       string // addresses, at most 255 bytes
	Target       string
}

// A CfgNodeStatus answers a node status get
// (struct res_lib_cfg_nodestatusget_v1, 4200 bytes).
type CfgNodeStatus struct {
	Node      totem.NodeID
	Reachable bool
	Remote    bool
	External  bool
	// Versions of knet's packets: the range that the node knows, and the one used.
	OnwireMin, OnwireMax, OnwireVersion uint8
	Links                               [CfgMaxLinks]CfgLink // by number
}

// Decode reads the answer; a failure is an error.
func (m *CfgNodeStatus) Decode(b []byte) (n int, err error) {
	const name = "cfg node status"
	b, st, err := response(name, b, CfgNodeStatusGetRes, cfgShortStatusLen)
	switch {
	case err != nil:
		return 0, err
	case st != OK:
		return 0, fmt.Errorf("abi: %s: %v", name, st)
	case len(b) < cfgNodeStatusLen:
		return 0, lengthError(name, len(b), cfgNodeStatusLen)
	case le.Uint32(b[24:]) != CfgNodeStatusV1:
		return 0, fmt.Errorf("abi: %s: version %d", name, le.Uint32(b[24:]))
	}
	m.Node = totem.NodeID(le.Uint32(b[28:]))
	m.Reachable, m.Remote, m.External = b[32] != 0, b[33] != 0, b[34] != 0
	m.OnwireMin, m.OnwireMax, m.OnwireVersion = b[35], b[36], b[37]
	for i := range m.Links {
		p := b[40+cfgLinkStatusLen*i:][:cfgLinkStatusLen]
		m.Links[i] = CfgLink{
			Enabled: p[0] != 0, Connected: p[1] != 0, DynConnected: p[2] != 0,
			MTU: le.Uint32(p[4:]), Source: text(p[8:264]), Target: text(p[264:]),
		}
	}
	return len(b), nil
}

// Append appends the answer.
func (m *CfgNodeStatus) Append(b []byte) []byte {
	b, p := zeroed(b, cfgNodeStatusLen)
	AppendResponse(p[:0], CfgNodeStatusGetRes, cfgNodeStatusLen, OK)
	le.PutUint32(p[24:], CfgNodeStatusV1)
	le.PutUint32(p[28:], uint32(m.Node))
	p[32], p[33], p[34] = bit(m.Reachable), bit(m.Remote), bit(m.External)
	p[35], p[36], p[37] = m.OnwireMin, m.OnwireMax, m.OnwireVersion
	for i, l := range m.Links {
		p := p[40+cfgLinkStatusLen*i:][:cfgLinkStatusLen]
		p[0], p[1], p[2] = bit(l.Enabled), bit(l.Connected), bit(l.DynConnected)
		le.PutUint32(p[4:], l.MTU)
		putText(p[8:8+cfgHostLen], l.Source)
		putText(p[264:264+cfgHostLen], l.Target)
	}
	return b
}

// AppendCfgNodeStatusError appends the answer to a node status get that fails
// (struct res_lib_cfg_nodestatusget_version, 32 bytes).
func AppendCfgNodeStatusError(b []byte, st Status) []byte {
	b = AppendResponse(b, CfgNodeStatusGetRes, cfgShortStatusLen, st)
	return le.AppendUint64(b, 0)
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// Address families as C numbers them.
const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// A CfgNodeAddrs answers a get node addrs (struct res_lib_cfg_get_node_addrs,
// 32 bytes and 16 for each address).
type CfgNodeAddrs struct {
	Status Status
	Addrs  []netip.Addr // clients take the first one's family for all
}

// Decode reads the answer.
func (m *CfgNodeAddrs) Decode(b []byte) (n int, err error) {
	const name = "cfg node addrs"
	if b, m.Status, err = response(name, b, CfgGetNodeAddrsRes, cfgNodeAddrsLen); err != nil {
		return 0, err
	}
	family, count := le.Uint32(b[24:]), le.Uint32(b[28:])
	if uint64(count)*cfgAddrLen > uint64(len(b)-cfgNodeAddrsLen) {
		return 0, fmt.Errorf("abi: %s: %d addresses in %d bytes", name, count, len(b))
	}
	m.Addrs = m.Addrs[:0]
	for i := range int(count) {
		a := [16]byte(b[cfgNodeAddrsLen+cfgAddrLen*i:])
		if family == familyIPv4 {
			m.Addrs = append(m.Addrs, netip.AddrFrom4([4]byte(a[:])))
		} else {
			m.Addrs = append(m.Addrs, netip.AddrFrom16(a))
		}
	}
	return len(b), nil
}

// Append appends the answer.
func (m *CfgNodeAddrs) Append(b []byte) []byte {
	size := cfgNodeAddrsLen + cfgAddrLen*len(m.Addrs)
	b, p := zeroed(b, size)
	AppendResponse(p[:0], CfgGetNodeAddrsRes, size, m.Status)
	if len(m.Addrs) > 0 {
		le.PutUint32(p[24:], familyIPv6)
		if m.Addrs[0].Is4() {
			le.PutUint32(p[24:], familyIPv4)
		}
	}
	le.PutUint32(p[28:], uint32(len(m.Addrs)))
	for i, a := range m.Addrs {
		copy(p[cfgNodeAddrsLen+cfgAddrLen*i:], a.AsSlice())
	}
	return b
}

// AppendCfgLocal appends the answer to a local get
// (struct res_lib_cfg_local_get, 32 bytes).
func AppendCfgLocal(b []byte, n totem.NodeID) []byte {
	b = AppendResponse(b, CfgLocalGetRes, cfgLocalLen, OK)
	return le.AppendUint64(b, uint64(n))
}

// AppendCfgTestShutdown appends the event that asks a client whether the node
// may stop, or with Timeout says that it was asked in vain
// (struct res_lib_cfg_testshutdown, 32 bytes).
func AppendCfgTestShutdown(b []byte, flags uint32, st Status) []byte {
	b = AppendResponse(b, CfgTestShutdownEventID, cfgTestShutdownLen, st)
	return le.AppendUint64(b, uint64(flags))
}
