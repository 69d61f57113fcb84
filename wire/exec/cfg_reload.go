package exec

import "cpgol/wire/totem"

const (
	cfgSourceLen   = 32
	cfgShutdownLen = 16
	cfgCryptoLen   = 24
)

// A CfgReload makes every node read its configuration file again
// (struct req_exec_cfg_reload_config, 32 bytes).
//
//	header 16 | node 4 | pad 4 | conn 8
type CfgReload struct {
	Node totem.NodeID // of the sender
	Conn uint64       // the client to answer; means something to the sender only

	head Header
	pad  uint32
}

// Decode reads a CfgReload of exactly 32 bytes.
func (m *CfgReload) Decode(b []byte) (n int, err error) {
	return m.decode("cfg reload", CfgReloadFn, b)
}

// Append appends the message's 32 bytes.
func (m *CfgReload) Append(b []byte) []byte { return m.append(b, CfgReloadFn) }

func (m *CfgReload) decode(name string, fn int, b []byte) (n int, err error) {
	if err := m.head.readExact(name, b, MakeID(cfgService, fn), cfgSourceLen); err != nil {
		return 0, err
	}
	m.Node, m.pad = totem.NodeID(le.Uint32(b[16:])), le.Uint32(b[20:])
	m.Conn = le.Uint64(b[24:])
	return cfgSourceLen, nil
}

func (m *CfgReload) append(b []byte, fn int) []byte {
	b = m.head.appendAs(b, MakeID(cfgService, fn), cfgSourceLen)
	b = le.AppendUint32(b, uint32(m.Node))
	b = le.AppendUint32(b, m.pad)
	return le.AppendUint64(b, m.Conn)
}

// A CfgRingReenable had a meaning before 3.0 and is never sent since; receivers
// ignore it (struct req_exec_cfg_ringreenable, 32 bytes as a CfgReload).
type CfgRingReenable struct{ CfgReload }

// Decode reads a CfgRingReenable of exactly 32 bytes.
func (m *CfgRingReenable) Decode(b []byte) (n int, err error) {
	return m.decode("cfg ring reenable", CfgRingReenableFn, b)
}

// Append appends the message's 32 bytes.
func (m *CfgRingReenable) Append(b []byte) []byte { return m.append(b, CfgRingReenableFn) }

// A CfgShutdown says that the sender stops in good order, and is what makes it
// stop when it comes back to it (struct req_exec_cfg_shutdown, a bare header).
type CfgShutdown struct{ head Header }

// Decode reads a CfgShutdown of exactly 16 bytes.
func (m *CfgShutdown) Decode(b []byte) (n int, err error) {
	id := MakeID(cfgService, CfgShutdownFn)
	if err := m.head.readExact("cfg shutdown", b, id, cfgShutdownLen); err != nil {
		return 0, err
	}
	return cfgShutdownLen, nil
}

// Append appends the message's 16 bytes.
func (m *CfgShutdown) Append(b []byte) []byte {
	return m.head.appendAs(b, MakeID(cfgService, CfgShutdownFn), cfgShutdownLen)
}

// The phases of a change of keys (totem.h: cfg_message_crypto_reconfig_phase_t).
const (
	CryptoActivate = 1 // send with the new keys
	CryptoCleanup  = 2 // forget the old ones
)

// A CfgCrypto takes the sender, and nobody else, to the next phase of a change
// of keys (struct req_exec_cfg_crypto_reconfig, 24 bytes).
//
//	header 16 | phase 4 | pad 4
type CfgCrypto struct {
	Phase uint32

	head Header
	pad  uint32
}

// Decode reads a CfgCrypto of exactly 24 bytes.
func (m *CfgCrypto) Decode(b []byte) (n int, err error) {
	if err := m.head.readExact("cfg crypto", b, MakeID(cfgService, CfgCryptoFn), cfgCryptoLen); err != nil {
		return 0, err
	}
	m.Phase, m.pad = le.Uint32(b[16:]), le.Uint32(b[20:])
	return cfgCryptoLen, nil
}

// Append appends the message's 24 bytes.
func (m *CfgCrypto) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(cfgService, CfgCryptoFn), cfgCryptoLen)
	b = le.AppendUint32(b, m.Phase)
	return le.AppendUint32(b, m.pad)
}
