package hostile

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// A refusal is how a daemon turned a configuration down.
type refusal struct {
	status   int
	said     string
	took     time.Duration
	resident int64 // kB, at most
}

// apart hides the machine's places from a daemon that should not start, in case
// that it does, and takes its network away.
const apart = `ip link set lo up && mount --make-rprivate / && mount -t tmpfs none /run && mount -t tmpfs none /var/lib/corosync && exec "$@"`

// patience is how long a daemon may look at a configuration.
const patience = 20 * time.Second

// start runs a daemon that should end by itself, as a user.
func start(t *testing.T, user uint32, argv ...string) refusal {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := append([]string{"-n", "-m", "sh", "-c", apart, "sh"}, argv...)
	if user != 0 {
		args = append([]string{"-n", "-m", "setpriv", "--reuid", fmt.Sprint(user), "--clear-groups"}, argv...)
	}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	r := refusal{said: strings.TrimSpace(out.String()), took: time.Since(begin)}
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r.status = cmd.ProcessState.ExitCode()
	r.resident = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	return r
}

// TestHostileConfigurations: what is no configuration is turned down at once, in
// few words, with the status that stock has for it.
func TestHostileConfigurations(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	file := func(name, text string) string {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	sparse := func(name, begin string, size int64) string {
		file(name, begin)
		if err := os.Truncate(at(name), size); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	// sound is a configuration but for what is put into it.
	sound := func(totem, rest string) string {
		return "totem {\n version: 2\n cluster_name: c\n transport: knet\n" + totem + "}\nnodelist {\n node {\n  nodeid: 1\n  name: n1\n  ring0_addr: 127.0.0.1\n }\n}\n" + rest
	}
	crypto := func(key string) string {
		return sound(" crypto_cipher: aes256\n crypto_hash: sha256\n keyfile: "+key+"\n", "")
	}
	r := rand.New(rand.NewPCG(7, 8))
	junk := make([]byte, 1<<20)
	for i := range junk {
		junk[i] = byte(r.Uint32())
	}
	os.Symlink(at("loop"), at("loop"))
	os.Mkdir(at("folder"), 0o755)
	os.WriteFile(at("secret"), []byte(sound("", "")), 0o000)

	for _, tt := range []struct {
		name, path string
		user       uint32
		differs    string // why stock's status is another
		sound      bool   // it only looks hostile: it is checked, not run
	}{
		{name: "no such file", path: at("missing")},
		{name: "a directory", path: at("folder")},
		{name: "a symbolic link to itself", path: at("loop")},
		{name: "not ours to read", path: at("secret"), user: 65534},
		{name: "nothing", path: "/dev/null"},
		{name: "zeros without end", path: "/dev/zero", differs: "reads for ever"},
		{name: "noise without end", path: "/dev/urandom", differs: "may read for long"},
		{name: "a gigabyte of zeros", path: sparse("zeros", "", 1<<30), differs: "a line of zeros is an empty line to it"},
		{name: "binary", path: file("binary", string(junk))},
		{name: "a long line", path: file("line", strings.Repeat("x", 8<<20))},
		{name: "many lines", path: file("lines", strings.Repeat("a: b\n", 1<<20))},
		{name: "many sections", path: file("sections", strings.Repeat("a {\n", 1<<18))},
		{name: "many nodes", path: file("nodes", "totem {\n version: 2\n}\nnodelist {\n"+strings.Repeat(" node {\n  nodeid: 1\n  ring0_addr: 127.0.0.1\n }\n", 50_000)+"}\n"), differs: "it dies of a signal"},
		{name: "a closed section too many", path: file("closed", "totem {\n}\n}\n")},
		{name: "TOML that nests", path: file("nests.toml", "format = 1\nx = "+strings.Repeat("[", 1<<20)), differs: "it has no TOML"},
		{name: "TOML of many tables", path: file("tables.toml", "format = 1\n"+strings.Repeat("[[node]]\nid = 1\n", 200_000)), differs: "it has no TOML"},
		{name: "no key file", path: file("nokey", crypto(at("missing")))},
		{name: "a directory as key", path: file("dirkey", crypto(at("folder")))},
		{name: "a short key", path: file("shortkey", crypto(file("key1", "short")))},
		{name: "a gigabyte of key", path: file("bigkey", crypto(sparse("key2", "k", 1<<30))), sound: true},
		{name: "a key without end", path: file("zerokey", crypto("/dev/zero")), sound: true},
		{name: "no state directory", path: file("nostate", sound("", "system {\n state_dir: "+at("missing")+"\n}\n"))},
		{name: "a file as state directory", path: file("filestate", sound("", "system {\n state_dir: "+at("nokey")+"\n}\n"))},
		{name: "a log where none can be", path: file("nolog", sound("", "logging {\n to_logfile: yes\n logfile: "+at("missing")+"/log\n}\n"))},
		{name: "a facility that is none", path: file("facility", sound("", "logging {\n syslog_facility: nowhere\n}\n"))},
		{name: "a priority that is none", path: file("priority", sound("", "logging {\n syslog_priority: nowhere\n}\n"))},
		{name: "a debug that is none", path: file("debug", sound("", "logging {\n debug: maybe\n}\n"))},
		{name: "a subsystem without a name", path: file("subsys", sound("", "logging {\n logger_subsys {\n  debug: on\n }\n}\n"))},
		{name: "a subsystem's log where none can be", path: file("subsyslog", sound("", "logging {\n logger_subsys {\n  subsys: TOTEM\n  to_logfile: yes\n  logfile: "+at("missing")+"/log\n }\n}\n"))},
		{name: "an unknown subsystem section", path: file("subsyssec", sound("", "logging {\n logger_subsys {\n  subsys: "+strings.Repeat("X", 100)+"\n }\n}\n"))},
	} {
		argv := []string{daemonBinary, "run", "--config", tt.path}
		if tt.sound {
			argv = []string{daemonBinary, "check", tt.path}
		}
		ours := start(t, tt.user, argv...)
		if tt.differs == "" {
			if stock := start(t, tt.user, "corosync", "-t", "-c", tt.path); stock.status != ours.status {
				t.Errorf("%s: status %d, stock's %d\n  ours:  %.300s\n  stock: %.300s", tt.name, ours.status, stock.status, ours.said, stock.said)
			}
		}
		t.Logf("%s: status %d after %v with %d MB: %.120q", tt.name, ours.status, ours.took.Round(time.Millisecond), ours.resident>>10, ours.said)
		if ours.took >= patience || ours.resident > 400<<10 {
			t.Errorf("%s: %v and %d MB", tt.name, ours.took, ours.resident>>10)
		}
		if lines := strings.Count(ours.said, "\n") + 1; ours.said == "" || lines > 20 || len(ours.said) > 4000 || strings.Contains(ours.said, "goroutine") {
			t.Errorf("%s: %d lines, %d bytes: %.300q", tt.name, lines, len(ours.said), ours.said)
		}
		if ours.status < 0 || (ours.status == 0) != tt.sound {
			t.Errorf("%s: status %d", tt.name, ours.status)
		}
	}
}
