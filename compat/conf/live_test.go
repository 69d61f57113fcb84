package conf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prepare makes the reference host (corpus/README.md) out of new namespaces:
// its name, addresses, hosts file, key file and directories.
const prepare = `set -e
hostname node1
mount --make-rprivate /
for d in /run /var/log /var/lib /etc/corosync /dev/shm; do mount -t tmpfs tmpfs $d; done
mkdir -p /var/log/cluster /var/log/corosync /var/lib/corosync
head -c 256 /dev/urandom > /etc/corosync/authkey
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' '192.0.2.1 node1' '192.0.2.2 node2' '192.0.2.3 node3' \
	'2001:db8:1::1 node1-v6' '2001:db8:1::2 node2-v6' > /run/hosts
mount --bind /run/hosts /etc/hosts
: > /run/empty
mount --bind /run/empty /etc/resolv.conf
ip link set lo up
ip addr add 192.0.2.1/24 dev lo
ip addr add 198.51.100.1/24 dev lo
ip addr add 2001:db8:1::1/64 dev lo nodad
ip addr add 2001:db8:2::1/64 dev lo nodad
`

// onReferenceHost runs a shell script on the reference host, or skips the test
// where there is none to be had.
func onReferenceHost(t *testing.T, script string, args ...string) string {
	t.Helper()
	for _, tool := range []string{"corosync", "unshare", "ip", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // for thousands of texts
	defer cancel()
	args = append([]string{"--mount", "--uts", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", prepare + "set +e\n" + script, "sh"}, args...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "unshare failed") {
			t.Skipf("no namespaces here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// errorLine is a line of stock's log from level error up.
var errorLine = regexp.MustCompile(`(?:^|\s)(?:error|crit|alert|emerg)\s+\[\w+\s*\] (.*)$`)

// firstError picks the first error line of stock's output.
func firstError(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if m := errorLine.FindStringSubmatch(line); m != nil {
			return strings.TrimSpace(m[1])
		}
		for _, start := range []string{"parser error: ", "parse error in config: ", "Can't format", "Can't read"} {
			if strings.HasPrefix(line, start) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// stockVerdicts asks the installed corosync for its verdict on each text.
func stockVerdicts(t *testing.T, texts []string) (dir string, verdicts []verdict) {
	t.Helper()
	dir = t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	onReferenceHost(t, `cd "$1" || exit 1
i=0
while [ -e $i.conf ]; do
	timeout 10 corosync -t -c $i.conf > $i.out 2>&1
	echo $? > $i.status
	i=$((i+1))
done`, dir)
	for i := range texts {
		status, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)+".status"))
		out, err2 := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)+".out"))
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(strings.TrimSpace(string(status)))
		verdicts = append(verdicts, verdict{n, firstError(string(out))})
	}
	return dir, verdicts
}

// A verdict is an exit status and the first error.
type verdict struct {
	status int
	text   string
}

// ownVerdict is Test's on the same file, with the reference host's environment
// and the files in dir.
func ownVerdict(dir, name string) verdict {
	e := referenceHost()
	e.ReadFile = func(path string, limit int) ([]byte, error) {
		switch path {
		case name:
			return Host().ReadFile(filepath.Join(dir, path), limit)
		case defaultKeyFile:
			return make([]byte, 256), nil
		}
		return nil, syscall.ENOENT
	}
	e.TryLog = func(path string) error {
		switch filepath.Dir(path) {
		case ".", "/var/log", "/var/log/cluster", "/var/log/corosync", "/run", "/tmp":
			return nil
		}
		return fs.ErrNotExist
	}
	e.TryDir = func(path string) error {
		if path == defaultStateDir {
			return nil
		}
		return fs.ErrNotExist
	}
	if err := Test(name, e); err != nil {
		return verdict{err.Status, strings.TrimSpace(err.Stock())}
	}
	return verdict{}
}

// mutations makes texts out of the corpus by moving, repeating and changing
// lines. They are the same for the same seed.
func mutations(t *testing.T, seed uint64, n int) []string {
	t.Helper()
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	all := slices.Collect(func(yield func([]string) bool) {
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(strings.SplitAfter(string(b), "\n")) {
				return
			}
		}
	})
	r := rand.New(rand.NewPCG(seed, 0))
	words := []string{"0", "1", "2", "-1", "30", "65536", "4294967295", "yes", "no", "on", "off", "node2", "192.0.2.2",
		"2001:db8:1::2", "knet", "udp", "udpu", "none", "x", "", "10", "0x10", "192.0.2", "sctp", "127.0.0.1"}
	odd := []string{"nodelist.node.0.name: V", "nodelist.node.0.ring0_addr: V", "nodelist.node.00.ring01_addr: V",
		"nodelist.node.1.nodeid: V", "nodelist.node.-1.ring0_addr: V", "nodelist.node.+1.name: V",
		"nodelist.node.x.ring0_addr: V", "nodelist.node.4294967296.ring1_addr: V", "nodelist.local_node_pos: V",
		"totem.interface.0.bindnetaddr: V", "totem.interface.x.mcastaddr: V", "totem.interface.1.mcastport: V",
		"totem.interface.-1.ttl: V", "totem.interface.1x.knet_transport: V", "totem.interface.0.member.V: V",
		"totem.crypto_cipher: V", "totem.crypto_model: V", "totem.secauth: on", "totem.version: 2", "nodelist { }",
		"totem.interface.0.broadcast: yes", "logging.logger_subsys.V.subsys: V", "logging.V: V", "uidgid.uid: V",
		"uidgid {\nuid: V\n}", "uidgid {\nx {\ngid: V\n}\n}", "nodelist {\nnode {\nring0_addr: V\n}\n}",
		"totem {\ninterface {\nlinknumber: V\nbindnetaddr: V\n}\n}", "totem {\ninterface {\nmcastaddr: V\n}\n}",
		"totem {\ninterface {\nmember {\nmemberaddr: V\n}\n}\n}", "totem {\ntransport: udp\n}",
		"totem {\ninterface {\nlinknumber: 1\nbroadcast: yes\n}\n}", "totem {\ntransport: udpu\n}",
		"totem {\ncluster_name: V\ntransport: udp\nip_version: ipv6\n}", "totem {\nlink_mode: V\n}",
		"resources {\nV {\nwatchdog_timeout: V\npoll_period: V\n}\n}", "totem {\nclear_node_high_bit: yes\n}"}
	var texts []string
	for range n {
		lines := slices.Clone(all[r.IntN(len(all))])
		for range 1 + r.IntN(6) {
			other := all[r.IntN(len(all))]
			at := r.IntN(len(lines))
			switch r.IntN(9) {
			case 0:
				lines = slices.Delete(lines, at, at+1)
			case 1:
				lines = slices.Insert(lines, at, lines[r.IntN(len(lines))])
			case 2:
				lines = slices.Insert(lines, at, other[r.IntN(len(other))])
			case 8:
				line := strings.ReplaceAll(odd[r.IntN(len(odd))], "V", words[r.IntN(len(words))])
				lines = slices.Insert(lines, r.IntN(3)*len(lines)/2, line+"\n")
			case 3, 4, 5:
				if key, _, ok := strings.Cut(lines[at], ":"); ok {
					lines[at] = key + ": " + words[r.IntN(len(words))] + "\n"
				}
			case 6:
				j := r.IntN(len(lines))
				lines[at], lines[j] = lines[j], lines[at]
			case 7:
				if b := []byte(lines[at]); len(b) > 0 {
					b[r.IntN(len(b))] = "{}:#. \tA0\x00\r\xa0"[r.IntN(12)]
					lines[at] = string(b)
				}
			}
			if len(lines) == 0 {
				break
			}
		}
		texts = append(texts, strings.Join(lines, ""))
	}
	return texts
}

// TestLiveVerdicts asks the installed corosync 3.1.7 for its verdict on the
// corpus, and on texts that it does not have, and compares.
func TestLiveVerdicts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("asks the installed corosync")
	}
	seed, n := uint64(1), 200
	if s := os.Getenv("CONF_MUTATIONS"); s != "" { // seed:count, for a longer search
		if _, err := fmt.Sscanf(s, "%d:%d", &seed, &n); err != nil {
			t.Fatal(err)
		}
	}
	version, err := exec.Command("corosync", "-v").Output()
	if err != nil || !strings.Contains(string(version), "'3.1.7'") {
		t.Skipf("no corosync 3.1.7 here: %s %v", version, err)
	}
	texts := append(corpusTexts(t, "*/*.conf", 217), mutations(t, seed, n)...)
	dir, verdicts := stockVerdicts(t, texts)
	refused := 0
	for i, want := range verdicts {
		got := ownVerdict(dir, strconv.Itoa(i)+".conf")
		if want.status != 0 {
			refused++
		}
		if want.status >= 128 && got.status != 0 {
			continue // a crash, for which there is no text
		}
		if want.text == "" && want.status != 0 {
			got.text = "" // stock's log went elsewhere
		}
		if got != want {
			t.Errorf("case %d\n got %d %q\nwant %d %q\n%s", i, got.status, got.text, want.status, want.text, texts[i])
		}
	}
	t.Logf("%d texts, %d refused", len(texts), refused)
}
