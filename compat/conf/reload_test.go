package conf

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loaded is the configuration that runs, from a text.
func loaded(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Load("node.toml", tomlHost(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keyText(c *Config, name string) string {
	i := slices.IndexFunc(c.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return "none"
	}
	return c.Keys[i].Value()
}

// TestReloadKeeps: what cannot change stays as it runs, and is named; what only
// counts from the next start on is named too.
func TestReloadKeeps(t *testing.T) {
	base := withNodes(3, "quorum {\nprovider: corosync_votequorum\n}\n")
	running := loaded(t, strings.Replace(base, "version: 2", "version: 2\ncluster_name: one\nip_version: ipv4", 1))
	for _, c := range []struct {
		name, from, to string
		notices        []string
		keys           map[string]string
	}{
		{name: "nothing", from: "version: 2", to: "version: 2\ncluster_name: one\nip_version: ipv4"},
		{name: "another name, a transport", from: "version: 2", to: "version: 2\ncluster_name: two\nip_version: ipv4\ntransport: udpu",
			notices: []string{"Modified entry 'totem.cluster_name' in corosync.conf cannot be changed at run-time",
				"Modified entry 'totem.transport' in corosync.conf cannot be changed at run-time"},
			keys: map[string]string{"totem.cluster_name": "one", "totem.transport": "none"}},
		{name: "gone", from: "version: 2", to: "version: 2\ncluster_name: one",
			notices: []string{"Removed entry 'totem.ip_version' in corosync.conf cannot be changed at run-time"},
			keys:    map[string]string{"totem.ip_version": "ipv4"}},
		{name: "the default spelled out", from: "version: 2", to: "version: 2\ncluster_name: one\nip_version: ipv4\nnetmtu: 65536",
			notices: []string{"Modified entry 'totem.netmtu' in corosync.conf cannot be changed at run-time"},
			keys:    map[string]string{"totem.netmtu": "none"}},
		{name: "provider and system", from: "corosync_votequorum\n}", to: "corosync_ykd\n}\nsystem {\nsched_rr: no\n}",
			notices: []string{"Modified entry 'quorum.provider' in corosync.conf cannot be changed at run-time",
				"Modified entry 'system.sched_rr' in corosync.conf cannot be changed at run-time",
				"Removed entry 'totem.cluster_name' in corosync.conf cannot be changed at run-time",
				"Removed entry 'totem.ip_version' in corosync.conf cannot be changed at run-time"},
			keys: map[string]string{"quorum.provider": "corosync_votequorum", "system.sched_rr": "none"}},
		{name: "a port", from: "version: 2", to: "version: 2\ncluster_name: one\nip_version: ipv4\ninterface {\nmcastport: 5555\n}",
			notices: []string{"Modified entry 'totem.interface.0.mcastport' in corosync.conf cannot be changed at run-time"},
			keys:    map[string]string{"totem.interface.0.mcastport": "none"}},
		{name: "later", from: "version: 2", to: "version: 2\ncluster_name: one\nip_version: ipv4\nlink_mode: active",
			notices: []string{"Entry 'totem.link_mode' was changed and takes effect at the next start"},
			keys:    map[string]string{"totem.link_mode": "active"}},
	} {
		p, err := Reload("node.toml", tomlHost(strings.Replace(base, c.from, c.to, 1)), running)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.notices, p.Notices); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		for key, want := range c.keys {
			if got := keyText(p.Config, key); got != want {
				t.Errorf("%s: %s is %s, want %s", c.name, key, got, want)
			}
		}
		if p.Config.Transport != "knet" || p.Config.NetMTU != running.NetMTU || p.Config.Links[0].Port != 5405 {
			t.Errorf("%s: %s, %d, %d", c.name, p.Config.Transport, p.Config.NetMTU, p.Config.Links[0].Port)
		}
	}
}

// TestReloadTakes: timers, nodes, links and keys change, twice in a row too.
func TestReloadTakes(t *testing.T) {
	running := loaded(t, withNodes(3, ""))
	reload := func(text string) *Plan {
		t.Helper()
		p, err := Reload("node.toml", tomlHost(text), running)
		if err != nil {
			t.Fatal(err)
		}
		running = p.Config
		return p
	}
	if p := reload(withNodes(4, "")); len(p.Config.Nodes) != 4 || p.Crypto || p.Config.Totem.Token != 4300*time.Millisecond || len(p.Notices) > 0 {
		t.Errorf("a fourth node: %d nodes, token %v, %q", len(p.Config.Nodes), p.Config.Totem.Token, p.Notices)
	}
	two := withNodes(3, "")
	for _, d := range []string{"1", "2", "3"} {
		two = strings.Replace(two, "ring0_addr: 192.0.2."+d, "ring0_addr: 192.0.2."+d+"\nring1_addr: 198.51.100."+d, 1)
	}
	if p := reload(two); len(p.Config.Links) != 2 || len(p.Config.Nodes) != 3 {
		t.Errorf("a second link: %+v", p.Config.Links)
	}
	if p := reload(withNodes(3, "")); len(p.Config.Links) != 1 {
		t.Errorf("the link goes: %+v", p.Config.Links)
	}
	key := "key: " + strings.Repeat("k", 200)
	p := reload(strings.Replace(withNodes(3, ""), "version: 2", "version: 2\ncrypto_cipher: aes256\ncrypto_hash: sha256\n"+key, 1))
	if !p.Crypto || p.Config.Cipher != "aes256" || len(p.Config.Key) != 201 {
		t.Errorf("crypto: %+v", p)
	}
	p = reload(strings.Replace(withNodes(3, ""), "version: 2", "version: 2\ncrypto_cipher: aes256\ncrypto_hash: sha256\n"+key+"x", 1))
	if !p.Crypto {
		t.Error("another key is no change")
	}
	p = reload(strings.Replace(withNodes(3, ""), "version: 2", "version: 2\ntoken: 5000\ncrypto_cipher: aes256\ncrypto_hash: sha256\n"+key+"x", 1))
	if p.Crypto || p.Config.Totem.Token != 5650*time.Millisecond {
		t.Errorf("only the token: %+v", p)
	}
}

// TestReloadRefuses: what is wrong, in the file or for the running ring, is
// refused whole, with what was being done and why.
func TestReloadRefuses(t *testing.T) {
	base := withNodes(3, "")
	running := loaded(t, base)
	for name, c := range map[string]struct{ text, want string }{
		"garbage":    {"\x00\x01\x02}{\n}", "Unable to reload config file: node.toml:"},
		"empty":      {"", "Configuration is not valid: node.toml: No interfaces defined"},
		"moved":      {strings.Replace(base, "192.0.2.2", "192.0.2.22", 1), "Cannot configure new interface definitions: node.toml:"},
		"renumbered": {strings.Replace(base, "nodeid: 1", "nodeid: 9", 1), "(from 1 to 9)"},
		"not us":     {strings.Replace(strings.Replace(base, "node1", "other", 1), "192.0.2.1\n", "192.0.2.99\n", 1), "Configuration is not valid: node.toml: "},
		"token":      {strings.Replace(base, "version: 2", "version: 2\ntoken: 20\ntoken_coefficient: 0", 1), "Configuration is not valid: node.toml:3: totem.token: The token timeout"},
		"no key":     {strings.Replace(base, "version: 2", "version: 2\ncrypto_hash: sha256\nkey: short", 1), "Crypto configuration is not valid: node.toml:4: totem.key: key is too short"},
		"quorum":     {base + "quorum {\nprovider: corosync_votequorum\ntwo_node: 1\ndevice {\nmodel: net\n}\n}\n", ""},
		"log":        {base + "logging {\nto_stderr: perhaps\n}\n", "Configuration is not valid: node.toml:"},
	} {
		if name == "quorum" { // without a provider nobody looks at the rules
			running = loaded(t, base+"quorum {\nprovider: corosync_votequorum\n}\n")
			c.want = "Configuration is not valid: node.toml:"
		} else {
			running = loaded(t, base)
		}
		before := slices.Clone(running.Keys)
		_, err := Reload("node.toml", tomlHost(c.text), running)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Text == "" {
			t.Errorf("%s: %#v", name, err)
		}
		if diff := cmp.Diff(before, running.Keys); diff != "" {
			t.Errorf("%s changed the running configuration: %s", name, diff)
		}
	}
	if _, err := Reload("vanished.conf", tomlHost(base), running); err == nil || !strings.HasPrefix(err.Error(), "Unable to reload config file: ") {
		t.Errorf("vanished: %v", err)
	}
}
