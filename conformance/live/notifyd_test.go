package live

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// A notified is stock's corosync-notifyd beside node 2 of a cluster.
type notified struct {
	c     *cluster
	p     *lab.Client
	seen  int
	names map[string]string // of processes, by PID
	last  *lab.Client       // the client that came last
}

// notifySteps are what befalls the clusters (see cluster.do and notified.do), and
// how many times a link changes then.
var notifySteps = []struct {
	name, steps string
	links       int
}{
	{"at the start", "", 0},
	{"a client comes", "client 2", 0},
	{"the client goes", "gone", 0},
	{"a link goes down", "link 3 1 down", 1},
	{"the link is up again", "link 3 1 up", 1},
	{"a node dies", "kill 3; ring 1 2", 2},
	{"it is back", "start 3; ring 1 2 3", 2},
	{"a node stops", "stop 1; ring 2 3", 2},
	{"it is back, too", "start 1; ring 1 2 3", 2},
	{"a node dies with its client", "client 3; kill 3; ring 1 2; start 3; ring 1 2 3", 4},
	{"cut off", "cut 2; ring 2", 4},
	{"back in the ring", "join 2; ring 1 2 3", 4},
	{"the last of three", "kill 1; kill 3; ring 2", 4},
	{"the daemon dies", "kill 2", 0},
}

// TestNotifyd holds what corosync-notifyd tells beside our daemon against what it
// tells beside stock's: of members, quorum, links and clients.
func TestNotifyd(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("corosync-notifyd"); err != nil {
		t.Skip("needs corosync-notifyd: run `make setup` as root")
	}
	t.Parallel()
	twice(t, playNotifyd)
}

func playNotifyd(t *testing.T) (different string) {
	all := grown(t, lab.Options{Links: 2}, lab.Ring{Transport: "knet", Token: 1000}, asked("sss", "sos")...)
	both := make([]*notified, len(all))
	each(t, all, func(i int, c *cluster) (err error) {
		both[i] = &notified{c: c, names: map[string]string{strconv.Itoa(c.Hosts[1].PID()): "daemon"}}
		both[i].p, err = c.Hosts[1].StartClient("sh", "-c", "exec corosync-notifyd -f -n -o 2>&1")
		if err != nil {
			return err
		}
		both[i].names[strconv.Itoa(both[i].p.PID())] = "notifyd"
		return both[i].p.Wait(20*time.Second, func(lines []string) bool {
			return slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "is now quorate") })
		})
	})
	for _, step := range notifySteps {
		each(t, all, func(i int, _ *cluster) error { return both[i].do(step.steps) })
		told := settle(both, step.links)
		if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
			different += fmt.Sprintf("%s: notifyd beside stock (-), beside ours (+):\n%s", step.name, d)
		}
		if len(told[0]) == 0 {
			t.Errorf("%s: notifyd beside stock tells nothing", step.name)
		}
		t.Logf("%s:\n%s", step.name, strings.Join(told[0], "\n"))
	}
	return different
}

// do lets steps befall the cluster; besides those of cluster.do there are
//
//	client 3        a client of CPG comes beside node 3
//	gone            it goes
//	link 3 1 down   link 1 of node 3
func (n *notified) do(steps string) error {
	for _, step := range strings.Split(steps, "; ") {
		words := strings.Fields(step)
		var err error
		switch {
		case len(words) == 0:
		case words[0] == "client":
			err = n.client(numbers(words[1])[0])
		case words[0] == "gone":
			n.last.Kill()
		case words[0] == "link":
			ids := numbers(words[1] + " " + words[2])
			err = n.c.Hosts[ids[0]-1].SetLink(ids[1], words[3])
		default:
			err = n.c.do(step)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", n.c.cast, step, err)
		}
	}
	return nil
}

func (n *notified) client(id int) (err error) {
	if n.last, err = n.c.Hosts[id-1].StartClient(clientBinary, "watched"); err != nil {
		return err
	}
	n.names[strconv.Itoa(n.last.PID())] = "client"
	return n.last.WaitCount(10*time.Second, "confchg", 1)
}

// settle waits until all have told the same, and of as many links as they should;
// the daemon looks at them every 1.5 seconds. It returns what is new.
func settle(all []*notified, links int) [][]string {
	told := make([][]string, len(all))
	for begin := time.Now(); time.Since(begin) < 15*time.Second; time.Sleep(200 * time.Millisecond) {
		for i, n := range all {
			told[i] = n.news()
		}
		count := 0
		for _, l := range told[0] {
			count += strings.Count(l, " link ")
		}
		if len(told[0]) > 0 && count >= links && slices.Equal(told[0], told[len(told)-1]) {
			break
		}
	}
	for _, n := range all {
		n.seen = len(n.p.Lines())
	}
	return told
}

var clientPointer = regexp.MustCompile(`0x[0-9a-f]+\.(\d+)\.`)

var brokenOff = regexp.MustCompile(`dispatch (cmap|quorum) events`)

// news is what was told since the last step: first of members, then of the quorum,
// of links and of clients, for each of these comes on a connection of its own.
func (n *notified) news() []string {
	var members, rest, links, clients []string
	for _, l := range n.p.Lines()[n.seen:] {
		switch {
		case strings.HasPrefix(l, "[debug]"), strings.Contains(l, "corosync-quorum"): // libqb; the tests' own questions
		case strings.Contains(l, " link "):
			links = append(links, l)
		case clientPointer.MatchString(l):
			clients = append(clients, namePIDs(clientPointer.ReplaceAllString(l, "pointer.$1."), n.names))
		case strings.Contains(l, " ip:"):
			members = append(members, l)
		case strings.Contains(l, "Could not dispatch"): // whichever connection is looked at first
			rest = []string{brokenOff.ReplaceAllString(l, "dispatch some events")}
		default:
			rest = append(rest, l)
		}
	}
	// Links that change within one look are told in no order that matters.
	slices.SortStableFunc(links, func(a, b string) int { return strings.Compare(linkOf(a), linkOf(b)) })
	return slices.Concat(members, rest, links, clients)
}

// linkOf is the part of a line that names the link.
func linkOf(line string) string {
	_, name, _ := strings.Cut(line, " link ")
	name, _, _ = strings.Cut(name, " is ")
	return name
}
