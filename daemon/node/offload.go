package node

import (
	"bytes"
	"net/netip"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/cpg"
	"cpgol/daemon/offload"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	wire "cpgol/wire/offload"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// groupOffload is the process group of what our nodes say of offloaded messages.
// The reference's nodes are not in it.
var groupOffload = pg.AppendGroup(nil, wire.Group)

// orders is the node as the ordering of offloaded messages sees it.
type orders struct {
	n      *Node
	issuer *issuer // nil until it is needed, and again when the key changed
}

var _ offload.Host = (*orders)(nil)

// addOffload puts the ordering beside the process groups.
func (n *Node) addOffload(groups *cpg.Service) {
	n.orders = &orders{n: n}
	n.offload = offload.New(n.orders, groups, true)
	n.offload.Log = n.limited("CPG")
	groups.Observe(n.offload)
	n.timers.after(n.Now()+renewal, n.renewOffload)
}

// renewal is how often libraries ask for new certificates, well before the old
// ones end.
const renewal = certificateLife / 2

func (n *Node) renewOffload() {
	n.offload.Renew()
	n.timers.after(n.Now()+renewal, n.renewOffload)
}

// rekeyOffload makes all certificates new, as the cluster's key is.
func (n *Node) rekeyOffload() {
	n.orders.issuer = nil
	n.offload.Renew()
}

func (o *orders) Self() totem.NodeID { return o.n.Self() }

func (o *orders) After(d time.Duration, f func()) (cancel func()) { return o.n.After(d, f) }

func (o *orders) MulticastOffload(msg []byte) error {
	if o.n.engine.Send(o.n.Now(), &o.n.out, groupOffload, msg) != nil {
		return service.ErrQueueFull
	}
	return nil
}

func (o *orders) SyncInProgress() bool { return o.n.SyncInProgress() }

func (o *orders) RingMembers() []totem.NodeID { return o.n.engine.Members() }

// RestEarly leaves a representative alone whose administrator chose when its token
// is held.
func (o *orders) RestEarly(ring totem.RingID) {
	if ring.Rep != o.Self() || o.n.cfg.Totem.SeqUnchanged == conf.DefaultSeqUnchanged {
		o.n.engine.RestEarly(ring)
	}
}

// Addresses are this node's own on the ring's links.
func (o *orders) Addresses() (all []netip.Addr) {
	for _, l := range o.n.cfg.Links {
		if l.Local.IsValid() {
			all = append(all, l.Local)
		}
	}
	return all
}

func (o *orders) Certificate(key []byte, group exec.GroupName, pid uint32) (cert, root []byte, err error) {
	if o.issuer == nil {
		if o.issuer, err = newIssuer(o.n.cfg.Name, o.n.cfg.Key, time.Now()); err != nil {
			return nil, nil, err
		}
	}
	return o.issuer.certificate(key, wire.Member{Node: o.Self(), PID: pid}, group, time.Now())
}

// toOffload reports whether a message is of that group, and delivers it.
func (n *Node) toOffload(msg []byte) bool {
	payload, ok := bytes.CutPrefix(msg, groupOffload)
	if ok {
		n.offload.Deliver(n.from, payload)
	}
	return ok
}
