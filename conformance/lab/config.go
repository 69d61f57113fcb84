package lab

import (
	"fmt"
	"strings"
)

// A Ring says how the hosts of a Lab are configured as a cluster.
type Ring struct {
	Transport    string            // "knet", "udpu" or "udp"
	Cipher, Hash string            // knet; empty means none
	Token        int               // milliseconds; 0 means stock's default
	Totem        map[string]string // further keys of the totem section
	Quorum       string            // further lines of the quorum section
	Nodes        int               // 0 means every host
}

// Key is the key that lab clusters share: 256 bytes, byte i = i.
func Key() []byte {
	key := make([]byte, 256)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// Conf is the corosync.conf for the lab's hosts; it is the same for each.
func (l *Lab) Conf(r Ring) string {
	var b strings.Builder
	fmt.Fprintf(&b, "totem {\n  version: 2\n  cluster_name: lab\n  transport: %s\n", r.Transport)
	if r.Token != 0 {
		fmt.Fprintf(&b, "  token: %d\n", r.Token)
	}
	if r.Cipher != "" {
		fmt.Fprintf(&b, "  crypto_cipher: %s\n", r.Cipher)
	}
	if r.Hash != "" {
		fmt.Fprintf(&b, "  crypto_hash: %s\n", r.Hash)
	}
	for k, v := range r.Totem {
		fmt.Fprintf(&b, "  %s: %s\n", k, v)
	}
	b.WriteString("}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: hires\n}\n")
	fmt.Fprintf(&b, "quorum {\n  provider: corosync_votequorum\n%s}\nnodelist {\n", r.Quorum)
	nodes := r.Nodes
	if nodes == 0 {
		nodes = l.opt.Nodes
	}
	for id := 1; id <= nodes; id++ {
		fmt.Fprintf(&b, "  node {\n    nodeid: %d\n    name: n%d\n", id, id)
		for link := range l.opt.Links {
			fmt.Fprintf(&b, "    ring%d_addr: %s\n", link, l.Addr(id, link))
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}
