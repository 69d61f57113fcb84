package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asCommand is the variable that makes the test's own binary one of cpgold.
const asCommand = "CPGOLD_TEST_ARGS"

// TestAsCommand is no test: it is cpgold, for those tests that need it as a
// process of its own.
func TestAsCommand(t *testing.T) {
	if args := os.Getenv(asCommand); args != "" {
		os.Exit(run(strings.Fields(args), os.Stdout, os.Stderr))
	}
}

// liveScript makes a host of new namespaces, starts the daemon $1 there with
// the file old.conf in the directory $2, and checks the others against it.
const liveScript = `set -e
mount --make-rprivate /
for d in /run /var/lib /var/log /dev/shm; do mount -t tmpfs tmpfs $d; done
mkdir -p /var/lib/corosync
ip link set lo up
ip addr add 192.0.2.1/24 dev lo
ip addr add 198.51.100.1/24 dev lo
cd "$2"
set +e
ask() { CPGOLD_TEST_ARGS="check --live $1" "$CPGOLD" -test.run='^TestAsCommand$'; echo "status $?"; }
CPGOLD=$3
echo "== before"; ask old.conf
cp old.conf /run/node.conf
if [ "$1" = stock ]; then corosync -f -c /run/node.conf > log 2>&1 &
else CPGOLD_TEST_ARGS="run --config /run/node.conf" "$CPGOLD" -test.run='^TestAsCommand$' > log 2>&1 &
fi
pid=$!
n=0
until corosync-cmapctl nodelist.local_node_pos > /dev/null 2>&1 || [ $((n+=1)) -gt 200 ]; do sleep 0.05; done
for f in old same.toml new wrong moved; do
	case $f in *.toml) ;; *) f=$f.conf;; esac
	echo "== $f"; ask $f
done
corosync-cmapctl -s totem.join u32 77 > /dev/null
echo "== set by hand"; ask old.conf
cp new.conf /run/node.conf
corosync-cfgtool -R > reloaded 2>&1
echo "== reloaded"; ask new.conf; cat reloaded
kill -9 $pid
wait $pid 2> /dev/null
[ -s log ] && echo "== log" && tail -5 log
true
`

const liveOld = `totem {
  version: 2
  cluster_name: c
  transport: knet
  interface {
    linknumber: 0
    knet_link_priority: 3
  }
}
nodelist {
  node {
    ring0_addr: 192.0.2.1
    nodeid: 1
    name: one
  }
  node {
    ring0_addr: 192.0.2.2
    nodeid: 2
    name: two
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
logging {
  to_stderr: yes
  to_syslog: no
}
`

const liveTOML = `format = 1
cluster.name = "c"
transport.type = "knet"
quorum = { provider = "corosync_votequorum", two_node = true }
logging = { to_stderr = true, to_syslog = false }
[[link]]
number = 0
priority = 3
[[node]]
id = 1
name = "one"
addresses = { 0 = "192.0.2.1" }
[[node]]
id = 2
name = "two"
addresses = { 0 = "192.0.2.2" }
`

// TestCheckRunning asks daemons that run, stock and ours, what they would make
// of a file. The file that they run with changes nothing, in either format.
func TestCheckRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("starts daemons")
	}
	for _, tool := range []string{"corosync", "corosync-cmapctl", "unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"old.conf":  liveOld,
		"same.toml": liveTOML,
		"new.conf": strings.NewReplacer("version: 2", "version: 2\n  token: 4000\n  netmtu: 9000", "two_node: 1", "two_node: 0",
			"  node {\n    ring0_addr: 192.0.2.2", "  node {\n    ring0_addr: 192.0.2.3\n    nodeid: 3\n    name: three\n  }\n  node {\n    ring0_addr: 192.0.2.2").Replace(liveOld),
		"wrong.conf": strings.Replace(liveOld, "version: 2", "version: 2\n  token: 20", 1),
		"moved.conf": strings.Replace(liveOld, "192.0.2.2", "192.0.2.22", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, daemon := range []string{"stock", "ours"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
			"sh", "-c", liveScript, "sh", daemon, dir, os.Args[0]).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		parts := make(map[string]string)
		for part := range strings.SplitSeq(string(out), "== ") {
			name, text, _ := strings.Cut(part, "\n")
			parts[name] = text
		}
		for name, want := range map[string][]string{
			"before":    {"no daemon runs here", "status 6"},
			"old.conf":  {"old.conf: a reload would change nothing", "status 0"},
			"same.toml": {"same.toml: a reload would change nothing", "status 0"},
			"new.conf": {"restart: new.conf:4: totem.netmtu: none -> 9000", "changes: new.conf:3: totem.token: none -> 4000",
				"changes: new.conf: runtime.config.totem.token: 3000 -> 4650", "changes: new.conf:20: nodelist.node.1.nodeid: 2 -> 3",
				"changes: new.conf:25: nodelist.node.2.nodeid: none -> 2", "quorum.two_node: 1 -> 0", "status 5"},
			"wrong.conf":  {"a reload would refuse it: Configuration is not valid: wrong.conf:3: totem.token", "status 1"},
			"moved.conf":  {"a reload would refuse it: Cannot configure new interface definitions: moved.conf:17: nodelist.node.1.ring0_addr", "status 5"},
			"reloaded":    {"restart: new.conf:4: totem.netmtu: none -> 9000", "status 5"},
			"set by hand": {"changes: old.conf: totem.join: 77 -> none", "status 0"},
		} {
			for _, w := range want {
				if !strings.Contains(parts[name], w) {
					t.Errorf("%s, %s:\n%s\nwant %s", daemon, name, parts[name], w)
				}
			}
		}
		for line := range strings.Lines(parts["reloaded"]) { // what check said of new.conf has come true
			late := daemon == "stock" && strings.Contains(line, ".knet_ping_") // stock computes these from the token before
			if strings.HasPrefix(line, "changes: ") && !late {
				t.Errorf("%s, reloaded: %s", daemon, line)
			}
		}
		if strings.Contains(parts["new.conf"], "local_node_pos") || strings.Contains(parts["new.conf"], "bindnetaddr") {
			t.Errorf("%s: %s", daemon, parts["new.conf"])
		}
		if t.Failed() || testing.Verbose() {
			t.Logf("%s", parts["reloaded"])
			t.Logf("%s", parts["log"])
		}
	}
}
