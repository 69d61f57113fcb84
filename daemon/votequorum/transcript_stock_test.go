package votequorum_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// stock is a cluster of the machine's corosync.
type stock struct {
	t     *testing.T
	lab   *lab.Lab
	conf  string
	up    map[int]bool
	group map[int]int // which part of a split cluster a node is in
}

func newStock(t *testing.T, s setup) *stock {
	if err := lab.Available(); err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(lab.Options{Prefix: "sb-", Nodes: s.nodes, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	conf := l.Conf(lab.Ring{Transport: "udpu", Token: 400, Quorum: s.section()})
	for id, n := range s.votes {
		line := fmt.Sprintf("    nodeid: %s\n", id)
		conf = strings.Replace(conf, line, line+"    quorum_votes: "+n+"\n", 1)
	}
	return &stock{t: t, lab: l, conf: conf, up: map[int]bool{}, group: map[int]int{}}
}

func (c *stock) close() { c.lab.Close() }

func (c *stock) host(word string) *lab.Host {
	id, err := strconv.Atoi(word)
	if err != nil || id < 1 || id > len(c.lab.Hosts) {
		c.t.Fatalf("no node %q", word)
	}
	return c.lab.Hosts[id-1]
}

func (c *stock) do(words []string) (said []string, err error) {
	args := words[1:]
	switch words[0] {
	case "start":
		for _, id := range args {
			h := c.host(id)
			if err := h.StartStock(c.conf, lab.Key()); err != nil {
				return nil, err
			}
			c.up[h.ID] = true
			if err := c.settle(); err != nil {
				return nil, err
			}
		}
	case "kill", "stop":
		for _, id := range args {
			h := c.host(id)
			if words[0] == "kill" {
				err = h.Kill()
			} else {
				err = h.Stop()
			}
			delete(c.up, h.ID)
		}
		return nil, err
	case "split":
		return nil, c.split(args)
	case "expected":
		_, err = c.host(args[0]).Tool("corosync-quorumtool", "-e", args[1])
	case "votes":
		_, err = c.host(args[0]).Tool("corosync-quorumtool", "-n", args[1], "-v", args[2])
	case "cmap":
		_, err = c.host(args[0]).Tool("corosync-cmapctl", "-s", args[1], args[2], args[3])
	case "wait":
		s, _ := strconv.Atoi(args[0])
		time.Sleep(time.Duration(s) * time.Second)
	case "client":
		return c.client(c.host(args[0]), args[1:])
	default:
		return nil, fmt.Errorf("what is %q?", words[0])
	}
	if err != nil {
		c.t.Log(err) // a tool that refuses is part of the play
	}
	return nil, nil
}

// client builds testdata/client.c and runs it beside a daemon.
func (c *stock) client(h *lab.Host, commands []string) ([]string, error) {
	binary := filepath.Join(c.t.TempDir(), "client")
	if out, err := exec.Command("cc", "-o", binary, "testdata/client.c", "-lvotequorum").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	out, err := h.Tool(binary, commands...)
	return strings.Split(strings.TrimSpace(out), "\n"), err
}

// split lets nodes see each other in groups only: the others' addresses are
// unreachable.
func (c *stock) split(groups []string) error {
	for g, ids := range groups {
		for id := range strings.SplitSeq(ids, ",") {
			c.group[c.host(id).ID] = g
		}
	}
	for _, a := range c.lab.Hosts {
		exec.Command("ip", "-n", a.Space, "route", "flush", "type", "blackhole").Run()
		for _, b := range c.lab.Hosts {
			if c.group[a.ID] != c.group[b.ID] {
				out, err := exec.Command("ip", "-n", a.Space, "route", "add", "blackhole", b.Addr(0)).CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
			}
		}
	}
	return nil
}

// settle waits until every running node sees those of its group, and a little.
func (c *stock) settle() error {
	end := time.Now().Add(30 * time.Second)
	for id := range c.up {
		var want []int
		for _, other := range slices.Sorted(maps.Keys(c.up)) {
			if c.group[other] == c.group[id] {
				want = append(want, other)
			}
		}
		for {
			_, got, err := c.lab.Hosts[id-1].Ring()
			got = slices.DeleteFunc(got, func(n int) bool { return n == 0 }) // the device
			if slices.Sort(got); err == nil && slices.Equal(got, want) {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("node %d sees %v, want %v (%v)", id, got, want, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	time.Sleep(700 * time.Millisecond)
	return nil
}

var (
	toolLine   = regexp.MustCompile(`(?m)^(Quorate|Expected votes|Highest expected|Total votes|Quorum|Flags):[ \t]*(.*)$`)
	memberLine = regexp.MustCompile(`(?m)^\s+(\d+)\s+(\d+)\s+\S`)
	keyLine    = regexp.MustCompile(`(?m)^runtime\.votequorum\.(\S+) \(\w+\) = (.*)$`)
)

func (c *stock) states() (all []string) {
	if err := c.settle(); err != nil {
		c.t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(c.up)) {
		h := c.lab.Hosts[id-1]
		out, _ := h.Tool("corosync-quorumtool", "-s", "-i")
		state := nodeState{}
		for _, m := range toolLine.FindAllStringSubmatch(out, -1) {
			v := strings.TrimSpace(m[2])
			switch m[1] {
			case "Quorate":
				state.quorate = v
			case "Expected votes":
				state.expected = v
			case "Highest expected":
				state.highest = v
			case "Total votes":
				state.total = v
			case "Quorum":
				state.quorum, _, _ = strings.Cut(v, " ")
			case "Flags":
				state.flags = strings.Join(strings.Fields(v), ",")
			}
		}
		_, list, _ := strings.Cut(out, "Membership information")
		for _, m := range memberLine.FindAllStringSubmatch(list, -1) {
			if m[1] != "0" {
				state.members = append(state.members, m[1]+":"+m[2])
			}
		}
		keys, _ := h.Tool("corosync-cmapctl", "runtime.votequorum.")
		for _, m := range keyLine.FindAllStringSubmatch(keys, -1) {
			if m[1] != "this_node_id" {
				state.keys = append(state.keys, m[1]+"="+m[2])
			}
		}
		all = append(all, fmt.Sprintf("%d %v", id, state))
	}
	return all
}

// nodeState is what a node says of its quorum.
type nodeState struct {
	quorate, expected, highest, total, quorum, flags string
	members, keys                                    []string
}

func (s nodeState) String() string {
	return fmt.Sprintf("quorate %s expected %s highest %s total %s quorum %s flags %s members %s keys %s",
		s.quorate, s.expected, s.highest, s.total, s.quorum, s.flags,
		strings.Join(s.members, ","), strings.Join(s.keys, ","))
}
