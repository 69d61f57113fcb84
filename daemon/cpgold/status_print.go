package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the report for a person.
func (r *statusReport) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer t.Flush()
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("daemon", "%s, process %d, node %d of cluster %q", r.Program, r.PID, r.Node, r.Cluster)
	if f := r.File; f != nil {
		line("file", "%s (%s) rules; %s", f.Path, f.Format, f.state())
	}
	if o := r.Other; o != nil {
		if o.Error != "" {
			line("", "%s is not read, and is no configuration: %s", o.Path, o.Error)
		} else {
			line("", "%s is not read, and means something else: %s", o.Path, some(o.Differs))
		}
	}
	if ring := r.Ring; ring != nil {
		line("ring", "%s, members %v, %s", ring.ID, ring.Members, map[bool]string{true: "quorate", false: "not quorate"}[ring.Quorate])
	}
	if q := r.Quorum; q != nil {
		line("votes", "%d of %d expected, %d needed", q.Total, q.Expected, q.Quorum)
	}
	round := fmt.Sprintf("round %d ms", r.Token.RoundMS)
	if r.Token.P99US > 0 {
		round = fmt.Sprintf("round %d µs (p50), %d µs (p99)", r.Token.P50US, r.Token.P99US)
	}
	line("token", "%s, lost after %d ms, lost %d times", round, r.Token.TimeoutMS, r.Token.Lost)
	for _, n := range r.Nodes {
		line(fmt.Sprintf("node %d", n.ID), "%s", n.line(n.ID == r.Node))
	}
	for _, g := range r.Groups {
		line("group", "%s", g.line())
	}
	for _, e := range r.Errors {
		line("unknown", "%s", e)
	}
}

func (f *rulingFile) state() string {
	switch {
	case f.Refused != "":
		return "a reload would refuse it: " + f.Refused
	case len(f.Waits) > 0:
		return "changed since, reload it (corosync-cfgtool -R): " + some(f.Waits)
	}
	return "the daemon runs as it says"
}

func (n *nodeStatus) line(self bool) string {
	parts := []string{strings.TrimSpace(n.Name + " " + n.State)}
	if self {
		parts = append(parts, "this one")
	}
	for _, l := range n.Links {
		if l.Connected {
			parts = append(parts, fmt.Sprintf("link %d up (%d µs, mtu %d)", l.Link, l.LatencyUS, l.MTU))
		} else {
			parts = append(parts, fmt.Sprintf("link %d down", l.Link))
		}
	}
	return strings.Join(parts, ", ")
}
