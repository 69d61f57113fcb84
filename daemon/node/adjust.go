package node

import (
	"slices"
	"strings"

	"cpgol/compat/conf"
	"cpgol/daemon/cmap"
)

// keySet puts a key into force that a client has set or deleted. What makes no
// sense stays in the map, as in the reference, and is logged
// (exec/totemconfig.c:totem_change_notify).
func (r *reload) keySet(c cmap.Change) {
	if r.taking {
		return
	}
	n := r.n
	plan, err := conf.Adjust(n.cfg, n.liveKeys(c))
	if err == nil {
		err = r.applyToTransport(plan)
	}
	if err != nil {
		r.limited.Warn(err.Error() + "; what was in force stays so")
		return
	}
	r.taking = true
	was := n.cfg
	n.cfg = plan.Config
	n.engine.Reconfigure(engineConfig(n.cfg))
	for _, k := range n.cfg.Keys {
		if strings.HasPrefix(k.Name, "runtime.config.") {
			n.keys.Set(k.Name, value(k))
		}
	}
	r.applyLogging(was)
	for _, text := range plan.Notices {
		r.limited.Log(nil, levelNotice, text)
	}
	r.taking = false
}

// liveKeys is the map's part that clients may change and that counts at once. A
// key that is being deleted is still in the map when that is told.
func (n *Node) liveKeys(c cmap.Change) (keys []conf.Key) {
	for _, prefix := range []string{"totem.", "logging."} {
		for name := range n.keys.All(prefix) {
			if c.Event == cmap.Deleted && c.Key == name {
				continue
			}
			v, _ := n.keys.Get(name)
			k := conf.Key{Name: name, Type: conf.KeyType(v.Type())}
			switch k.Type {
			case conf.TypeString:
				k.Text = v.Text()
			case conf.TypeI32:
				k.Num = uint64(int64(int32(v.Uint())))
			default:
				k.Num = v.Uint()
			}
			if slices.Contains(keyTypes, k.Type) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// keyTypes are those that a configuration has. A key of another type is none.
var keyTypes = []conf.KeyType{conf.TypeU8, conf.TypeU16, conf.TypeI32, conf.TypeU32, conf.TypeU64, conf.TypeString}
