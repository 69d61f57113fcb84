package conf

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reread parses text that ToCorosync wrote.
func reread(t *testing.T, text []byte) []Key {
	t.Helper()
	keys, err := ParseCorosync(bytes.NewReader(text), "back.conf")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return keys
}

// TestCorosyncRoundTrip writes the keys of every accepted file as corosync.conf,
// at once and by way of TOML: they stay the same.
func TestCorosyncRoundTrip(t *testing.T) {
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	for _, file := range files {
		keys := parseFile(t, file)
		text, err := ToCorosync(keys)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		back := reread(t, text)
		if diff := cmp.Diff(withoutLines(keys), withoutLines(back)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", file, diff, text)
		}
		if again, err := ToCorosync(back); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s: written again it differs: %v\n%s\n%s", file, err, text, again)
		}
		if isTOML(text) {
			t.Errorf("%s: taken for TOML:\n%s", file, text)
		}
		toml, err := ToTOML(keys)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		fromTOML, errs := ParseTOML(toml, "x.toml", referenceHost())
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		if third, err := ToCorosync(fromTOML); err != nil || !bytes.Equal(third, text) {
			t.Errorf("%s: by way of TOML it differs: %v\n%s\n%s", file, err, text, third)
		}
	}
}

// TestCorosyncForm shows how a written file looks.
func TestCorosyncForm(t *testing.T) {
	const want = `totem {
    version: 2
    cluster_name: db-cluster
    config_version: 17
    transport: knet
    ip_version: ipv6-4
    link_mode: passive
    netmtu: 65536
    ip_dscp: 46
    block_unlisted_ips: yes
    knet_mtu: 0
    knet_pmtud_interval: 30
    knet_compression_model: zlib
    knet_compression_threshold: 200
    knet_compression_level: 6
    crypto_model: openssl
    crypto_cipher: aes256
    crypto_hash: sha256
    keyfile: /etc/corosync/authkey
    token: 3000
    token_coefficient: 650
    join: 50
    consensus: 3600
    merge: 200
    downcheck: 1000
    max_network_delay: 50
    token_retransmits_before_loss_const: 4
    fail_recv_const: 2500
    seqno_unchanged_const: 30
    window_size: 50
    max_messages: 17
    miss_count_const: 5
    heartbeat_failures_allowed: 0
    cancel_token_hold_on_retransmit: no
    cluster_uuid: 0123456789abcdef0123456789abcdef

    interface {
        linknumber: 0
        mcastport: 5405
        knet_link_priority: 10
        knet_ping_interval: 750
        knet_ping_timeout: 1500
        knet_ping_precision: 2048
        knet_pong_count: 2
    }

    interface {
        linknumber: 1
        mcastport: 5415
        knet_link_priority: 5
    }
}

nodelist {
    node {
        ring0_addr: 192.0.2.1
        ring1_addr: 198.51.100.1
        name: node1
        nodeid: 1
        quorum_votes: 1
    }

    node {
        ring0_addr: 192.0.2.2
        ring1_addr: 198.51.100.2
        name: node2
        nodeid: 2
        rack: r12
    }
}

quorum {
    provider: corosync_votequorum
    wait_for_all: 1

    device {
        model: net
        votes: 1
        timeout: 10000
        sync_timeout: 30000

        heuristics {
            mode: sync
            timeout: 5000
            exec_gateway: /usr/bin/ping -q -c 1 192.0.2.254
        }

        net {
            host: qnetd.example.com
            port: 5403
            tls: required
            algorithm: ffsplit
            tie_breaker: lowest
        }
    }
}

logging {
    to_stderr: no
    to_syslog: yes
    to_logfile: yes
    logfile: /var/log/cluster/corosync.log
    logfile_priority: info
    syslog_priority: info
    syslog_facility: daemon
    debug: off
    timestamp: hires

    logger_subsys {
        subsys: QUORUM
        debug: on
    }

    logging_daemon {
        name: pacemaker
        debug: off
    }
}

uidgid {
    uid: 189
    uid: 1001
    gid: 189
}

system {
    qb_ipc_type: native
    sched_rr: yes
    priority: max
    move_to_root_cgroup: auto
    allow_knet_handle_fallback: no
    state_dir: /var/lib/corosync
}

resources {
    watchdog_device: /dev/watchdog
    watchdog_timeout: 10

    system {
        memory_used {
            max: 95
            recovery: none
        }
    }
}

nozzle {
    name: noz0
    ipaddr: 198.51.100.0
    ipprefix: 24
    macaddr: 54:54:12:24:12:12
}

vendor {
    settings {
        level: high
    }
}

totem.token_warning: not a number
`
	got, err := ToCorosync(loadKeys(t, "testdata/example.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func text(name, value string) Key { return Key{Name: name, Type: TypeString, Text: value} }

// TestCorosyncOdd writes keys for which a line is hard to find, or for which
// there is none.
func TestCorosyncOdd(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, c := range []struct {
		key     Key
		refused bool
	}{
		{key: text("vendor.", "empty name")},
		{key: text("vendor..x", "empty part")},
		{key: text(".abc", "empty section")},
		{key: text("vendor.:", "a colon for a name")},
		{key: text("vendor.::", "two"), refused: true},
		{key: text("a:b.c", "colon in a section")},
		{key: text("a:.c", "the section would lose its colon"), refused: true},
		{key: text("top", "level")},
		{key: text("to", "too short"), refused: true},
		{key: text("vendor.x", "}")},
		{key: text("vendor.x", "a { b"), refused: true},
		{key: text("vendor.x", "a\nb"), refused: true},
		{key: text("vendor.x", "a\x00b"), refused: true},
		{key: text("vendor.x", " a"), refused: true},
		{key: text("vendor.x", "a\t"), refused: true},
		{key: text("vendor.x", "a\r")},
		{key: text("vendor.x", "\r")},
		{key: text("vendor.x", ":")},
		{key: text("vendor.x", "# a")},
		{key: text("vendor.x", "")},
		{key: text("vendor.x", "\xff\xa0")},
		{key: text("vendor.x", long[:508])},
		{key: text("vendor.x", long[:509]), refused: true},
		{key: text("totem.token", "5")},
		{key: text("totem.crypto_cipher", "rot13")},
		{key: text("totem.interface.0.mcastport", "5")},
		{key: text("totem.interface.mcastport", "5")},
		{key: text("totem.interface.ringnumber", "1")},
		{key: text("totem.interface.0.member.1", "no member before")},
		{key: text("totem.interface.member.x", "y")},
		{key: text("nodelist.node.0.nodeid", "one")},
		{key: text("nodelist.node.07.name", "x")},
		{key: text("nodelist.node.4.name", "gaps before")},
		{key: text("nodelist.node.0.a.b", "dotted")},
		{key: text("nodelist.node.999999999.a", "far")},
		{key: text("nodelist.x.y", "z")},
		{key: text("logging.logger_subsys.X.debug", "no subsys")},
		{key: text("logging.logger_subsys.X.subsys", "Y")},
		{key: text("logging.logger_subsys.a.b.subsys", "a.b")},
		{key: text("logging.logger_subsys..subsys", "")},
		{key: text("logging.logging_daemon.a.name", "a")},
		{key: text("logging.logging_daemon.corosync.name", "corosync")},
		{key: text("uidgid.config.uid.5", "text")},
		{key: text("uidgid.uid", "5")},
		{key: text("resources.system.x.poll_period", "text")},
		{key: Key{Name: "resources.system.x.y.poll_period", Type: TypeU64, Num: 1 << 63}},
		{key: Key{Name: "resources.a.watchdog_timeout", Type: TypeU32, Num: 7}},
		{key: Key{Name: "resources.system.watchdog_timeout", Type: TypeU32, Num: 7}, refused: true},
		{key: Key{Name: "nodelist.node.7.nodeid", Type: TypeU32, Num: 7}},
		{key: Key{Name: "totem.interface.200.mcastport", Type: TypeU16, Num: 7}},
		{key: Key{Name: "totem.interface.0.knet_pong_count", Type: TypeU32, Num: 1 << 31}, refused: true},
		{key: Key{Name: "totem.token", Type: TypeU8, Num: 7}, refused: true},
		{key: Key{Name: "vendor.x", Type: TypeU8, Num: 7}, refused: true},
		{key: Key{Name: "uidgid.config.uid.5", Type: TypeU8, Num: 1}},
		{key: Key{Name: "uidgid.config.uid.5", Type: TypeU8, Num: 2}, refused: true},
		{key: Key{Name: "uidgid.config.uid.4294967295", Type: TypeU8, Num: 1}, refused: true},
		{key: text(strings.Repeat("a.", 126)+"bc", "deep")},
		{key: text("v."+long[:252], "254 characters")},
		{key: text(long[:254], "no section"), refused: true},
		{key: text(long[:253], "no section")},
		{key: text(long[:300], "too long"), refused: true},
	} {
		out, err := ToCorosync([]Key{c.key})
		if err != nil {
			if !c.refused {
				t.Errorf("%v: %v", c.key, err)
			} else if !strings.Contains(err.Error(), c.key.Name) {
				t.Errorf("%v: the key is not named: %v", c.key, err)
			}
			continue
		}
		if c.refused {
			t.Errorf("%v: written as %q", c.key, out)
		}
		if diff := cmp.Diff([]Key{c.key}, withoutLines(reread(t, out))); diff != "" {
			t.Errorf("%v (-want +got):\n%s\n%s", c.key, diff, out)
		}
	}
}

func TestSectionNames(t *testing.T) {
	for path, want := range map[string][]string{
		"":            nil,
		"a":           {"a"},
		"a.b":         {"a", "b"},
		"a..b":        {"a", ".b"},
		".a":          {".a"},
		"a.":          {"a."},
		"a..":         {"a", "."},
		"a:.b":        {"a:.b"},
		"a.b:":        nil,
		"a.:":         {"a", ":"},
		"a..:":        {"a.", ":"},
		"x:.y.:":      {"x:.y", ":"},
		"nodelist.:":  {"nodelist", ":"},
		"totem..a.b.": {"totem", ".a", "b."},
	} {
		if d := cmp.Diff(want, sectionNames(path)); d != "" {
			t.Errorf("%q (-want +got):\n%s", path, d)
		}
	}
}
