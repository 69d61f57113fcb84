package node

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/daemon/cfg"
	"cpgol/daemon/net"
	"cpgol/wire/totem"
)

// links answers what the tools ask about links (exec/totemknet.c, totemudpu.c:
// nodestatus_get, ifaces_get).
type links struct{ n *Node }

var _ cfg.Links = links{}

// configured finds a node of the configuration.
func (l links) configured(id totem.NodeID) (conf.Node, bool) {
	i := slices.IndexFunc(l.n.cfg.Nodes, func(c conf.Node) bool { return c.ID == uint32(id) })
	if i < 0 {
		return conf.Node{}, false
	}
	return l.n.cfg.Nodes[i], true
}

// Interfaces lists a node's links.
func (l links) Interfaces(id totem.NodeID) []cfg.Interface {
	node, ok := l.configured(id)
	if !ok {
		return nil
	}
	var out []cfg.Interface
	for _, link := range l.n.cfg.Links {
		if a := node.Addrs[link.Number]; a.IsValid() {
			out = append(out, cfg.Interface{Link: link.Number, Addr: a, Status: l.status(link.Number)})
		}
	}
	return out
}

// status is the link's state towards each node, by node ID.
func (l links) status(link int) string {
	k, ok := l.n.transport.(*net.Knet)
	if !ok {
		return "OK"
	}
	nodes := slices.Clone(l.n.cfg.Nodes)
	slices.SortFunc(nodes, func(a, b conf.Node) int { return int(a.ID) - int(b.ID) })
	var b []byte
	for _, node := range nodes {
		st, ok := k.State().Status(uint16(node.ID), uint8(link))
		switch {
		case node.ID == l.n.cfg.Self:
			b = append(b, 'n')
		case !ok:
			b = append(b, 'd')
		case st.Enabled && st.Connected:
			b = append(b, '3')
		case st.Enabled:
			b = append(b, '1')
		default:
			b = append(b, '0')
		}
	}
	return string(b)
}

// NodeStatus tells how a node is reached.
func (l links) NodeStatus(id totem.NodeID) (st abi.CfgNodeStatus, ok bool) {
	k, knet := l.n.transport.(*net.Knet)
	node, ok := l.configured(id)
	if !knet {
		return l.plainStatus(node, ok), true
	}
	if !ok {
		return st, false
	}
	// On-wire versions stay 0: libknet tells of them since its second release.
	if id == l.n.Self() {
		st.Reachable = true
		// Only the first link, which loops back, is known to the reference.
		first := l.n.cfg.Links[0]
		self := k.State().Loop()
		st.Links[first.Number] = abi.CfgLink{
			Enabled: self.Enabled, Connected: self.Connected, MTU: uint32(self.MTU),
			Source: first.Local.String(), Target: first.Local.String(),
		}
		return st, true
	}
	st.Reachable = k.State().Reachable(uint16(id))
	for _, link := range l.n.cfg.Links {
		s, ok := k.State().Status(uint16(id), uint8(link.Number))
		if !ok {
			continue
		}
		st.Links[link.Number] = abi.CfgLink{
			Enabled: s.Enabled, Connected: s.Connected, MTU: uint32(s.MTU),
			Source: link.Local.String(), Target: node.Addrs[link.Number].String(),
		}
	}
	return st, true
}

// plainStatus is what the reference tells of a node with udpu and udp: the ring
// says whether it is reached, and its address stands where its source would. Of
// unknown nodes it says nothing, not even that they are unknown.
func (l links) plainStatus(node conf.Node, known bool) (st abi.CfgNodeStatus) {
	st.Reachable = known && slices.Contains(l.n.engine.Members(), totem.NodeID(node.ID))
	if !known {
		return st
	}
	bound := true
	for _, other := range l.n.transport.Links() {
		bound = other.Connected // this node's address is there, for all alike
	}
	st.Links[0] = abi.CfgLink{
		Enabled: bound, Connected: st.Reachable,
		MTU:    uint32(l.n.cfg.NetMTU - 2*totem.McastLen), // what messages get of it (totemsrp_net_mtu_adjust)
		Source: node.Addrs[l.n.cfg.Links[0].Number].String(),
	}
	return st
}
