package node

import (
	"fmt"
	"slices"

	"cpgol/daemon/cmap"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
)

// linkStats are the statistics of one knet link, whose keys begin with prefix.
type linkStats struct {
	prefix string
	values []link.Value
}

// linkStats lists all links. This node itself is there once, under the number of
// its first link.
func (n *Node) linkStats() (all []linkStats) {
	k, ok := n.transport.(*net.Knet)
	if !ok {
		return nil
	}
	l := k.State()
	add := func(node uint32, number uint8, st link.LinkStatus) {
		all = append(all, linkStats{fmt.Sprintf("stats.knet.node%d.link%d.", node, number), st.Values(nil)})
	}
	for _, p := range k.Links() {
		if st, ok := l.Status(uint16(p.Node), p.Link); ok {
			add(uint32(p.Node), p.Link, st)
		}
	}
	add(n.cfg.Self, uint8(n.cfg.Links[0].Number), l.Loop())
	return all
}

// changeLinks changes links and tells clients that watch the statistics which have
// come and gone; corosync-notifyd learns so which links to watch
// (exec/stats.c: stats_knet_add_member, stats_knet_del_member).
func (n *Node) changeLinks(change func() error) error {
	before := n.linkStats()
	if err := change(); err != nil {
		return err
	}
	after := n.linkStats()
	tell := func(of, than []linkStats, tell func(string, cmap.Value)) {
		for _, one := range of {
			if slices.ContainsFunc(than, func(other linkStats) bool { return other.prefix == one.prefix }) {
				continue
			}
			for _, v := range one.values {
				tell(one.prefix+v.Name, number(v))
			}
		}
	}
	tell(before, after, n.cmap.StatRemoved)
	tell(after, before, n.cmap.StatAdded)
	return nil
}
