package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// openTransportSoon opens the transport, and tries for some seconds if another
// program has the port: a daemon that was just killed may not be gone altogether
// (exec/totemudpu.c:totemudpu_build_sockets_ip).
func (n *Node) openTransportSoon() (net.Transport, error) {
	for try := 1; ; try++ {
		t, err := n.openTransport()
		if try == bindTries || !errors.Is(err, syscall.EADDRINUSE) {
			return t, err
		}
		n.totem.Warn(err.Error())
		time.Sleep(time.Duration(try) * 100 * time.Millisecond) // the loop does not run yet
	}
}

const bindTries = 10

// openTransport makes the transport that the configuration names.
func (n *Node) openTransport() (net.Transport, error) {
	if len(n.cfg.Links) == 0 {
		return nil, fmt.Errorf("no link is configured")
	}
	switch n.cfg.Transport {
	case "knet":
		return n.openKnet()
	case "udpu":
		return net.NewUDPU(n.poller, net.UDPUConfig{PlainConfig: n.plain(n.cfg), BlockUnlisted: n.cfg.BlockUnlistedIPs})
	case "udp":
		l := n.cfg.Links[0]
		return net.NewUDP(n.poller, net.UDPConfig{PlainConfig: n.plain(n.cfg), Group: l.McastAddr, Broadcast: l.Broadcast, TTL: l.TTL})
	}
	return nil, fmt.Errorf("totem.transport: %q is no transport; knet, udpu and udp are", n.cfg.Transport)
}

// plain is what udpu and udp share: one link, the first.
func (n *Node) plain(c *conf.Config) net.PlainConfig {
	l := c.Links[0]
	p := net.PlainConfig{
		Node: n.Self(), Local: netip.AddrPortFrom(l.Local, l.Port), DownCheck: c.Totem.Downcheck,
		Clock: n.Now, Receive: n.receive, Refused: n.unlisted, Changed: n.interfaceChanged,
	}
	for _, m := range c.Nodes {
		if a := m.Addrs[l.Number]; a.IsValid() {
			p.Members = append(p.Members, net.Member{Node: totem.NodeID(m.ID), Addr: netip.AddrPortFrom(a, l.Port)})
		}
	}
	return p
}

func (n *Node) unlisted(from netip.AddrPort) {
	n.dropf("unlisted", "packet from %v dropped: no member has that address", from)
}

func (n *Node) interfaceChanged(up bool, err error) {
	switch {
	case up:
		n.totem.Log(context.Background(), levelNotice, fmt.Sprintf("The network interface [%v] is now up.", n.cfg.Links[0].Local))
	case err != nil:
		n.totem.Error("can't use the network interface: " + err.Error())
	default:
		n.totem.Log(context.Background(), levelNotice, "The network interface is down.")
	}
}

var policies = map[string]link.Policy{"passive": link.Passive, "active": link.Active, "rr": link.RoundRobin}

func (n *Node) openKnet() (net.Transport, error) {
	c, err := knetConfig(n.cfg)
	if err != nil {
		return nil, err
	}
	return net.NewKnet(n.poller, net.KnetConfig{
		Config: c, Clock: n.Now, Receive: n.receive, Event: n.linkEvent,
	})
}

// knetConfig picks knet's part of the configuration.
func knetConfig(c *conf.Config) (link.Config, error) {
	policy, ok := policies[c.LinkMode]
	if !ok {
		return link.Config{}, fmt.Errorf("totem.link_mode: %q is none of passive, active, rr", c.LinkMode)
	}
	out := link.Config{
		Node: uint16(c.Self), Policy: policy, PMTUDInterval: c.PMTUDInterval, MTU: c.KnetMTU,
		BlockUnlisted: c.BlockUnlistedIPs, Rand: rand.Reader,
	}
	if c.Key != nil {
		crypto, err := knet.NewCrypto(c.Cipher, c.Hash, c.Key)
		if err != nil {
			return link.Config{}, fmt.Errorf("crypto: %w", err)
		}
		out.Crypto = crypto
	}
	if c.Compression.Model != "none" {
		method, ok := knet.MethodByName(c.Compression.Model)
		if !ok {
			return link.Config{}, fmt.Errorf("totem.knet_compression_model: %q is no method", c.Compression.Model)
		}
		out.Compression = link.Compression{Method: method, Level: c.Compression.Level, Threshold: int(c.Compression.Threshold)}
	}
	for _, node := range c.Nodes {
		if node.ID != c.Self {
			out.Hosts = append(out.Hosts, knetHost(c, node))
		}
	}
	return out, nil
}

func knetHost(c *conf.Config, node conf.Node) link.Host {
	h := link.Host{ID: uint16(node.ID)}
	for _, l := range c.Links {
		if !node.Addrs[l.Number].IsValid() || !l.Local.IsValid() {
			continue
		}
		h.Links = append(h.Links, link.Link{
			ID:    uint8(l.Number),
			Local: netip.AddrPortFrom(l.Local, l.Port), Remote: netip.AddrPortFrom(node.Addrs[l.Number], l.Port),
			Priority: l.Priority, PingInterval: l.PingInterval, PongTimeout: l.PingTimeout,
			PongCount: uint8(l.PongCount), Precision: l.PingPrecision,
		})
	}
	return h
}
