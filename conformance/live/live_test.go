// Package live runs real rings on this machine: our daemon with stock ones, and
// our daemon alone, with unmodified clients beside each, and does to them what
// happens to clusters.
//
// The rings need root and the stock daemon; without them the tests skip with the
// reason. Everything runs in network namespaces of its own (package lab).
//
//	go test ./conformance/live -run 'TestRing/mixed/knet-crypto' -v
//	go test ./conformance/live -run TestRing -repeat 10 -messages 10000 -parallel 6 -timeout 3h
//
// The last runs each fault ten times in a row, six rings at a time.
package live

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

var (
	repeat   = flag.Int("repeat", 1, "times that each fault happens in a row")
	which    = flag.String("casts", "mixed,ours", "casts, comma separated; \"stock\" checks these tests against the reference alone")
	messages = flag.Int("messages", 2000, "messages from each node in the order test")

	clientBinary, daemonBinary string
)

// atOnce is how many tests run at a time at least, unless -parallel says another
// number: they mostly wait.
const atOnce = 3

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0))))
	}
	os.Exit(func() int {
		if err := lab.Available(); err != nil {
			fmt.Println("live rings skip:", err)
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "cpgol-live-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		if clientBinary, err = lab.BuildClient(dir, "cpgclient"); err == nil && *which != "stock" {
			daemonBinary, err = lab.BuildDaemon(dir)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return m.Run()
	}())
}

// A kind is one way for nodes to reach each other.
type kind struct {
	name string
	ring lab.Ring
	lab  lab.Options
}

var kinds = []kind{
	{name: "knet", ring: lab.Ring{Transport: "knet"}},
	{name: "knet-crypto", ring: lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"}},
	{name: "knet-two-links", ring: lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"}, lab: lab.Options{Links: 2}},
	{name: "knet-ipv6", ring: lab.Ring{Transport: "knet"}, lab: lab.Options{IPv6: true}},
	{name: "udpu", ring: lab.Ring{Transport: "udpu"}},
	{name: "udp", ring: lab.Ring{Transport: "udp"}},
}

// A cast says which hosts run our daemon.
type cast struct {
	name string
	ours [3]bool
}

var casts = []cast{
	{"mixed", [3]bool{false, true, false}},
	{"ours", [3]bool{true, true, true}},
	{"stock", [3]bool{}},
}

// TestRing takes each kind of ring, with our daemon among stock ones and alone,
// through everything that befalls a cluster.
func TestRing(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, c := range casts {
		if !slices.Contains(strings.Split(*which, ","), c.name) {
			continue
		}
		for _, k := range kinds {
			t.Run(c.name+"/"+k.name, func(t *testing.T) {
				t.Parallel() // most of the time a ring waits for its timers
				newRing(t, c, k).all()
			})
		}
	}
}

// A ring is a running cluster under test.
type ring struct {
	*lab.Lab
	t       *testing.T
	cast    cast
	conf    string
	clients [3]*lab.Client
	binary  string // of the clients
	group   string
	serial  int
}

func newRing(t *testing.T, c cast, k kind) *ring {
	o := k.lab
	o.Prefix, o.Nodes, o.Log = "live", 3, t.Logf
	l, err := lab.New(o)
	if err != nil {
		t.Fatal(err)
	}
	k.ring.Token = 1000
	r := &ring{Lab: l, t: t, cast: c, conf: l.Conf(k.ring), binary: clientBinary}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Hosts {
				t.Logf("node %d (%s) said last:\n%s", h.ID, h.Kind, h.Tail(25))
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *ring) all() {
	for i := range r.Hosts {
		r.start(i)
	}
	r.form(1, 2, 3)
	r.join(0, 1, 2)
	r.order(*messages, 0, 1, 2)
	for range *repeat {
		for i := range r.Hosts {
			r.fault("kill", i, r.kill)
		}
	}
	for range *repeat {
		for i := range r.Hosts {
			r.fault("cut", i, r.cut)
		}
	}
	for range *repeat {
		for i := range r.Hosts {
			r.fault("stop", i, r.stop)
		}
	}
}

// must ends the test on an error, naming the step.
func (r *ring) must(err error, step string, args ...any) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", fmt.Sprintf(step, args...), err)
	}
}

func (r *ring) start(i int) {
	r.t.Helper()
	if r.cast.ours[i] {
		r.must(r.Hosts[i].StartOurs(daemonBinary, r.conf, lab.Key()), "start")
	} else {
		r.must(r.Hosts[i].StartStock(r.conf, lab.Key()), "start")
	}
}

// form waits for a quorate ring of just these nodes.
func (r *ring) form(ids ...int) {
	r.t.Helper()
	begin := time.Now()
	r.must(r.WaitRing(20*time.Second, ids...), "ring of %v", ids)
	r.t.Logf("ring of %v after %v", ids, time.Since(begin).Round(10*time.Millisecond))
	for _, id := range ids {
		if !r.Hosts[id-1].Quorate() {
			time.Sleep(300 * time.Millisecond) // the tool may have asked between ring and quorum
			if !r.Hosts[id-1].Quorate() {
				r.t.Fatalf("node %d of %v is not quorate", id, ids)
			}
		}
	}
}

// join starts a client on each host that has none; every client is told of all.
func (r *ring) join(hosts ...int) {
	r.t.Helper()
	if r.group == "" {
		r.group = "live"
	}
	for _, i := range hosts {
		c, err := r.Hosts[i].StartClient(r.binary, r.group)
		r.must(err, "client")
		r.clients[i] = c
		r.must(c.WaitCount(10*time.Second, "confchg", 1), "client on node %d joins", i+1)
	}
	r.everybodySees(3)
}

// everybodySees waits until each client's last configuration has n members.
func (r *ring) everybodySees(n int, hosts ...int) {
	r.t.Helper()
	if len(hosts) == 0 {
		hosts = []int{0, 1, 2}
	}
	for _, i := range hosts {
		r.must(r.clients[i].Wait(15*time.Second, func(lines []string) bool { return members(lines) == n }),
			"client of node %d is told of %d members", i+1, n)
	}
}

// members counts the members of the last configuration change among lines.
func members(lines []string) int {
	for _, l := range slices.Backward(lines) {
		if rest, ok := strings.CutPrefix(l, "confchg m="); ok {
			list, _, _ := strings.Cut(rest, " ")
			if list == "" {
				return 0
			}
			return strings.Count(list, ",") + 1
		}
	}
	return 0
}

// order has each client send n messages at once and compares what all were told
// since: the same messages in the same order, each sender's own without a gap.
func (r *ring) order(n int, hosts ...int) {
	r.t.Helper()
	before := map[int]int{}
	for _, i := range hosts {
		before[i] = len(r.clients[i].Lines("deliver"))
	}
	begin := time.Now()
	for _, i := range hosts {
		r.must(r.clients[i].Send(n, 200), "send")
	}
	for _, i := range hosts {
		r.must(r.clients[i].WaitCount(60*time.Second, "deliver", before[i]+n*len(hosts)), "messages on node %d", i+1)
	}
	first := r.clients[hosts[0]].Lines("deliver")[before[hosts[0]]:]
	for _, i := range hosts[1:] {
		got := r.clients[i].Lines("deliver")[before[i]:]
		if !slices.Equal(first, got) {
			r.t.Fatalf("nodes %d and %d were told different orders: %s", hosts[0]+1, i+1, difference(first, got))
		}
	}
	r.t.Logf("%d messages from each of %d nodes in one order, %v", n, len(hosts), time.Since(begin).Round(10*time.Millisecond))
}

func difference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("message %d: %q, %q", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d messages", len(a), len(b))
}
