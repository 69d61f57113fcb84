package upgrade

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

var (
	repeat = flag.Int("repeat", 1, "times that the cluster goes to ours and back in a row")

	daemonBinary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if err := lab.PacemakerAvailable(); err != nil {
			return m.Run() // those that need it skip with the reason
		}
		dir, err := os.MkdirTemp("", "cpgol-upgrade-")
		if err == nil {
			defer os.RemoveAll(dir)
			daemonBinary, err = lab.BuildDaemon(dir)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return m.Run()
	}())
}

// A node is a host with Corosync, stock's or ours, and Pacemaker.
type node struct {
	lab.Admin
	pacemaker *lab.Pacemaker
}

// A cluster is three nodes; cast has a letter for each: s for stock, o for ours.
type cluster struct {
	*lab.Lab
	t     *testing.T
	cast  string
	nodes []*node
	begin time.Time
}

// newCluster makes the hosts and installs everything; nothing runs yet.
func newCluster(t *testing.T, cast string) *cluster {
	t.Helper()
	if err := lab.PacemakerAvailable(); err != nil {
		t.Skip(err)
	}
	c := &cluster{t: t, cast: cast, begin: time.Now()}
	l, err := lab.New(lab.Options{Prefix: "up", Nodes: len(cast), Log: func(format string, args ...any) { t.Logf(cast+": "+format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	c.Lab = l
	t.Cleanup(c.close)
	conf := l.Conf(lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"})
	for i, h := range l.Hosts {
		p, err := h.NewPacemaker()
		if err != nil {
			t.Fatal(err)
		}
		n := &node{Admin: lab.Admin{Host: h, Binary: daemonBinary}, pacemaker: p}
		c.nodes = append(c.nodes, n)
		if err := n.Install(conf, lab.Key()); err != nil {
			t.Fatal(err)
		}
		if cast[i] == 'o' {
			if err := n.useOurs(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// useOurs has the node's corosync.service run cpgold with the node's corosync.conf.
func (n *node) useOurs() error {
	for _, line := range []string{
		"mkdir -p /etc/systemd/system/corosync.service.d",
		`printf '[Service]\nExecStart=\nExecStart=/usr/sbin/cpgold run --config /etc/corosync/corosync.conf\n' > /etc/systemd/system/corosync.service.d/cpgold.conf`,
	} {
		if _, err := n.Do(line); err != nil {
			return err
		}
	}
	return nil
}

// close tells what is worth knowing of a failure and takes everything down.
func (c *cluster) close() {
	if c.t.Failed() {
		for _, n := range c.nodes {
			c.t.Logf("%s: node %d (%s) said last:\n%s\nits Pacemaker:\n%s", c.cast, n.ID, n.Kind, n.Tail(25), tail(n.pacemaker.Log(), 40))
		}
	}
	for _, n := range c.nodes {
		n.pacemaker.Close()
	}
	if err := c.Lab.Close(); err != nil {
		c.t.Error(err)
	}
}

// tail is the end of what Pacemaker's daemons wrote, but for the small talk.
func tail(log string, lines int) string {
	all := slices.DeleteFunc(strings.Split(strings.TrimSpace(log), "\n"), func(line string) bool {
		return strings.Contains(line, "\tinfo: ")
	})
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// do does what an administrator types on the node; the lab knows no systemd, so
// that Pacemaker's service too is started and stopped from here.
func (n *node) do(line string) error {
	switch line {
	case "systemctl stop pacemaker":
		return n.pacemaker.Stop()
	case "systemctl start pacemaker":
		return n.pacemaker.Start()
	}
	out, err := n.Do(line)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// up starts all nodes and waits until the cluster is whole.
func (c *cluster) up() error {
	for _, line := range []string{"systemctl start corosync", "systemctl start pacemaker"} {
		for _, n := range c.nodes {
			if err := n.do(line); err != nil {
				return err
			}
		}
	}
	return c.wait(60*time.Second, c.whole)
}

// status is what crm_mon says as XML, as far as the tests look.
type status struct {
	DC struct {
		Name   string `xml:"name,attr"`
		Quorum bool   `xml:"with_quorum,attr"`
	} `xml:"summary>current_dc"`
	Nodes []struct {
		Name    string `xml:"name,attr"`
		Online  bool   `xml:"online,attr"`
		Unclean bool   `xml:"unclean,attr"`
		Pending bool   `xml:"pending,attr"`
	} `xml:"nodes>node"`
	Resources []struct {
		ID     string `xml:"id,attr"`
		Role   string `xml:"role,attr"`
		Failed bool   `xml:"failed,attr"`
		Nodes  []struct {
			Name string `xml:"name,attr"`
		} `xml:"node"`
	} `xml:"resources>resource"`
	Failures []struct {
		Key string `xml:"op_key,attr"`
	} `xml:"failures>failure"`
}

// ask asks crm_mon beside the node.
func (n *node) ask() (s status, err error) {
	out, err := n.pacemaker.Do("crm_mon", "-1", "--output-as=xml")
	if err != nil {
		return s, err
	}
	return s, xml.Unmarshal([]byte(out), &s)
}

// where is the only node that runs a resource, "" if there is no such.
func (s *status) where(resource string) string {
	for _, r := range s.Resources {
		if r.ID == resource && r.Role == "Started" && !r.Failed && len(r.Nodes) == 1 {
			return r.Nodes[0].Name
		}
	}
	return ""
}

// online are the names of the nodes that are members without a doubt.
func (s *status) online() (names []string) {
	for _, n := range s.Nodes {
		if n.Online && !n.Unclean && !n.Pending {
			names = append(names, n.Name)
		}
	}
	return names
}

// whole tells what the cluster lacks: by every node's word all nodes are online,
// there is a quorum, one coordinator, and everything runs.
func (c *cluster) whole() error { return c.of(1, 2, 3) }

// unclean are the names of the nodes that are to be fenced.
func (s *status) unclean() (names []string) {
	for _, n := range s.Nodes {
		if n.Unclean {
			names = append(names, n.Name)
		}
	}
	return names
}

// of is whole, but for a cluster of some of the nodes, the others being off.
func (c *cluster) of(ids ...int) error {
	var first string
	for _, id := range ids {
		s, err := c.nodes[id-1].ask()
		if err != nil {
			return err
		}
		word := fmt.Sprintf("online %v, unclean %v, quorum %v, coordinator %q, keeper on %q, second on %q, fencing on %q, failures %v",
			s.online(), s.unclean(), s.DC.Quorum, s.DC.Name, s.where("keeper"), s.where("second"), s.where("fencing"), s.Failures)
		switch {
		case len(s.online()) != len(ids), len(s.unclean()) > 0, !s.DC.Quorum, s.DC.Name == "", s.where("keeper") == "", s.where("second") == "", s.where("fencing") == "", len(s.Failures) > 0:
			return fmt.Errorf("node %d: %s", id, word)
		case first == "":
			first = word
		case word != first:
			return fmt.Errorf("node %d: %s; node %d: %s", id, word, ids[0], first)
		}
	}
	return nil
}

// wait waits until check has nothing to say.
func (c *cluster) wait(limit time.Duration, check func() error) error {
	begin := time.Now()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Since(begin) > limit {
			return fmt.Errorf("%s: not within %v: %w", c.cast, limit, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// where is the number of the node that runs a resource.
func (c *cluster) where(resource string) (int, error) {
	for _, n := range c.nodes {
		if n.pacemaker.Running() {
			s, err := n.ask()
			if err != nil {
				return 0, err
			}
			var id int
			_, err = fmt.Sscanf(s.where(resource), "n%d", &id)
			return id, err
		}
	}
	return 0, errors.New("no Pacemaker runs")
}
