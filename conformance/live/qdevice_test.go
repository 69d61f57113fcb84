package live

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// A devised is a cluster whose nodes run stock's corosync-qdevice, and a
// bystander, its last host, which runs corosync-qnetd. The ring has link 0; the
// devices reach the bystander over link 1.
//
//	n1 ---- ring ---- n2
//	  \             /
//	   link 1     link 1
//	     \       /
//	      qnetd (n3)
type devised struct {
	*cluster
	devices map[int]*lab.Client // by node
	net     *lab.Client
}

// A deviceStory is what befalls a devised, and the votes that each node counts
// then, with a q if it is quorate. Its steps are those of cluster.do and
//
//	qnetd, no qnetd     starts the arbiter, kills it
//	qdevice 1 2         starts the nodes' devices
//	no qdevice 1        stops it
//	gone 1              waits until it has ended by itself
//	die 2               the whole machine, device and daemon
//	link 1 2 down       link 1 of node 2
//	split 2, heal       of the ring only
//	tool 1 NAME ARGS    of stock's, beside node 1
type deviceStory struct {
	name      string
	nodes     int
	algorithm string
	votes     int
	steps     [][2]string
}

var deviceStories = []deviceStory{
	{name: "ffsplit", nodes: 2, algorithm: "ffsplit", votes: 1, steps: [][2]string{
		{"start 1 2", "1:2q 2:2q"}, {"qnetd", "1:2q 2:2q"}, {"qdevice 1 2", "1:3q 2:3q"},
		// Either node goes on without the other.
		{"die 2", "1:2q"}, {"start 2; qdevice 2", "1:3q 2:3q"}, {"die 1", "2:2q"}, {"start 1; qdevice 1", "1:3q 2:3q"},
		// The arbiter goes, for all and for one.
		{"no qnetd", "1:2q 2:2q"}, {"qnetd", "1:3q 2:3q"}, {"link 1 2 down", "1:3q 2:2q"}, {"link 1 2 up", "1:3q 2:3q"},
		// It decides between the two, if it can.
		{"split 2", "1:2q 2:1"}, {"heal", "1:3q 2:3q"}, {"link 1 1 down; split 2", "1:1 2:2q"}, {"heal; link 1 1 up", "1:3q 2:3q"},
		{"no qdevice 2", "1:3q 2:2q"}, {"stop 2", "1:2q"}, {"start 2; qdevice 2", "1:3q 2:3q"},
		{"no qnetd", "1:2q 2:2q"}, {"die 2", "1:1"}, {"qnetd", "1:2q"}, {"start 2; qdevice 2", "1:3q 2:3q"},
		{"tool 1 corosync-cfgtool -R", "1:3q 2:3q"}, {"tool 1 corosync-quorumtool -f; gone 1", "1:2q 2:3q"}, {"qdevice 1", "1:3q 2:3q"}}},
	{name: "lms", nodes: 3, algorithm: "lms", votes: 2, steps: [][2]string{
		{"start 1 2 3", "1:3q 2:3q 3:3q"}, {"qnetd", "1:3q 2:3q 3:3q"}, {"qdevice 1 2 3", "1:5q 2:5q 3:5q"},
		{"die 3", "1:4q 2:4q"}, {"die 2", "1:3q"}, {"start 2; qdevice 2", "1:4q 2:4q"}, {"start 3; qdevice 3", "1:5q 2:5q 3:5q"},
		{"split 3", "1:4q 2:4q 3:1"}, {"heal", "1:5q 2:5q 3:5q"}, {"no qnetd", "1:3q 2:3q 3:3q"}, {"no qdevice 1 2 3", "1:3q 2:3q 3:3q"}}},
}

// TestDevice lets corosync-qdevice and corosync-qnetd do with our daemon what they
// do with stock's.
func TestDevice(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, tool := range []string{"corosync-qdevice", "corosync-qnetd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: run `make setup` as root", tool)
		}
	}
	for _, s := range deviceStories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var all []*devised
			var clusters []*cluster
			for _, cast := range asked("sss", "oso", "ooo") {
				d := newDevised(t, cast[:s.nodes], s)
				all, clusters = append(all, d), append(clusters, d.cluster)
			}
			for _, step := range s.steps {
				begin := time.Now()
				each(t, clusters, func(i int, _ *cluster) error { return all[i].do(step[0]) })
				told := agree(t, all, step[1])
				for i, c := range clusters[1:] {
					if d := cmp.Diff(told[0], told[i+1]); d != "" {
						t.Errorf("%s: with stock (-), in %s (+):\n%s", step[0], c.cast, d)
					}
				}
				t.Logf("%s: %v", step[0], time.Since(begin).Round(100*time.Millisecond))
			}
		})
	}
}

const deviceConf = `  device {
    model: net
    votes: %d
    timeout: 3000
    sync_timeout: 6000
    net {
      host: %s
      algorithm: %s
      tls: off
    }
  }
`

func newDevised(t *testing.T, nodes string, s deviceStory) *devised {
	c := newCluster(t, nodes+"-", lab.Options{Links: 2}, lab.Ring{Transport: "knet", Token: 1000, Nodes: len(nodes)})
	arbiter := c.Addr(len(nodes)+1, 1)
	c.conf = regexp.MustCompile(`(?m)^ *ring1_addr.*\n`).ReplaceAllString(c.conf, "")
	provider := "provider: corosync_votequorum\n"
	c.conf = strings.Replace(c.conf, provider, provider+fmt.Sprintf(deviceConf, s.votes, arbiter, s.algorithm), 1)
	for _, h := range c.Hosts {
		for _, dir := range []string{"corosync-qdevice", "corosync-qnetd"} {
			if err := os.MkdirAll(filepath.Join(h.Dir, "run", dir), 0o770); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &devised{cluster: c, devices: map[int]*lab.Client{}}
}

func (d *devised) do(steps string) error {
	for _, step := range strings.Split(steps, "; ") {
		if err := d.step(strings.Fields(step), step); err != nil {
			return fmt.Errorf("%s: %s: %w", d.cast, step, err)
		}
	}
	return nil
}

func (d *devised) step(words []string, step string) (err error) {
	bystander := d.Hosts[len(d.Hosts)-1]
	switch what, ids := words[0], numbers(strings.Join(words[1:], " ")); {
	case what == "qnetd":
		d.net, err = bystander.StartService("corosync-qnetd", "-f", "-s", "off")
	case step == "no qnetd":
		d.net.Kill()
	case what == "qdevice":
		for _, id := range ids { // as systemd would: once the daemon is ready
			if err := d.ready(id); err != nil {
				return err
			}
			if d.devices[id], err = d.Hosts[id-1].StartService("corosync-qdevice", "-f"); err != nil {
				return err
			}
		}
	case what == "no":
		for _, id := range ids[1:] {
			err = errors.Join(err, d.devices[id].Stop())
		}
	case what == "die":
		for _, id := range ids {
			d.devices[id].Kill()
			err = errors.Join(err, d.Hosts[id-1].Kill())
		}
	case what == "link":
		err = d.Hosts[ids[1]-1].SetLink(ids[0], words[3])
	case what == "gone":
		for begin := time.Now(); d.devices[ids[0]].Running(); time.Sleep(100 * time.Millisecond) {
			if time.Since(begin) > 15*time.Second {
				return errors.New("the device runs still")
			}
		}
	case what == "tool":
		if out := d.tool(ids[0], words[2], words[3:]...); !strings.HasSuffix(out, "exit status 0\n") {
			err = errors.New(out)
		}
	case what == "split":
		err = d.Hosts[ids[0]-1].SetLink(0, "down")
	case what == "heal":
		for _, h := range d.Hosts {
			err = errors.Join(err, h.SetLink(0, "up"))
		}
	default:
		err = d.cluster.do(step)
	}
	return err
}

// ready waits until the node's daemon answers.
func (d *devised) ready(id int) (err error) {
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, _, err = d.Hosts[id-1].Ring(); err == nil {
			return nil
		}
	}
	return err
}

// agree waits until the nodes of all clusters count the votes that they should and
// say the same otherwise, which takes devices a few of their timeouts at most. It
// returns what they say.
func agree(t *testing.T, all []*devised, votes string) [][]string {
	told := make([][]string, len(all))
	var clusters []*cluster
	for _, d := range all {
		clusters = append(clusters, d.cluster)
	}
	for begin := time.Now(); time.Since(begin) < 25*time.Second; time.Sleep(300 * time.Millisecond) {
		each(t, clusters, func(i int, c *cluster) error {
			told[i] = c.votes()
			return nil
		})
		if !slices.ContainsFunc(told, func(one []string) bool { return tally(one) != votes || !slices.Equal(one, told[0]) }) {
			break
		}
	}
	for i, one := range told {
		if got := tally(one); got != votes {
			t.Errorf("%s: votes %s, want %s", all[i].cast, got, votes)
		}
	}
	each(t, clusters, func(i int, _ *cluster) error {
		told[i] = append(told[i], all[i].reports()...)
		return nil
	})
	return told
}

var votesLine = regexp.MustCompile(`^(\d+): (Quorate|Total votes): +(\w+)`)

// tally is the votes that each node counts, according to what quorumtool said.
func tally(said []string) string {
	var all []string
	quorate := ""
	for _, l := range said {
		f := votesLine.FindStringSubmatch(l)
		switch {
		case f == nil:
		case f[2] == "Quorate":
			quorate = map[string]string{"Yes": "q"}[f[3]]
		default:
			all = append(all, f[1]+":"+f[3]+quorate)
		}
	}
	return strings.Join(all, " ")
}

// reports are the map's keys about votes, what the device says on every node, and
// the arbiter of its clients.
func (d *devised) reports() (said []string) {
	for _, h := range d.Hosts {
		if h.Running() {
			keys := d.tool(h.ID, "corosync-cmapctl", "runtime.votequorum.", "quorum.", "runtime.members.")
			said = append(said, lines(d.normal(keys))...)
		}
		if d.devices[h.ID] != nil && d.devices[h.ID].Running() {
			said = append(said, d.report(h, "corosync-qdevice-tool", "-s")...)
		}
	}
	if d.net != nil && d.net.Running() {
		said = append(said, d.report(d.Hosts[len(d.Hosts)-1], "corosync-qnetd-tool", "-l")...)
	}
	return said
}

// normal takes out how often nodes came, for rings may form in more than one step.
func (d *devised) normal(keys string) string {
	return regexp.MustCompile(`join_count .*`).ReplaceAllString(keys, "join_count")
}

// deviceChance is what differs from one time to the next: client ports, and
// whether a node had its vote by an answer of its own or by an earlier one.
var deviceChance = regexp.MustCompile(`:\d{5}\b|(ACK|NACK|No change|Wait for reply) \(`)

func (d *devised) report(h *lab.Host, argv ...string) (said []string) {
	out, err := h.Among(argv...)
	if err != nil {
		out += err.Error()
	}
	for _, l := range lines(deviceChance.ReplaceAllString(out, "* (")) {
		if strings.TrimSpace(l) != "" && !strings.HasPrefix(l, "--") {
			said = append(said, fmt.Sprintf("%d: %s", h.ID, l))
		}
	}
	return said
}
