package live

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// libcpgScripts are what programs of the Go library do alone and among stock's.
// Processes a, c and e take part as one library or the other; b, d and f are
// always stock's.
var libcpgScripts = []apiScript{
	{name: "together", calls: []call{
		{"a", "init 0 ring"}, {"b", "init 0 ring"}, {"c", "init 0 ring"},
		{"a", "join 0 g"}, {"a", "events 0 2"}, {"b", "join 0 g"}, {"b", "events 0 2"}, {"a", "events 0 1"}, {"c", "join 0 g"}, {"c", "events 0 2"},
		{"a", "events 0 1"}, {"b", "events 0 1"}, {"a", "members 0 g"}, {"a", "state 0"}, {"c", "members 0 none"},
		{"a", "mcast 0 1 0"}, {"a", "mcast 0 1 100 2 3"}, {"b", "mcast 0 1 100000 2 16"}, {"c", "mcast 0 1 1047552"},
		{"a", "events 0 4"}, {"b", "events 0 4"}, {"c", "events 0 4"},
		{"a", "mcast 0 1 1047553 2 2"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"c", "mcast 0 1 1048577"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"b", "mcast 0 1 3000000"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 1 3000000"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 300 3000"}, {"a", "events 0 300"}, {"b", "events 0 300"}, {"c", "skip 0 300"},
		{"d", "init 0 ring"}, {"d", "join 0 g"}, {"d", "events 0 2"}, {"a", "events 0 1"}, {"d", "die"}, {"a", "events 0 1"},
		{"b", "leave 0 g"}, {"b", "finalize 0"}, {"c", "die"}, {"a", "events 0 2"}, {"a", "leave 0 g"}, {"a", "events 0 1"},
		{"a", "mcast 0 1 10"}, {"a", "leave 0 g"}, {"a", "finalize 0"},
	}},
	{name: "faults", calls: []call{
		{"a", "init 0 ring"}, {"b", "init 0 ring"}, {"c", "init 0 ring"}, {"d", "init 0 ring"},
		{"a", "join 0 g"}, {"a", "events 0 2"}, {"b", "join 0 g"}, {"b", "events 0 2"}, {"c", "join 0 g"}, {"c", "events 0 2"}, {"d", "join 0 g"}, {"d", "events 0 2"},
		{"a", "events 0 3"}, {"b", "events 0 2"}, {"c", "events 0 1"},
		{"", "cut 2"}, {"", "ring 1"}, {"", "ring 2"},
		{"a", "events 0 2"}, {"b", "events 0 2"}, {"c", "events 0 2"}, {"d", "events 0 2"},
		{"a", "mcast 0 1 100"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "mcast 0 1 2000000"}, {"c", "events 0 1"}, {"d", "events 0 1"},
		{"", "join 2"}, {"", "ring 1 2"},
		{"a", "events 0 2"}, {"b", "events 0 2"}, {"c", "events 0 2"}, {"d", "events 0 2"},
		{"c", "mcast 0 1 5000"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"}, {"d", "events 0 1"},
		{"", "kill 2"}, {"", "ring 1"}, {"a", "events 0 2"}, {"b", "events 0 2"},
		{"c", "quiet 0 100"}, {"c", "dispatch 0 4"}, {"c", "mcast 0 1 10"}, {"c", "members 0 g"}, {"c", "join 0 h"}, {"c", "init 2 ring"}, {"c", "finalize 0"}, {"d", "finalize 0"},
		{"", "start 2"}, {"", "ring 1 2"}, {"a", "events 0 1"}, {"b", "events 0 1"},
		{"c", "init 2 ring"}, {"c", "join 2 g"}, {"c", "events 2 2"}, {"a", "events 0 1"}, {"c", "mcast 2 1 70000"}, {"a", "events 0 1"}, {"c", "events 2 1"}, {"b", "events 0 2"},
		{"", "stop 2"}, {"", "ring 1"}, {"a", "events 0 2"}, {"c", "quiet 2 100"}, {"c", "mcast 2 1 10"}, {"c", "finalize 2"},
		{"", "start 2"}, {"", "ring 1 2"}, {"a", "finalize 0"}, {"b", "finalize 0"},
	}},
}

// Processes x and y are on a third node; y is always stock's.
func init() { hostOf["x"], hostOf["y"] = 3, 3 }

// threeNodes is what befalls a group on three nodes.
var threeNodes = apiScript{name: "three nodes", calls: []call{
	{"a", "init 0 ring"}, {"c", "init 0 ring"}, {"x", "init 0 ring"}, {"a", "join 0 g"}, {"a", "events 0 2"}, {"c", "join 0 g"}, {"c", "events 0 2"}, {"x", "join 0 g"}, {"x", "events 0 2"},
	{"a", "events 0 2"}, {"c", "events 0 1"},
	{"a", "mcast 0 20 9000"}, {"a", "events 0 20"}, {"c", "events 0 20"}, {"x", "events 0 20"},
	{"x", "mcast 0 1 3000000"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"x", "events 0 1"},
	{"y", "init 0 ring"}, {"y", "join 0 g"}, {"y", "events 0 2"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"x", "events 0 1"},
	{"c", "mcast 0 3 100000"}, {"a", "events 0 3"}, {"c", "events 0 3"}, {"x", "events 0 3"}, {"y", "events 0 3"},
	{"", "cut 3"}, {"", "ring 1 2"}, {"", "ring 3"}, {"a", "events 0 2"}, {"c", "events 0 2"}, {"x", "events 0 2"}, {"y", "events 0 2"},
	{"a", "mcast 0 1 70000"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"x", "mcast 0 1 80000"}, {"x", "events 0 1"}, {"y", "events 0 1"},
	{"", "join 3"}, {"", "ring 1 2 3"}, {"a", "events 0 2"}, {"c", "events 0 2"}, {"x", "skip 0 2"}, {"y", "skip 0 2"}, {"y", "die"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"x", "events 0 1"},
	{"x", "mcast 0 2 2000000"}, {"a", "events 0 2"}, {"c", "events 0 2"}, {"x", "events 0 2"},
	{"", "kill 2"}, {"", "ring 1 3"}, {"a", "events 0 2"}, {"x", "events 0 2"}, {"c", "mcast 0 1 11"}, {"c", "finalize 0"},
	{"x", "mcast 0 1 60000"}, {"a", "events 0 1"}, {"x", "events 0 1"}, {"", "start 2"}, {"", "ring 1 2 3"}, {"a", "events 0 1"}, {"x", "events 0 1"}, {"c", "init 1 ring"}, {"c", "join 1 g"}, {"c", "events 1 2"},
	{"a", "events 0 1"}, {"x", "events 0 1"}, {"a", "mcast 0 1 60001"}, {"a", "events 0 1"}, {"c", "events 1 1"}, {"x", "events 0 1"},
	{"a", "finalize 0"}, {"c", "events 1 1"}, {"c", "finalize 1"}, {"x", "events 0 2"}, {"x", "finalize 0"},
}}

// TestLibcpgThree plays it among three nodes, where the Go library's messages go as
// all of them, some or none can.
func TestLibcpgThree(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	c, err := lab.BuildClient(t.TempDir(), "cpgapi")
	if err != nil {
		t.Fatal(err)
	}
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 2000, Cipher: "aes256", Hash: "sha256"}, asked("sss", "oso", "ooo")...)
	compareLibraries(t, all, threeNodes, c, buildGo(t, "goclient"))
}

// TestCpgoldBench runs it with a sender, a probe and a receiver.
func TestCpgoldBench(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if onlyStock() {
		t.Skip("-casts stock: there is no cpgold")
	}
	t.Parallel()
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet"}, "so", "oo")
	each(t, all, func(_ int, c *cluster) error {
		args := []string{"bench", "--members", "3", "--seconds", "0.4", "--sizes", "64,50000"}
		for i, role := range []string{"--receive", "--probe"} {
			if _, err := c.Hosts[i].StartClient(daemonBinary, append(args, role)...); err != nil {
				return err
			}
		}
		out, err := c.Hosts[1].Tool(daemonBinary, append(args, "--json")...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		t.Logf("%s\n%s", c.cast, out)
		rows := 0
		for line := range strings.Lines(out) {
			if line[0] != '{' { // what it told of offloading
				continue
			}
			rows++
			var r struct {
				Transport               string
				Size, Messages, Samples int
				Offloaded               bool
				P50                     float64 `json:"p50_us"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				return err
			}
			if r.Messages == 0 || r.Samples == 0 || r.P50 <= 0 || r.Offloaded != (c.cast == "oo" && r.Transport == "offload") {
				t.Errorf("%s: %+v", c.cast, r)
			}
		}
		if rows != 4 {
			t.Errorf("%s: %d rows", c.cast, rows)
		}
		return nil
	})
}

// libcpgDiffers are calls that the Go library answers otherwise than stock's.
var libcpgDiffers = map[call]string{
	{"a", "mcast 0 1 10"}: "whoever is in no group is told so",
	{"a", "mcast 0 1 5"}:  "whoever is in no group is told so",
	{"c", "join 0 h"}:     "the library knows that it is in a group",
	{"c", "finalize 0"}:   "what is gone is closed",
	{"c", "finalize 2"}:   "what is gone is closed",
	{"c", "quiet 0 100"}:  "a wait for events ends with the daemon",
	{"c", "quiet 2 100"}:  "a wait for events ends with the daemon",
}

// libcpgChosen are scripts of TestAPI that hold for the Go library too.
var libcpgChosen = []string{"not joined", "join and leave", "messages", "long messages", "slow reader", "ends"}

// againScript is for the Go library alone: beside stock daemons the C library can't
// do it.
var againScript = apiScript{name: "again", calls: []call{
	{"a", "init 0 ring"}, {"b", "init 0 v1"}, {"b", "join 0 g"}, {"b", "events 0 1"},
	{"a", "join 0 g"}, {"a", "events 0 2"}, {"a", "leave 0 g"}, {"a", "events 0 1"}, {"b", "events 0 2"},
	{"b", "mcast 0 1 10"}, {"b", "events 0 1"}, {"a", "quiet 0 200"},
	{"a", "join 0 g"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"b", "mcast 0 1 10"}, {"a", "events 0 1"}, {"b", "events 0 1"},
	{"a", "leave 0 g"}, {"a", "join 0 h"}, {"a", "events 0 2"}, {"a", "mcast 0 1 2000000"}, {"a", "events 0 1"},
	{"a", "leave 0 h"}, {"a", "events 0 1"}, {"a", "finalize 0"}, {"b", "events 0 1"}, {"b", "quiet 0 100"}, {"b", "finalize 0"},
}}

// ringed is a script in which everybody asks for rings, which both libraries then
// tell of alike, without what the Go library has no call for.
func ringed(s apiScript) apiScript {
	s.calls = slices.DeleteFunc(slices.Clone(s.calls), func(k call) bool {
		return strings.HasPrefix(k.command, "iterate") || strings.HasPrefix(k.command, "members 0 x*200")
	})
	// What a process sent that dies at once may have its place or not.
	if at := slices.Index(s.calls, call{"a", "mcast 0 1 5000000"}); at >= 0 {
		s.calls = slices.Delete(s.calls, at, at+1)
		s.calls[at+1].command = "events 0 1" // {"a", "die"} comes before
	}
	for i, k := range s.calls {
		if words := strings.Fields(k.command); words[0] == "init" {
			s.calls[i].command = "init " + words[1] + " ring"
		}
	}
	return s
}

// TestLibcpg has programs of the Go library make the calls that programs of
// stock's make beside stock daemons, beside these and ours and among programs of
// stock's: all are answered the same and told the same.
func TestLibcpg(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	c, err := lab.BuildClient(t.TempDir(), "cpgapi")
	if err != nil {
		t.Fatal(err)
	}
	golang := buildGo(t, "goclient")
	for _, socket := range []bool{false, true} {
		name, casts := "shm", asked("ss", "ss", "so", "os", "oo")
		if socket {
			name, casts = "socket", asked("ss", "oo")
		}
		t.Run(name, func(t *testing.T) {
			if socket && !megabytes() {
				t.Skip("this kernel's net.core.wmem_max lets no datagram of a megabyte pass")
			}
			var all []*cluster
			for _, cast := range casts {
				c := newCluster(t, cast, lab.Options{}, lab.Ring{Transport: "knet", Token: 2000})
				if socket {
					c.conf += "system {\n  qb_ipc_type: socket\n}\n"
				}
				all = append(all, c)
			}
			each(t, all, func(_ int, c *cluster) error { return c.grow() })
			scripts := slices.Clone(libcpgScripts)
			if !socket {
				scripts = append(scripts, chosen(t, apiScripts, libcpgChosen...)...)
			}
			for _, s := range scripts {
				s = ringed(s)
				t.Run(s.name, func(t *testing.T) { compareLibraries(t, all, s, c, golang) })
			}
			againScript.programs = map[string]string{"b": c}
			perform(t, all, golang, []apiScript{againScript})
		})
	}
}

// compareLibraries plays a script with stock's library in the first cluster and
// with ours in the others.
func compareLibraries(t *testing.T, all []*cluster, s apiScript, stock, ours string) {
	mixed := s
	mixed.programs = map[string]string{"b": stock, "d": stock, "f": stock, "y": stock}
	told := playIn(t, all, &s, func(i int, c *cluster) ([]answer, error) {
		if i == 0 {
			return c.play(stock, s)
		}
		return c.play(ours, mixed)
	})
	for i, c := range all[1:] {
		for at, k := range told[0] {
			if d := cmp.Diff(k.told, told[i+1][at].told); d != "" && libcpgDiffers[k.call] == "" {
				t.Errorf("%s, by the C library beside stock (-), by ours in %s (+)\n%s", k.call, c.cast, d)
			}
		}
	}
}

// cpgNumbers are what is another in each run.
var cpgNumbers = regexp.MustCompile(`"pid":\d+|"ring":"(\d+)\.[0-9a-f]+"`)

// TestCpgoldCpg has `cpgold cpg` join beside each daemon, alone and with a
// program of stock's library, and wants the same lines of it.
func TestCpgoldCpg(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if onlyStock() {
		t.Skip("-casts stock: there is no cpgold")
	}
	t.Parallel()
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000}, "ss", "oo")
	told := make([]string, len(all))
	each(t, all, func(i int, c *cluster) (err error) {
		told[i], err = c.askCpg()
		return err
	})
	t.Logf("it says\n%s", told[0])
	if d := cmp.Diff(told[0], told[1]); d != "" {
		t.Errorf("beside stock (-), beside ours (+)\n%s", d)
	}
	for _, line := range []string{`"event":"ring"`, `"text":"a line"`, `"size":9`, `"size":70000}`, `"reason":"join"`, `"reason":"leave"`} {
		if !strings.Contains(told[0], line) {
			t.Errorf("no %s", line)
		}
	}
}

func (c *cluster) askCpg() (string, error) {
	stay, err := c.Hosts[0].StartClient(daemonBinary, "cpg", "lines")
	if err != nil {
		return "", err
	}
	defer stay.Kill()
	has := func(n int) error {
		return stay.Wait(10*time.Second, func(lines []string) bool { return len(lines) >= n })
	}
	if err := has(2); err != nil { // the change, the ring
		return "", err
	}
	stay.Tell("a line")
	if err := has(3); err != nil {
		return "", err
	}
	other, err := c.Hosts[1].StartClient(clientBinary, "lines")
	if err != nil {
		return "", err
	}
	if err := has(4); err != nil {
		return "", err
	}
	other.Send(2, 9)
	if err := has(6); err != nil {
		return "", err
	}
	if err := other.Quit(); err != nil {
		return "", err
	}
	if err := has(7); err != nil {
		return "", err
	}
	out, err := c.Hosts[1].Tool(daemonBinary, "cpg", "lines", "--size", "70000", "--count", "3")
	if err != nil {
		return "", err
	}
	if err := has(12); err != nil {
		return "", err
	}
	out = strings.Join(stay.Lines(), "\n") + "\n--\n" + out
	if err := stay.Stop(); err != nil {
		return "", err
	}
	return cpgNumbers.ReplaceAllString(out, `"$1"`), nil
}
