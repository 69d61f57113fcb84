package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cpgol/conformance/lab"
)

// latency is the round trip of one message to oneself, on the first host.
func (b *bench) latency(l *lab.Lab, size int) (p50, p99 float64, err error) {
	count := max(200, min(3000, 100_000_000/size))
	c, err := l.Hosts[0].StartClient(b.client, "rtt", "bench", strconv.Itoa(size), strconv.Itoa(count))
	if err != nil {
		return 0, 0, err
	}
	defer c.Kill()
	if err := c.WaitCount(10*time.Second, "ready", 1); err != nil {
		return 0, 0, err
	}
	c.Go()
	if err := c.WaitCount(60*time.Second, "rtt", 1); err != nil {
		return 0, 0, err
	}
	var p90, worst float64
	_, err = fmt.Sscanf(c.Lines("rtt")[0], "rtt %f %f %f %f", &p50, &p90, &p99, &worst)
	return p50, p99, err
}

// throughput has a client on every host multicast as fast as it can, and is the
// number of messages a second delivered on the first host, from all of them.
func (b *bench) throughput(l *lab.Lab, size int) (rate float64, err error) {
	var clients []*lab.Client
	for _, h := range l.Hosts {
		c, err := h.StartClient(b.client, "flood", "bench", strconv.Itoa(size), fmt.Sprint(b.seconds))
		if err != nil {
			return 0, err
		}
		defer c.Kill()
		if err := c.WaitCount(10*time.Second, "ready", 1); err != nil {
			return 0, err
		}
		clients = append(clients, c)
	}
	for _, c := range clients {
		c.Go()
	}
	for _, c := range clients {
		if err := c.WaitCount(time.Duration(b.seconds*float64(time.Second))+20*time.Second, "flood", 1); err != nil {
			return 0, err
		}
	}
	var own, all int
	var took float64
	if _, err := fmt.Sscanf(clients[0].Lines("flood")[0], "flood %d %d %f", &own, &all, &took); err != nil {
		return 0, err
	}
	return float64(all) / took, nil
}

// idleCPU is the share of a core that the daemon takes while nothing happens.
func idleCPU(h *lab.Host, d time.Duration) (float64, error) {
	before, err := cpuTicks(h.PID())
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := cpuTicks(h.PID())
	return (after - before) / 100 / d.Seconds() * 100, err // USER_HZ is 100
}

func cpuTicks(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	user, err := strconv.ParseFloat(string(f[11]), 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(string(f[12]), 64)
	return user + system, err
}

// resident is the daemon's resident memory in megabytes.
func resident(h *lab.Host) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kb / 1000, err
}

// print writes a table for the rings of three, one for the host alone, and one for
// what is offloaded.
func (b *bench) print(w io.Writer, transports, kinds []string) {
	special := map[string][]string{alone: withoutMixed(kinds), offloaded: offloadKinds(kinds)}
	isSpecial := func(tr string) bool { return special[tr] != nil }
	if three := slices.DeleteFunc(slices.Clone(transports), isSpecial); len(three) > 0 {
		b.table(w, three, kinds)
	}
	for _, tr := range []string{alone, offloaded} {
		if slices.Contains(transports, tr) {
			fmt.Fprintln(w)
			b.table(w, []string{tr}, special[tr])
		}
	}
}

func withoutMixed(kinds []string) []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == "mixed" })
}

// table writes one row a figure: medians, and the ratios to the first kind.
func (b *bench) table(w io.Writer, transports, kinds []string) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprint(t, "| transport\t| figure\t| unit\t")
	for _, k := range kinds {
		fmt.Fprintf(t, "| %s\t", k)
	}
	for _, k := range kinds[1:] {
		fmt.Fprintf(t, "| %s / %s\t", k, kinds[0])
	}
	fmt.Fprint(t, "|\n"+strings.Repeat("|---\t", 2+2*len(kinds))+"|\n")
	for _, f := range b.figures {
		if !b.first(f, kinds) || !slices.Contains(transports, f.Transport) {
			continue
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t", f.Transport, f.Name, f.Unit)
		var ratios strings.Builder
		for i, k := range kinds {
			m, first := b.find(f, k).median(), b.find(f, kinds[0]).median()
			fmt.Fprintf(t, "| %s\t", cell("%.4g", m))
			if i > 0 {
				fmt.Fprintf(&ratios, "| %s\t", cell("%.2f", m/first))
			}
		}
		fmt.Fprintf(t, "%s|\n", &ratios)
	}
	t.Flush()
}

// first reports whether a figure is the first of its row: stock does not have all.
func (b *bench) first(f *figure, kinds []string) bool {
	for _, k := range kinds {
		if g := b.find(f, k); g.Ring != "" {
			return g == f
		}
	}
	return false
}

// cell is a number, or a dash where there is none.
func cell(format string, v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func (b *bench) find(like *figure, ring string) *figure {
	for _, f := range b.figures {
		if f.Transport == like.Transport && f.Name == like.Name && f.Ring == ring {
			return f
		}
	}
	return &figure{Values: []float64{0}}
}
