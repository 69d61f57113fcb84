package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Exit statuses of Run.
const (
	ExitAgree  = 0 // every packet is identical, every recorded event matched
	ExitDiffer = 1 // something is not
	ExitUsage  = 2 // the sidecar, the recording or a record cannot be read
	ExitOld    = 3 // the recording is of Corosync 2.x, whose dialect is not spoken here
)

// Options say how Run reports.
type Options struct {
	// JSON adds one JSON object for each packet, then one for each rebuilt event.
	JSON bool
}

// Run replays the recording that a sidecar describes and returns the exit
// status. What it finds goes to stdout, whose last line is exactly
//
//	packets N decoded N identical N events N matched N
//
// where events counts the recorded ones. Errors go to stderr.
func Run(path string, opt Options, stdout, stderr io.Writer) int {
	out := bufio.NewWriter(stdout)
	defer out.Flush()
	fail := func(err error) int {
		fmt.Fprintf(stderr, "cpgold: replay: %v\n", err)
		return ExitUsage
	}
	c, err := loadCapture(path)
	if err != nil {
		return fail(err)
	}
	records, err := loadRecords(c)
	if err != nil {
		return fail(err)
	}
	d := newDecoder(c)
	if err := d.readAll(); err != nil {
		return fail(err)
	}
	rp := &report{capture: c, packets: d.packets, opt: opt, out: out}
	if rp.count(); d.old > 0 && rp.decoded == 0 {
		rp.summary(records, nil)
		fmt.Fprintf(stderr, "cpgold: replay: %s is a ring of Corosync 2.4 (2.x): %d packets in its envelope; only 3.x can be replayed\n", c.name, d.old)
		return ExitOld
	}
	players := rebuild(c, d.packets, records)
	rp.count() // again: whole messages have been decoded meanwhile
	verdicts := judge(records, players)
	if opt.JSON {
		if err := rp.json(players); err != nil {
			return fail(err)
		}
	}
	rp.problems(players)
	rp.beliefs(players)
	rp.verdicts(verdicts)
	return rp.summary(records, verdicts)
}

// rebuild plays every life of every node.
func rebuild(c *capture, packets []*packet, records []record) []*player {
	h := newHistory()
	for _, p := range packets {
		h.add(p)
	}
	h.finish()
	var players []*player
	for _, id := range slices.Sorted(maps.Keys(h.nodes)) {
		for _, l := range h.nodes[id].lives {
			players = append(players, h.playBest(l, before316(c.version[id]), records))
		}
	}
	return players
}

// before316 reports whether a version is older than 3.1.6. Unknown ones are not.
func before316(version string) bool {
	var have []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		have = append(have, n)
	}
	return len(have) == 3 && slices.Compare(have, []int{3, 1, 6}) < 0
}

// judge finds for each record the client that it is of. Records that name their
// process choose first.
func judge(records []record, players []*player) []verdict {
	var clients []*client
	for _, p := range players {
		clients = append(clients, p.cpg.clients...)
	}
	taken := make(map[*client]bool)
	verdicts := make([]verdict, len(records))
	for _, wantNamed := range []bool{true, false} {
		for i, r := range records {
			if _, _, named := r.identity(); named == wantNamed {
				verdicts[i] = compare(r, clients, taken)
			}
		}
	}
	return verdicts
}

// A report counts and prints.
type report struct {
	capture            *capture
	packets            []*packet
	opt                Options
	out                io.Writer
	decoded, identical int
}

func (r *report) count() {
	r.decoded, r.identical = 0, 0
	for _, p := range r.packets {
		if p.decoded() {
			r.decoded++
		}
		if p.identical() {
			r.identical++
		}
	}
}

// maxProblems bounds how many packets are complained about one by one.
const maxProblems = 20

// problems names the packets that did not decode or differ, and the messages
// that nodes delivered and the recording lacks.
func (r *report) problems(players []*player) {
	told := 0
	for _, p := range r.packets {
		if p.identical() {
			continue
		}
		if told++; told > maxProblems {
			continue
		}
		if p.err != nil {
			fmt.Fprintf(r.out, "packet %d, %v to %v, %d bytes: %v\n", p.no, p.from, p.to, p.size, p.err)
		} else {
			fmt.Fprintf(r.out, "packet %d, %v to %v, %d bytes: %s encodes to other bytes\n", p.no, p.from, p.to, p.size, p.differs)
		}
	}
	if told > maxProblems {
		fmt.Fprintf(r.out, "and %d more packets\n", told-maxProblems)
	}
	lost := make(map[gap]bool)
	for _, p := range players {
		for _, l := range p.lost {
			lost[l] = true
		}
	}
	gaps := slices.SortedFunc(maps.Keys(lost), func(a, b gap) int {
		return cmp.Or(cmp.Compare(a.ring.Seq, b.ring.Seq), cmp.Compare(a.ring.Rep, b.ring.Rep), compareSeq(a.seq, b.seq))
	})
	for _, g := range gaps {
		fmt.Fprintf(r.out, "ring %v: the recording lacks %d messages from number %d on\n", g.ring, g.n, g.seq)
	}
}

// beliefs tells what was taken from the records because the wire leaves it open.
func (r *report) beliefs(players []*player) {
	for _, p := range players {
		if p.life.presumed {
			fmt.Fprintf(r.out, "node %d was not heard again; going by its records it was cut off, not killed\n", p.life.node)
		}
		for i, d := range p.doubts {
			if had, ok := p.had[i]; ok {
				fmt.Fprintf(r.out, "node %d was cut off from ring %v; going by its records it had messages up to number %d, its last token tells %d\n",
					p.life.node, d.ring.id, had, d.high)
			}
		}
	}
}

// verdicts tells, record by record, how far it agrees.
func (r *report) verdicts(verdicts []verdict) {
	for _, v := range verdicts {
		if v.client == nil {
			fmt.Fprintf(r.out, "%s: node %d: no such client was on the wire\n", v.record.file, v.record.node)
			continue
		}
		fmt.Fprintf(r.out, "%s: node %d pid %d group %q: %d of %d events match", v.record.file,
			v.client.node, v.client.pid, displayName(v.client.group), v.matched, len(v.record.events))
		if v.skipped > 0 {
			fmt.Fprintf(r.out, ", %d are from before the recording", v.skipped)
		}
		if len(v.beyond) > 0 {
			fmt.Fprintf(r.out, ", %d rebuilt beyond the last", len(v.beyond))
		}
		fmt.Fprintln(r.out)
		if v.agrees() {
			continue
		}
		fmt.Fprintf(r.out, "  event %d recorded: %v\n", v.skipped+v.matched+1, v.record.events[v.skipped+v.matched])
		if v.missing {
			fmt.Fprintln(r.out, "  rebuilt: nothing more")
		} else {
			fmt.Fprintf(r.out, "  rebuilt: %v\n", v.want)
		}
	}
}

// summary prints the last line and returns the exit status.
func (r *report) summary(records []record, verdicts []verdict) int {
	events, matched := 0, 0
	for _, rec := range records {
		events += len(rec.events)
	}
	for _, v := range verdicts {
		events -= v.skipped
		matched += v.matched
	}
	fmt.Fprintf(r.out, "packets %d decoded %d identical %d events %d matched %d\n",
		len(r.packets), r.decoded, r.identical, events, matched)
	if n := len(r.packets); n == 0 || r.decoded != n || r.identical != n || events != matched {
		return ExitDiffer
	}
	return ExitAgree
}
