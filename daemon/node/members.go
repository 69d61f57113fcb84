package node

import (
	"fmt"
	"strings"

	"cpgol/daemon/cmap"
	"cpgol/wire/totem"
)

// memberJoined keeps the keys about a member (exec/main.c:member_object_joined).
// The address is written once, as the reference does: it cannot change while the
// node is configured.
func (n *Node) memberJoined(id totem.NodeID) {
	key := fmt.Sprintf("runtime.members.%d.", id)
	count := uint32(1)
	if old, ok := n.keys.U32(key + "join_count"); ok {
		count = old + 1
	} else {
		n.keys.Set(key+"ip", cmap.String(n.addresses(id)))
	}
	n.keys.Set(key+"join_count", cmap.U32(count))
	n.keys.Set(key+"status", cmap.String("joined"))
}

func (n *Node) memberLeft(id totem.NodeID) {
	n.keys.Set(fmt.Sprintf("runtime.members.%d.status", id), cmap.String("left"))
}

// addresses is the form of the reference: "r(0) ip(10.0.0.1) r(1) ip(10.1.0.1) ",
// with a blank at the end.
func (n *Node) addresses(id totem.NodeID) string {
	var b strings.Builder
	count := 0
	for _, node := range n.cfg.Nodes {
		if node.ID != uint32(id) {
			continue
		}
		for _, a := range node.Addrs {
			if a.IsValid() {
				fmt.Fprintf(&b, "r(%d) ip(%s) ", count, a)
				count++
			}
		}
	}
	return b.String()
}
