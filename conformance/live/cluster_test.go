package live

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

var prefix = flag.String("prefix", "lt", "begins the names of the namespaces of clusters")

// A cluster is a lab with one daemon per host at most; cast has a letter for
// each host: s for stock, o for ours, - for one that is not of the cluster.
//
// Its methods return errors, so that a goroutine of its own can drive each of
// several clusters.
type cluster struct {
	*lab.Lab
	t    *testing.T
	cast string
	conf string
}

// newCluster makes the hosts; the test's end takes them down and tells what the
// daemons said last if it failed.
func newCluster(t *testing.T, cast string, opt lab.Options, ring lab.Ring) *cluster {
	t.Helper()
	c := &cluster{t: t, cast: cast}
	opt.Prefix, opt.Nodes = *prefix, len(cast)
	opt.Log = func(format string, args ...any) { t.Logf(cast+": "+format, args...) }
	l, err := lab.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	c.Lab = l
	c.conf = l.Conf(ring)
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Hosts {
				t.Logf("%s: node %d (%s) said last:\n%s", cast, h.ID, h.Kind, h.Tail(25))
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// start starts the daemon of one node.
func (c *cluster) start(id int) error {
	h := c.Hosts[id-1]
	if c.cast[id-1] == 'o' {
		return h.StartOurs(daemonBinary, c.conf, lab.Key())
	}
	return h.StartStock(c.conf, lab.Key())
}

// grow starts all daemons one by one, each when the others have formed a ring,
// so that all clusters have the same history.
func (c *cluster) grow() error {
	var ids []int
	for _, h := range c.Hosts {
		if c.cast[h.ID-1] == '-' {
			continue
		}
		ids = append(ids, h.ID)
		if err := c.start(h.ID); err != nil {
			return err
		}
		if err := c.WaitRing(20*time.Second, ids...); err != nil {
			return fmt.Errorf("%s: %w", c.cast, err)
		}
	}
	return nil
}

// do lets something befall the cluster: "start 2", "kill 2", "stop 2", "cut 2",
// "join 2"; "ring 1 2" waits until the members of the ring are just these, "ended 2"
// until a daemon has ended by itself.
func (c *cluster) do(what string) error {
	words := strings.Fields(what)
	var ids []int
	for _, w := range words[1:] {
		id, err := strconv.Atoi(w)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if words[0] == "ring" {
		return c.WaitRing(20*time.Second, ids...)
	}
	for _, id := range ids {
		h := c.Hosts[id-1]
		f, ok := map[string]func() error{
			"start": func() error { return c.start(id) }, "kill": h.Kill, "stop": h.Stop, "cut": h.Cut, "join": h.Join, "ended": func() error {
				if _, ended := h.Ended(10 * time.Second); !ended {
					return fmt.Errorf("node %d runs still", id)
				}
				return nil
			},
		}[words[0]]
		if !ok {
			return fmt.Errorf("%q is nothing that can befall a cluster", what)
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a stock tool beside node id; the output ends with its exit status.
func (c *cluster) tool(id int, name string, args ...string) string {
	out, err := c.Hosts[id-1].Tool(name, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out + err.Error() + "\n"
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	return fmt.Sprintf("%sexit status %d\n", out, status)
}

// each runs f for every cluster at the same time and ends the test if one fails.
func each(t *testing.T, clusters []*cluster, f func(i int, c *cluster) error) {
	t.Helper()
	errs := make([]error, len(clusters))
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// grown makes clusters of these casts, alike but for that.
func grown(t *testing.T, opt lab.Options, ring lab.Ring, casts ...string) []*cluster {
	t.Helper()
	var all []*cluster
	for _, cast := range casts {
		all = append(all, newCluster(t, cast, opt, ring))
	}
	each(t, all, func(_ int, c *cluster) error { return c.grow() })
	return all
}

// onlyStock reports whether the flags ask for the reference alone.
func onlyStock() bool { return *which == "stock" }

// asked returns casts, of which the first is the reference alone; if the flags
// ask for that only, it is held against itself.
func asked(casts ...string) []string {
	if onlyStock() {
		return []string{casts[0], casts[0]}
	}
	return casts
}
