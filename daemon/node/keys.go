package node

import (
	"context"
	"fmt"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
)

// setKeys fills the map with what the configuration says, as the reference's
// tools find it (services.md 7.5).
func (n *Node) setKeys() {
	n.configKeys()
	n.keys.Set("runtime.blackbox.dump_flight_data", cmap.String("no"))
	n.keys.Set("runtime.blackbox.dump_state", cmap.String("no"))
	n.keys.Set("runtime.force_gather", cmap.String("no"))
	n.keys.Track("runtime.force_gather", cmap.Added|cmap.Modified, n.forceGather)
}

// configKeys sets the configuration's keys.
func (n *Node) configKeys() {
	for _, k := range n.cfg.Keys {
		if st := n.keys.Set(k.Name, value(k)); st != abi.OK {
			n.log.Warn(fmt.Sprintf("configuration key %s is not kept: %v", k.Name, st))
		}
	}
}

func value(k conf.Key) cmap.Value {
	switch k.Type {
	case conf.TypeU8:
		return cmap.U8(uint8(k.Num))
	case conf.TypeU16:
		return cmap.U16(uint16(k.Num))
	case conf.TypeI32:
		return cmap.I32(int32(k.Num))
	case conf.TypeU32:
		return cmap.U32(uint32(k.Num))
	case conf.TypeU64:
		return cmap.U64(k.Num)
	}
	return cmap.String(k.Text)
}

// forceGather lets an administrator make the ring form anew by setting the key
// to anything but "no" (exec/main.c:force_gather_notify_fn).
func (n *Node) forceGather(c cmap.Change) {
	if c.New.Text() == "no" {
		return
	}
	n.keys.Set("runtime.force_gather", cmap.String("no"))
	n.log.Error("Forcing into GATHER state")
	n.engine.ForceGather(n.Now(), &n.out)
}

// add puts a service into its place and publishes its keys
// (exec/service.c:corosync_service_link_and_init).
func (n *Node) add(s service.Service) {
	p := &slot{Service: s, requests: s.Requests(), messages: s.Messages()}
	n.services[s.ID()] = p
	config := fmt.Sprintf("internal_configuration.service.%d.", s.ID())
	n.keys.Set(config+"name", cmap.String("corosync_"+s.Name()))
	n.keys.Set(config+"ver", cmap.U32(0))
	runtime := "runtime.services." + s.Name() + "."
	n.keys.Set(runtime+"service_id", cmap.U16(uint16(s.ID())))
	for fn := range p.messages {
		p.tx = append(p.tx, n.keys.Counter(fmt.Sprintf("%s%d.tx", runtime, fn)))
		p.rx = append(p.rx, n.keys.Counter(fmt.Sprintf("%s%d.rx", runtime, fn)))
	}
	n.serv.Log(context.Background(), levelNotice, fmt.Sprintf("Service engine loaded: %s [%d]", describe(s), s.ID()))
}
