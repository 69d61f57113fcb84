package lab

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPacemakerHasNoPower shows that nothing in a lab's Pacemaker can reset the
// machine, and that nothing it started outlives it.
func TestPacemakerHasNoPower(t *testing.T) {
	if err := PacemakerAvailable(); err != nil {
		t.Skip(err)
	}
	l, err := New(Options{Prefix: "labp", Nodes: 1, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := l.Hosts[0].NewPacemaker()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Do("sh", "-c", `cat /proc/self/status
[ ! -e /proc/sysrq-trigger ] || [ /proc/sysrq-trigger -ef /dev/null ] && echo harmless
setsid sleep 300 </dev/null >/dev/null 2>&1 &`)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range regexp.MustCompile(`Cap(?:Prm|Eff|Bnd):\s+([0-9a-f]+)`).FindAllStringSubmatch(out, -1) {
		caps, err := strconv.ParseUint(set[1], 16, 64)
		if err != nil || caps == 0 || caps&(1<<unix.CAP_SYS_BOOT) != 0 {
			t.Errorf("%s, %v: can boot, or nothing at all", set[0], err)
		}
	}
	if strings.Count(out, "Cap") < 3 || !strings.Contains(out, "harmless") {
		t.Errorf("a shell beside Pacemaker says %q", out)
	}
	if pids := inhabitants(l.Hosts[0].Space); len(pids) == 0 {
		t.Error("nothing was left running, so nothing shows that Close ends it")
	}
	p.Close()
	for _, pid := range inhabitants(l.Hosts[0].Space) {
		name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		t.Errorf("process %d (%s) outlived Close", pid, name)
	}
}
