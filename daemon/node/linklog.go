package node

import (
	"context"
	"fmt"

	"cpgol/daemon/link"
	"cpgol/daemon/net"
)

// linkEvent tells of what knet's links did, in libknet's words (links.c, host.c,
// threads_pmtud.c).
func (n *Node) linkEvent(e link.Effect) {
	switch e.Kind {
	case link.LinkChanged:
		if e.Up {
			n.knet.Info(fmt.Sprintf("rx: host: %d link: %d is up", e.Host, e.Link))
		} else {
			n.knet.Info(fmt.Sprintf("link: host: %d link: %d is down", e.Host, e.Link))
		}
		n.bestLink(e.Host)
	case link.HostChanged:
		if !e.Up {
			n.knet.Warn(fmt.Sprintf("host: host: %d has no active links", e.Host))
		}
	case link.MTUChanged:
		n.knet.Info(fmt.Sprintf("pmtud: Global data MTU changed to: %d", e.MTU))
	case link.Dropped:
		if !e.Cause.Everyday() {
			n.dropf("knet "+e.Cause.String(), "packet from %v dropped: %v", e.To, e.Cause)
		}
	}
}

// bestLink tells which of a host's links is used, or how many are
// (host.c:_host_dstcache_update_async). With none left, libknet names the one it
// thought of last; HostChanged says all there is to say.
func (n *Node) bestLink(host uint16) {
	k, ok := n.transport.(*net.Knet)
	if !ok {
		return
	}
	best, priority, active := -1, -1, 0
	for _, l := range n.cfg.Links {
		if s, ok := k.State().Status(host, uint8(l.Number)); ok && s.Enabled && s.Connected {
			active++
			if int(l.Priority) > priority {
				best, priority = l.Number, int(l.Priority)
			}
		}
	}
	switch {
	case active == 0:
	case n.cfg.LinkMode == "passive":
		n.knet.Info(fmt.Sprintf("host: host: %d (passive) best link: %d (pri: %d)", host, best, priority))
	default:
		n.knet.Info(fmt.Sprintf("host: host: %d has %d active links", host, active))
	}
}

// transports are the reference's names of them (exec/totemnet.c).
var transports = map[string]string{"knet": "Kronosnet", "udpu": "UDP/IP Unicast", "udp": "UDP/IP Multicast"}

// tellTransport says at start what the ring goes over.
func (n *Node) tellTransport() {
	n.totem.Log(context.Background(), levelNotice, "Initializing transport ("+transports[n.cfg.Transport]+").")
}

// tellLinks says where this node is on each of knet's links, and with udpu whom it
// sends to. Other transports tell where they are when they open their socket.
func (n *Node) tellLinks() {
	for _, l := range n.cfg.Links {
		n.totem.Info(fmt.Sprintf("Configuring link %d", l.Number))
		for _, node := range n.cfg.Nodes {
			if a := node.Addrs[l.Number]; n.cfg.Transport == "udpu" && a.IsValid() {
				n.totem.Log(context.Background(), levelNotice, fmt.Sprintf("adding new UDPU member {%v}", a))
			}
		}
		if l.Local.IsValid() && n.cfg.Transport == "knet" {
			n.totem.Info(fmt.Sprintf("Configured link number %d: local addr: %v, port=%d", l.Number, l.Local, l.Port))
		}
	}
}
