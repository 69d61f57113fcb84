package votequorum_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/service"
	"cpgol/daemon/votequorum"
)

// nodeList is a map with n nodes of one vote each, the local one first.
func nodeList(n int, more map[string]cmap.Value) map[string]cmap.Value {
	keys := map[string]cmap.Value{"nodelist.local_node_pos": cmap.U32(0)}
	for i := range n {
		keys[fmt.Sprintf("nodelist.node.%d.nodeid", i)] = cmap.U32(uint32(i + 1))
		keys[fmt.Sprintf("nodelist.node.%d.ring0_addr", i)] = cmap.String("10.0.0.1")
	}
	for k, v := range more {
		keys[k] = v
	}
	return keys
}

var device = cmap.String("net")

// TestStartErrors: what the daemon does not start with (config.md 2.5, 3.3).
func TestStartErrors(t *testing.T) {
	const prefix = "configuration error: "
	on := cmap.U8(1)
	for name, c := range map[string]struct {
		keys map[string]cmap.Value
		want string // "" starts
	}{
		"nothing": {map[string]cmap.Value{}, prefix + "nodelist or quorum.expected_votes must be configured!"},
		"nodelist without the local node": {map[string]cmap.Value{"nodelist.node.0.nodeid": cmap.U32(1)},
			prefix + "nodelist or quorum.expected_votes must be configured!"},
		"only expected votes": {map[string]cmap.Value{"quorum.expected_votes": cmap.U32(2)}, ""},
		"nodelist":            {nodeList(1, nil), ""},
		"two_node, device": {nodeList(2, map[string]cmap.Value{"quorum.two_node": on, "quorum.device.model": device}),
			prefix + "two_node and quorum device cannot be configured at the same time!"},
		"no model": {nodeList(2, map[string]cmap.Value{"quorum.two_node": on, "quorum.device.model": cmap.String("")}), ""},
		"last_man_standing, device": {nodeList(2, map[string]cmap.Value{"quorum.last_man_standing": on, "quorum.device.model": device}),
			prefix + "quorum.device is not compatible with last_man_standing"},
		"auto_tie_breaker, device": {nodeList(2, map[string]cmap.Value{"quorum.auto_tie_breaker": on, "quorum.device.model": device}),
			prefix + "quorum.device is not compatible with auto_tie_breaker"},
		"auto_tie_breaker switched off, device": {nodeList(3, map[string]cmap.Value{"quorum.auto_tie_breaker": on, "quorum.device.model": device}), ""},
		"allow_downscale, device": {nodeList(2, map[string]cmap.Value{"quorum.allow_downscale": on, "quorum.device.model": device}),
			prefix + "quorum.device is not compatible with allow_downscale"},
		"expected_votes, device without votes": {nodeList(2, map[string]cmap.Value{"quorum.expected_votes": cmap.U32(3), "quorum.device.model": device}),
			prefix + "quorum.device.votes must be specified when quorum.expected_votes is set"},
		"uneven votes, device without votes": {nodeList(2, map[string]cmap.Value{"nodelist.node.1.quorum_votes": cmap.U32(2), "quorum.device.model": device}),
			prefix + "quorum.device.votes must be specified when not all nodes votes 1"},
		"device's votes too high": {nodeList(2, map[string]cmap.Value{"quorum.expected_votes": cmap.U32(3), "quorum.device.votes": cmap.U32(2), "quorum.device.model": device}),
			prefix + "quorum.device.votes is too high or expected_votes is too low"},
		"device's votes fit": {nodeList(2, map[string]cmap.Value{"quorum.expected_votes": cmap.U32(3), "quorum.device.votes": cmap.U32(1), "quorum.device.model": device}), ""},
		"tie breaker, last man, odd": {nodeList(3, map[string]cmap.Value{"quorum.auto_tie_breaker": on, "quorum.last_man_standing": on}),
			prefix + "auto_tie_breaker & last_man_standing not available in odd sized cluster"},
		"tie breaker, last man, odd, waits": {nodeList(3, map[string]cmap.Value{"quorum.auto_tie_breaker": on, "quorum.last_man_standing": on, "quorum.wait_for_all": on}), ""},
		"tracking without a directory":      {nodeList(1, map[string]cmap.Value{"quorum.expected_votes_tracking": on}), "Unable to load ev_tracking file!"},
	} {
		t.Run(name, func(t *testing.T) {
			m := cmap.NewMap()
			for k, v := range c.keys {
				m.Set(k, v)
			}
			ringtest.New(t).Start(1, func(h *ringtest.Node) []service.Service {
				opt := votequorum.Options{}
				if strings.HasPrefix(name, "tracking") {
					opt.Tracking = votequorum.TrackingFile("/nowhere")
				}
				_, err := votequorum.New(h, m, &voter{}, opt)
				if err == nil && c.want != "" || err != nil && err.Error() != c.want {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return nil
			})
		})
	}
}

// TestDeviceVotes: without votes of its own a device has one less than the
// nodes, and they are expected.
func TestDeviceVotes(t *testing.T) {
	c := ringtest.New(t)
	v := startVoter(t, c, 1, votequorum.Options{}, nodeList(3, map[string]cmap.Value{"quorum.device.model": device}))
	if i := v.info(t, 0); i.DeviceVotes != 2 || i.Expected != 5 || i.Total != 1 || i.Quorum != 3 {
		t.Errorf("%+v", i)
	}
	if on, _ := v.m.U8("runtime.votequorum.qdevice_can_operate"); on != 1 {
		t.Error("device cannot operate")
	}
	v.m.Set("quorum.two_node", cmap.U8(1))
	if on, _ := v.m.U8("runtime.votequorum.qdevice_can_operate"); on != 0 {
		t.Error("device can operate beside two_node")
	}
}

// TestNoNodeList: votes and expected votes of the quorum section.
func TestNoNodeList(t *testing.T) {
	c := ringtest.New(t)
	v := startVoter(t, c, 7, votequorum.Options{}, map[string]cmap.Value{
		"quorum.expected_votes": cmap.U32(6), "quorum.votes": cmap.U32(4)})
	c.Form([]*ringtest.Node{v.Node})
	if i := v.info(t, 0); i.Node != 7 || i.Votes != 4 || i.Expected != 6 || i.Quorum != 4 || !v.quorate {
		t.Errorf("quorate %v, %+v", v.quorate, i)
	}
}

// TestQuorumWraps: 8 bits hold the quorum, in the reference as here.
func TestQuorumWraps(t *testing.T) {
	c := ringtest.New(t)
	v := startVoter(t, c, 1, votequorum.Options{}, map[string]cmap.Value{"quorum.expected_votes": cmap.U32(520)})
	if i := v.info(t, 0); i.Quorum != 261-256 {
		t.Errorf("%+v", i)
	}
}

// TestReloadGate: while a reload runs, and after one that failed, the
// configuration is left alone.
func TestReloadGate(t *testing.T) {
	c := ringtest.New(t)
	v := startVoter(t, c, 1, votequorum.Options{}, nodeList(3, nil))
	c.Form([]*ringtest.Node{v.Node})
	before := len(v.Sent)
	expected := func() uint32 { return v.info(t, 0).Expected }
	v.m.Set("config.totemconfig_reload_in_progress", cmap.U8(1))
	v.m.Set("quorum.expected_votes", cmap.U32(7))
	v.m.Set("config.reload_status", cmap.I32(int32(abi.InvalidParam)))
	v.m.Set("config.totemconfig_reload_in_progress", cmap.U8(0))
	if e := expected(); e != 3 || len(v.Sent) != before {
		t.Errorf("after a failed reload: expected %d, %d messages", e, len(v.Sent)-before)
	}
	v.m.Set("config.totemconfig_reload_in_progress", cmap.U8(1))
	v.m.Set("config.reload_status", cmap.I32(int32(abi.OK)))
	v.m.Set("config.totemconfig_reload_in_progress", cmap.U8(0))
	if e := expected(); e != 7 {
		t.Errorf("after a reload: expected %d", e)
	}
	if got := names(t, v.Sent[before:]); got != "nodeinfo(1) nodeinfo(0) reconfigure(1:7)" {
		t.Errorf("sent %s", got)
	}
}

// TestCancelWait: the trigger resets itself, which reads the configuration
// first; so the nodes' votes come before the cancellation.
func TestCancelWait(t *testing.T) {
	c := ringtest.New(t)
	v := startVoter(t, c, 1, votequorum.Options{}, nodeList(2, map[string]cmap.Value{"quorum.two_node": cmap.U8(1)}))
	c.Form([]*ringtest.Node{v.Node})
	before := len(v.Sent)
	v.m.Set("quorum.cancel_wait_for_all", cmap.U8(1))
	if got := names(t, v.Sent[before:]); got != "nodeinfo(1) nodeinfo(0) reconfigure(3:0)" {
		t.Errorf("sent %s", got)
	}
	if on, ok := v.m.U8("quorum.cancel_wait_for_all"); on != 0 || !ok {
		t.Errorf("trigger is %d", on)
	}
	c.Run()
	if !v.quorate {
		t.Error("still waiting")
	}
	v.m.Set("quorum.cancel_wait_for_all", cmap.String("no number"))
	c.Advance(time.Second)
}

// TestReadOnlyKeys: what counts at the start only, clients cannot change.
func TestReadOnlyKeys(t *testing.T) {
	v := startVoter(t, ringtest.New(t), 1, votequorum.Options{}, nodeList(1, nil))
	for key, want := range map[string]bool{
		"quorum.allow_downscale": true, "quorum.wait_for_all": true, "quorum.auto_tie_breaker_node": true,
		"quorum.last_man_standing_window": true, "quorum.two_node": false, "quorum.expected_votes": false,
	} {
		if got := v.m.ReadOnly(key); got != want {
			t.Errorf("%s: read-only %v", key, got)
		}
	}
}
