package live

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// setAndGet sets, gets and deletes keys of every type, good and bad.
func (b *bench) setAndGet() {
	dir := b.t.TempDir()
	binary, empty, script := filepath.Join(dir, "binary"), filepath.Join(dir, "empty"), filepath.Join(dir, "script")
	b.write(binary, "a\x00b\xff")
	b.write(empty, "")
	b.write(script, "t.i8 i8 -5\nt.i16 i16 -300\nt.i32 i32 -70000\nt.i64 i64 -5000000000\nt.dbl dbl -2.25\nt.gone u8 1\n^t.gone\nbad*key u8 1\n^^t.not\n")
	long := func(n int) string { return strings.Repeat("k", n) }
	for _, args := range [][]string{
		{"-s", "t.u8", "u8", "200"}, {"-s", "t.u16", "u16", "65535"}, {"-s", "t.u32", "u32", "4000000000"},
		{"-s", "t.u64", "u64", "18446744073709551615"}, {"-s", "t.flt", "flt", "1.5"}, {"-s", "t.str", "str", "hello"},
		{"-s", "t.none", "str", ""}, {"-s", "t.bin", "bin", binary}, {"-s", "t.nobin", "bin", empty}, {"-p", script},
		{"-s", "t.u8", "u8", "300"}, {"-s", "t.u8", "foo", "1"}, {"-s", "t.u8", "u8", "abc"}, {"-s", "t.u8", "u8"},
		{"t."}, {"-b", "t."}, {"-b", "-g", "t.bin"}, {"-g", "t.u8", "t.missing", "t.str"}, {"-q", "-g", "t.u8"}, {"-q", "-g", "t.missing"},
		{"-s", "t.u8", "str", "another type"}, {"-g", "t.u8"}, {"-s", "t.u8", "u8", "1"}, {"-g", "t.u8"},
		{"-s", "ab", "u8", "1"}, {"-s", "bad key", "u8", "1"}, {"-s", "bad*key", "u8", "1"}, {"-s", "a-b/c:d_e.F9", "u8", "1"},
		{"-s", long(255), "u8", "1"}, {"-s", long(256), "u8", "1"}, {"-s", long(300), "u8", "1"}, {"-g", long(300)}, {"-g", "ab"},
		{"-s", "t.long", "str", long(16383)}, {"-s", "t.longer", "str", long(16384)}, {"-s", "t.longest", "str", long(20000)}, {"-g", "t.long"},
		{"-d", "t.u8"}, {"-d", "t.u8"}, {"-d", "t.u16", "t.missing", "t.u32"}, {"-D", "t."}, {"t."}, {"-D", "nothing."},
		{"-m", "icmap", "totem."}, {"-m", "other"}, {"totem.none."}, {"nodelist.", "quorum."},
	} {
		b.same("", "corosync-cmapctl", args...)
	}
}

func (b *bench) write(file, text string) {
	b.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// readOnly tries to set and delete keys: what the daemon keeps to itself must be
// refused alike.
func (b *bench) readOnly() {
	for _, key := range strings.Fields(`internal_configuration.service.0.name internal_configuration.x
		runtime.services.cpg.service_id runtime.config.totem.token runtime.totem.x uidgid.config.uid.5 uidgid.uid.7 system.x
		nodelist.node.0.nodeid nodelist.local_node_pos totem.crypto_cipher totem.crypto_hash totem.crypto_model totem.keyfile
		totem.key totem.secauth totem.ip_version totem.rrp_mode totem.transport totem.cluster_name totem.netmtu totem.threads
		totem.version totem.nodeid totem.clear_node_high_bit config.reload_in_progress config.totemconfig_reload_in_progress
		config.reload_status quorum.allow_downscale quorum.wait_for_all quorum.last_man_standing
		quorum.last_man_standing_window quorum.expected_votes_tracking quorum.auto_tie_breaker quorum.auto_tie_breaker_node
		runtime.blackbox.x runtime.members.1.x runtime.votequorum.x logging.x resources.x cfg.x`) {
		b.same("", "corosync-cmapctl", "-s", key, "u32", "1")
		b.same("", "corosync-cmapctl", "-d", key)
	}
	b.same("stock protects the key in later releases", "corosync-cmapctl", "-s", "totem.ip_dscp", "u32", "1")
	b.same("stock protects the key in later releases", "corosync-cmapctl", "-d", "totem.ip_dscp")
}

// track follows changes of keys, by name, by prefix and of everything.
func (b *bench) track() {
	told := make([][]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		var trackers []*lab.Client
		for _, args := range [][]string{{"-t", "t.one"}, {"-T", "t."}, {"-T", "runtime.members.3."}, {"-t", "t.one", "-T", "t.t"}} {
			p, err := c.Hosts[1].StartClient("corosync-cmapctl", args...)
			if err != nil {
				return err
			}
			trackers = append(trackers, p)
		}
		time.Sleep(300 * time.Millisecond)
		for _, args := range []string{
			"-s t.one u8 1", "-s t.one u8 1", "-s t.one u8 2", "-s t.one str two", "-s t.two u64 2", "-s t.three flt 0.5", "-s other u8 1",
			"-d t.one", "-d t.one", "-s t.one i32 7", "-D t.", "-s runtime.members.3.join_count u32 9", "-d other",
		} {
			c.tool(2, "corosync-cmapctl", strings.Fields(args)...)
		}
		time.Sleep(200 * time.Millisecond)
		for n, p := range trackers {
			if err := p.Quit(); err != nil {
				return fmt.Errorf("%s: tracker %d: %w", c.cast, n, err)
			}
			told[i] = append(told[i], fmt.Sprint("tracker ", n))
			told[i] = append(told[i], p.Lines()...)
		}
		return nil
	})
	if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
		b.t.Errorf("trackers beside stock (-), beside ours (+):\n%s", d)
	}
	if n := len(told[0]); n < 20 {
		b.t.Errorf("only %d lines", n)
	}
}

// monitor lets quorumtool, and a tracker of the members, follow a node that
// stops and comes back.
func (b *bench) monitor() {
	told := make([]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		p, err := c.Hosts[1].StartClient("stdbuf", "-oL", "corosync-quorumtool", "-m")
		if err != nil {
			return err
		}
		blocks := func(n int) error {
			return p.Wait(10*time.Second, func(lines []string) bool {
				at := 0
				for _, l := range lines {
					if strings.HasPrefix(l, "Membership information") {
						at++
					}
				}
				return at >= n && lines[len(lines)-1] == ""
			})
		}
		for n, step := range []string{"ring 1 2 3", "stop 3", "start 3"} {
			if err := c.do(step); err != nil {
				return err
			}
			if err := blocks(n + 1); err != nil {
				return err
			}
		}
		if err := c.do("ring 1 2 3"); err != nil {
			return err
		}
		p.Kill()
		told[i] = b.normal(i, strings.Join(p.Lines(), "\n"))
		return nil
	})
	if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
		b.t.Errorf("monitor beside stock (-), beside ours (+):\n%s", d)
	}
	if !slices.Contains(lines(told[0]), "Nodes:            2") {
		b.t.Errorf("the monitor did not see the node go:\n%s", told[0])
	}
}

// killAndStop ends nodes by cfgtool: another one at once, then the one beside
// which the tool runs, in good order.
func (b *bench) killAndStop() {
	b.reload()
	status := make([]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		status[i] = c.tool(2, "corosync-cfgtool", "-k", "3")
		if err := c.do("ring 1 2"); err != nil {
			return err
		}
		status[i] += c.tool(2, "corosync-cfgtool", "-H")
		if err := c.do("ring 1"); err != nil {
			return err
		}
		for _, id := range []int{2, 3} {
			code, ended := c.Hosts[id-1].Ended(5 * time.Second)
			status[i] += fmt.Sprintf("node %d ended %v, status %d\n", id, ended, code)
		}
		if err := c.do("start 2"); err != nil {
			return err
		}
		if err := c.do("ring 1 2"); err != nil {
			return err
		}
		status[i] += c.tool(1, "corosync-cfgtool", "-k", "2")
		code, ended := c.Hosts[1].Ended(5 * time.Second)
		status[i] += fmt.Sprintf("node 2 ended %v, status %d\n", ended, code)
		return nil
	})
	if d := cmp.Diff(status[0], status[len(status)-1]); d != "" {
		b.t.Errorf("beside stock (-), beside ours (+):\n%s", d)
	}
}
