// Command bench measures daemons on this machine, stock ones and ours in turn, on
// the same hosts, through the same stock C library, and prints medians and the
// ratios between them: rings of three hosts, and a ring of one, in which there is
// nothing but the clients' side. Last, what goes through the ring is held against
// what our library offloads.
//
//	bench [-rounds 3] [-seconds 3] [-transport knet,knet-crypto,udpu,ipc,offload] [-rings stock,ours,mixed] ...
//
// The machine is shared by all hosts and their clients, so absolute figures mean
// little; the ratios of one run are what counts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cpgol/conformance/lab"
)

// transports are the rings measured, by name.
var transports = map[string]lab.Ring{
	"knet":        {Transport: "knet"},
	"knet-crypto": {Transport: "knet", Cipher: "aes256", Hash: "sha256"},
	"udpu":        {Transport: "udpu"},
}

// rings say which hosts run our daemon.
var rings = map[string][]bool{
	"stock": {false, false, false},
	"ours":  {true, true, true},
	"mixed": {true, false, false},
}

// A figure is one measured quantity of one ring.
type figure struct {
	Transport, Ring, Name, Unit string
	Values                      []float64
}

func (f *figure) median() float64 {
	v := slices.Clone(f.Values)
	slices.Sort(v)
	return v[len(v)/2]
}

func main() { os.Exit(run()) }

func run() int {
	rounds := flag.Int("rounds", 3, "times that each ring is measured")
	seconds := flag.Float64("seconds", 3, "length of each throughput measurement")
	which := flag.String("transport", "knet,knet-crypto,udpu,ipc,offload", "transports, comma separated; ipc is one host alone, offload compares the library's own transport")
	kinds := flag.String("rings", "stock,ours,mixed", "rings, comma separated; offload has stock, ours and offloaded")
	sizeList := flag.String("sizes", "", "message sizes for throughput, in bytes (64,8192,200000; for offload 64,1000,8000,64000,1000000)")
	totem := flag.String("totem", "", "further keys of the totem section, as key=value, comma separated")
	asJSON := flag.Bool("json", false, "print every value as JSON")
	profile := flag.String("profile", "", "directory for CPU profiles of our daemons and clients, one file a ring and host")
	verbose := flag.Bool("v", false, "tell what is started")
	flag.Parse()
	if err := lab.Available(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	sizes, err := parseSizes(*sizeList)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	b := bench{sizes: sizes, seconds: *seconds, profile: *profile, totem: make(map[string]string)}
	for _, kv := range strings.FieldsFunc(*totem, func(r rune) bool { return r == ',' }) {
		k, v, _ := strings.Cut(kv, "=")
		b.totem[k] = v
	}
	if *verbose {
		b.log = func(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
	}
	if err := b.build(*kinds != "stock"); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	defer os.RemoveAll(b.dir)
	os.Setenv("GOBENCH_PROFILE", *profile)
	for _, tr := range strings.Split(*which, ",") {
		measure, compared := b.measure, strings.Split(*kinds, ",")
		switch tr {
		case alone:
			measure, compared = b.measureAlone, withoutMixed(compared)
		case offloaded:
			measure, compared = b.measureOffload, offloadKinds(compared)
		}
		for round := range *rounds {
			for _, kind := range compared {
				fmt.Fprintf(os.Stderr, "bench: %s, %s ring, round %d of %d\n", tr, kind, round+1, *rounds)
				if err := measure(tr, kind); err != nil {
					fmt.Fprintf(os.Stderr, "bench: %s, %s ring: %v\n", tr, kind, err)
					return 1
				}
			}
		}
	}
	if *asJSON {
		json.NewEncoder(os.Stdout).Encode(b.figures)
		return 0
	}
	b.print(os.Stdout, strings.Split(*which, ","), strings.Split(*kinds, ","))
	return 0
}

func parseSizes(list string) (sizes []int, err error) {
	if list == "" {
		return nil, nil
	}
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// ringSizes are the sizes of messages that go through the ring.
var ringSizes = []int{64, 8192, 200_000}

func (b *bench) sizesOr(sizes []int) []int {
	if len(b.sizes) > 0 {
		return b.sizes
	}
	return sizes
}

type bench struct {
	dir, client, daemon, profile string
	goClient                     string
	serial                       int // of groups
	seconds                      float64
	sizes                        []int
	totem                        map[string]string
	log                          func(string, ...any)
	figures                      []*figure
}

// build compiles the client and, unless only stock rings are measured, cpgold.
func (b *bench) build(ours bool) (err error) {
	if b.dir, err = os.MkdirTemp("", "cpgol-bench-"); err != nil {
		return err
	}
	if b.client, err = lab.BuildClient(b.dir, "cpgbench"); err != nil {
		return err
	}
	if !ours {
		return nil
	}
	if err := b.buildGo(); err != nil {
		return err
	}
	b.daemon, err = lab.BuildDaemon(b.dir)
	return err
}

func (b *bench) record(transport, ring, name, unit string, v float64) {
	for _, f := range b.figures {
		if f.Transport == transport && f.Ring == ring && f.Name == name {
			f.Values = append(f.Values, v)
			return
		}
	}
	b.figures = append(b.figures, &figure{transport, ring, name, unit, []float64{v}})
}

// flags are further flags for one of our daemons.
func (b *bench) flags(transport, kind string, node int) []string {
	if b.profile == "" {
		return nil
	}
	return []string{"--cpu-profile", filepath.Join(b.profile, fmt.Sprintf("%s-%s-%d.pprof", transport, kind, node))}
}

// cluster starts the daemons of a ring and waits until it has formed.
func (b *bench) cluster(transport, kind string, ring lab.Ring, nodes int) (*lab.Lab, error) {
	l, err := lab.New(lab.Options{Prefix: "bench", Nodes: nodes, Log: b.log})
	if err != nil {
		return nil, err
	}
	ring.Totem = b.totem
	conf := l.Conf(ring)
	ids := make([]int, nodes)
	for i, h := range l.Hosts {
		ids[i] = i + 1
		if rings[kind][i] {
			err = h.StartOurs(b.daemon, conf, lab.Key(), b.flags(transport, kind, i+1)...)
		} else {
			err = h.StartStock(conf, lab.Key())
		}
		if err != nil {
			l.Close()
			return nil, err
		}
	}
	if err := l.WaitRing(30*time.Second, ids...); err != nil {
		err = fmt.Errorf("%w\n%s", err, l.Hosts[0].Tail(10))
		l.Close()
		return nil, err
	}
	time.Sleep(2 * time.Second) // path MTU discovery, and the ring comes to rest
	return l, nil
}

// measure starts one ring and takes every figure of it.
func (b *bench) measure(transport, kind string) error {
	l, err := b.cluster(transport, kind, transports[transport], 3)
	if err != nil {
		return err
	}
	defer l.Close()
	add := func(name, unit string, v float64) { b.record(transport, kind, name, unit, v) }
	idle, err := idleCPU(l.Hosts[0], 3*time.Second)
	if err != nil {
		return err
	}
	add("idle", "% of a core", idle)
	p50, p99, err := b.latency(l, 64)
	if err != nil {
		return err
	}
	add("rtt 64 B p50", "µs", p50)
	add("rtt 64 B p99", "µs", p99)
	for _, size := range b.sizesOr(ringSizes) {
		if err := b.flood(l, size, "", add); err != nil {
			return err
		}
	}
	rss, err := resident(l.Hosts[0])
	if err != nil {
		return err
	}
	add("resident", "MB", rss)
	stop(l)
	return nil
}

// flood adds the throughput of one size.
func (b *bench) flood(l *lab.Lab, size int, when string, add func(name, unit string, v float64)) error {
	rate, err := b.throughput(l, size)
	if err != nil {
		for _, h := range l.Hosts {
			err = fmt.Errorf("%w\n%s", err, h.Tail(3))
		}
		return fmt.Errorf("%d bytes: %w", size, err)
	}
	if size == 64 {
		add("64 B"+when, "messages/s", rate)
	} else {
		add(fmt.Sprintf("%d B%s", size, when), "MB/s", rate*float64(size)/1e6)
	}
	return nil
}

// stop ends the daemons in good order, so that profiles are written.
func stop(l *lab.Lab) {
	for _, h := range l.Hosts {
		h.Stop()
	}
}
