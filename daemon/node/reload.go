package node

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/cfg"
	"cpgol/daemon/cmap"
	"cpgol/daemon/logs"
	"cpgol/daemon/net"
	"cpgol/daemon/service"
)

// A Reader reads the configuration again for a node that runs with another one.
// It is called from a goroutine of its own, one at a time.
type Reader func(running *conf.Config) (*conf.Plan, error)

// OnReload makes a client's request to reload the configuration go on with what
// read returns; without it such requests are not supported. logging, if not nil,
// puts the logging section into force.
func (n *Node) OnReload(read Reader, logging func(*conf.Config) error) {
	if s, ok := slotAs[*cfg.Service](n.slot(service.CFG)); ok {
		r := newReload(n, read, logging)
		s.Reload, s.CryptoPhase = r.run, r.rekey.phase
	}
}

// newReload also puts keys into force that clients set from now on.
func newReload(n *Node, read Reader, logging func(*conf.Config) error) *reload {
	r := &reload{
		n: n, read: read, logging: logging, rekey: rekey{n: n, slot: 1},
		log: logs.Subsystem(n.log, "CFG"), limited: n.limited("CFG"),
	}
	n.keys.Track("totem.", cmap.AllEvents|cmap.Prefix, r.keySet)
	n.keys.Track("logging.", cmap.AllEvents|cmap.Prefix, r.keySet)
	return r
}

// reload takes a changed configuration over while the node runs: all of it is
// found right first, then all is put into force
// (exec/cfg.c:message_handler_req_exec_cfg_reload_config).
type reload struct {
	n       *Node
	log     *slog.Logger // CFG
	limited *slog.Logger // CFG, for what clients can cause
	read    Reader
	logging func(*conf.Config) error
	pending chan reading // a reading that took too long; nil: none
	taking  bool         // a configuration is being put into force: keys change for that
	rekey   rekey
}

type reading struct {
	plan *conf.Plan
	err  error
}

// run reads and applies. What can fail comes first.
func (r *reload) run() (cryptoChanged bool, err error) {
	plan, err := r.plan()
	if err != nil {
		return false, err
	}
	if err := r.applyToTransport(plan); err != nil {
		return false, err
	}
	r.taking = true
	r.apply(plan)
	r.taking = false
	return plan.Crypto, nil
}

// readTime is how long the loop waits for a file. It cannot go on meanwhile: all
// nodes must have the new key before any sends with it. A file on a dead server
// and a resolver without an answer must not cost the ring its token.
const readTime = time.Second

var errSlow = errors.New("Unable to reload config file: it could not be read in time")

// plan reads the configuration aside and waits for it, but not for long.
func (r *reload) plan() (*conf.Plan, error) {
	if r.pending != nil {
		select {
		case <-r.pending: // too late for what asked for it
			r.pending = nil
		default:
			return nil, errSlow
		}
	}
	done, running := make(chan reading, 1), r.n.cfg
	go func() {
		plan, err := r.read(running)
		done <- reading{plan, err}
	}()
	limit := time.NewTimer(min(readTime, running.Totem.Token/2))
	defer limit.Stop()
	select {
	case got := <-done:
		return got.plan, got.err
	case <-limit.C:
		r.pending = done
		return nil, errSlow
	}
}

// applyToTransport puts nodes, links and keys into force. An error has changed
// nothing.
func (r *reload) applyToTransport(plan *conf.Plan) error {
	n, c := r.n, plan.Config
	switch t := n.transport.(type) {
	case knetLike:
		if plan.Crypto && r.rekey.running {
			return errors.New("Crypto configuration is not valid: the change of keys before is not over yet")
		}
		k, err := knetConfig(c)
		if err == nil {
			err = n.changeLinks(func() error { return t.Reconfigure(n.Now(), k) })
		}
		if err != nil {
			return fmt.Errorf("Configuration is not valid: %w", err)
		}
		if plan.Crypto {
			r.rekey.load(t, k.Crypto)
		}
	case *net.UDPU:
		if err := t.Reconfigure(net.UDPUConfig{PlainConfig: n.plain(c), BlockUnlisted: c.BlockUnlistedIPs}); err != nil {
			return fmt.Errorf("Configuration is not valid: %w", err)
		}
	case *net.UDP:
		if err := t.Reconfigure(n.plain(c)); err != nil {
			return fmt.Errorf("Configuration is not valid: %w", err)
		}
	}
	return nil
}

// apply puts the rest into force, none of which can fail.
func (r *reload) apply(plan *conf.Plan) {
	n := r.n
	was, addresses := n.cfg, n.orders.Addresses()
	n.cfg = plan.Config
	if !slices.Equal(addresses, n.orders.Addresses()) {
		n.offload.Renew()
	}
	n.engine.Reconfigure(engineConfig(n.cfg))
	n.replaceKeys()
	r.applyLogging(was)
	for _, text := range plan.Notices {
		r.log.Log(nil, levelNotice, text)
	}
}

// applyLogging puts the logging section into force if it changed.
func (r *reload) applyLogging(was *conf.Config) {
	if r.logging == nil || reflect.DeepEqual(was.Logging, r.n.cfg.Logging) {
		return
	}
	if err := r.logging(r.n.cfg); err != nil {
		r.log.Error(err.Error() + "; lines go where they went")
	}
}

// replaceKeys brings the map in line with the configuration: what other keys there
// are in the parts that come from a file goes.
func (n *Node) replaceKeys() {
	has := make(map[string]bool, len(n.cfg.Keys))
	for _, k := range n.cfg.Keys {
		has[k.Name] = true
	}
	var gone []string
	for _, prefix := range conf.ReloadedPrefixes {
		for key := range n.keys.All(prefix) {
			if !has[key] {
				gone = append(gone, key)
			}
		}
	}
	for _, key := range gone {
		n.keys.Delete(key)
	}
	n.configKeys()
}
