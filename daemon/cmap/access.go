package cmap

import "strings"

// A protection makes a key, or all that begin with a prefix, read-only.
type protection struct {
	key    string
	prefix bool
}

// Protect makes key, or with prefix all keys that begin with it, read-only for
// clients. The daemon itself goes on writing them (icmap_set_ro_access).
func (m *Map) Protect(key string, prefix bool) {
	p := protection{key, prefix}
	for _, q := range m.protected {
		if q == p {
			return
		}
	}
	m.protected = append(m.protected, p)
}

// Unprotect takes a protection back.
func (m *Map) Unprotect(key string, prefix bool) {
	for i, q := range m.protected {
		if q == (protection{key, prefix}) {
			m.protected = append(m.protected[:i:i], m.protected[i+1:]...)
			return
		}
	}
}

// ReadOnly reports whether clients may not change key. It need not exist
// (icmap_is_key_ro).
func (m *Map) ReadOnly(key string) bool {
	for _, p := range m.protected {
		if p.key == key || p.prefix && strings.HasPrefix(key, p.key) {
			return true
		}
	}
	return false
}

// protectDaemonKeys sets the protections that a daemon starts with
// (exec/main.c: set_icmap_ro_keys_flag; ip_dscp has taken rrp_mode's place
// since 3.1.7).
func protectDaemonKeys(m *Map) {
	for _, prefix := range []string{
		"internal_configuration.", "runtime.services.", "runtime.config.",
		"runtime.totem.", "uidgid.config.", "system.", "nodelist.",
	} {
		m.Protect(prefix, true)
	}
	for _, key := range []string{
		"totem.crypto_cipher", "totem.crypto_hash", "totem.crypto_model",
		"totem.keyfile", "totem.key", "totem.secauth", "totem.ip_version",
		"totem.rrp_mode", "totem.ip_dscp", "totem.transport",
		"totem.cluster_name", "totem.netmtu", "totem.threads", "totem.version",
		"totem.nodeid", "totem.clear_node_high_bit",
		"config.reload_in_progress", "config.totemconfig_reload_in_progress",
	} {
		m.Protect(key, false)
	}
}
