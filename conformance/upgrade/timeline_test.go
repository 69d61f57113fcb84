package upgrade

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// resources are those that write down their lives.
var resources = []string{"keeper", "second"}

// A life is one process of a resource, from its first line to its last.
type life struct {
	node, pid   int
	first, last time.Duration // since the cluster's begin
	gap         time.Duration // the longest between two lines
	lines       int
	monitors    int // of Pacemaker's, all of which found it running
}

func (l life) String() string {
	return fmt.Sprintf("ran on n%d as process %d from %v to %v without a gap (%d signs of life, %v apart at most; %d monitors found it running)",
		l.node, l.pid, l.first.Round(time.Millisecond), l.last.Round(time.Millisecond), l.lines, l.gap.Round(time.Millisecond), l.monitors)
}

// maxGap is how long a process may be silent that writes twice a second, on a
// machine that has more to do.
const maxGap = 5 * time.Second

// timeline is all lives of a resource, in order, by what it wrote on all nodes.
func (c *cluster) timeline(resource string) ([]life, error) {
	var logs []string
	for _, n := range c.nodes {
		logs = append(logs, n.pacemaker.Life(resource))
	}
	lives, err := parseTimeline(c.begin, logs)
	if err != nil {
		err = fmt.Errorf("%s: %w", resource, err)
	}
	return lives, err
}

// life is a resource's present life.
func (c *cluster) life(resource string) (life, error) {
	lives, err := c.timeline(resource)
	if err != nil {
		return life{}, err
	}
	id, err := c.where(resource)
	if err != nil {
		return life{}, err
	}
	if len(lives) == 0 || lives[len(lives)-1].node != id {
		return life{}, fmt.Errorf("Pacemaker has %s on n%d, but it had the lives %v", resource, id, lives)
	}
	return lives[len(lives)-1], nil
}

// tellLives writes the resources' lives into the test's log.
func (c *cluster) tellLives() {
	for _, resource := range resources {
		lives, _ := c.timeline(resource)
		for _, l := range lives {
			c.t.Logf("%s: %s %v", c.cast, resource, l)
		}
	}
}

// parseTimeline makes lives of logs, logs[i] being that of node i+1, and says what is
// wrong with them: a process that was silent, a monitor that found nothing where
// it should, two lives at a time.
func parseTimeline(begin time.Time, logs []string) (all []life, err error) {
	for i, log := range logs {
		lives, problem := parseKeeper(begin, i+1, log)
		all, err = append(all, lives...), errors.Join(err, problem)
	}
	for i := range all { // few: insertion sort by the beginning
		for j := i; j > 0 && all[j].first < all[j-1].first; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i].first < all[i-1].last {
			err = errors.Join(err, fmt.Errorf("two at a time: %v; %v", all[i-1], all[i]))
		}
	}
	return all, err
}

// parseKeeper reads what a resource wrote on one node.
func parseKeeper(begin time.Time, node int, log string) (lives []life, err error) {
	running := false
	for line := range strings.Lines(log) {
		var seconds, millis int64
		var word string
		var number int
		if n, _ := fmt.Sscanf(line, "%d.%d %s %d", &seconds, &millis, &word, &number); n != 4 {
			continue // the line that is just being written
		}
		at := time.UnixMilli(seconds*1000 + millis).Sub(begin)
		switch {
		case word == "runs":
			if !running || lives[len(lives)-1].pid != number {
				lives, running = append(lives, life{node: node, pid: number, first: at, last: at}), true
			}
			l := &lives[len(lives)-1]
			l.gap, l.last, l.lines = max(l.gap, at-l.last), at, l.lines+1
			if l.gap > maxGap {
				err = errors.Join(err, fmt.Errorf("silent for %v: %v", l.gap, l))
			}
		case word == "stop":
			running = false
		case word == "monitor" && running:
			lives[len(lives)-1].monitors++
			if number != 0 {
				err = errors.Join(err, fmt.Errorf("a monitor at %v got %d: %v", at, number, lives[len(lives)-1]))
			}
		}
	}
	return lives, err
}

// uncertain are the lines in which Pacemaker says of a node that it doesn't know
// what it does, or wants somebody fenced.
var uncertain = regexp.MustCompile(`(?i)will be fenced|is unclean|requesting (peer )?fencing|\bScheduling node|allegedly|Fence \(|Panick`)

// fencing tells whom anybody wanted fenced since the cluster's begin: by the
// agent's word, by the fencers' histories and by the logs.
func (c *cluster) fencing() (reasons []string) {
	for _, n := range c.nodes {
		for line := range strings.Lines(n.pacemaker.Fenced()) {
			reasons = append(reasons, fmt.Sprintf("the agent on n%d: %s", n.ID, line))
		}
		if n.pacemaker.Running() {
			if history, err := n.pacemaker.Do("stonith_admin", "--history", "*", "--quiet"); err != nil || strings.TrimSpace(history) != "0 events found" {
				reasons = append(reasons, fmt.Sprintf("the fencer's history on n%d: %s %v", n.ID, history, err))
			}
		}
		for line := range strings.Lines(n.pacemaker.Log()) {
			if uncertain.MatchString(line) {
				reasons = append(reasons, fmt.Sprintf("the log on n%d: %s", n.ID, line))
			}
		}
	}
	return reasons
}

// TestTimeline shows that the judge of the other tests sees what is wrong.
func TestTimeline(t *testing.T) {
	begin := time.Unix(1000, 0)
	const good = "1001.000 monitor 7\n1001.100 runs 7\n1001.150 start 0\n1001.600 runs 7\n1001.700 monitor 0\n1002.100 runs 7\n1002.150 stop 0\n"
	for name, c := range map[string]struct {
		logs  []string
		lives int
		wrong string // in the error
	}{
		"one life":            {[]string{good, "1001.000 monitor 7\n"}, 1, ""},
		"moved":               {[]string{good, "1002.200 runs 8\n1002.300 start 0\n"}, 2, ""},
		"a line half written": {[]string{good + "1002.3"}, 1, ""},
		"two at a time":       {[]string{good, "1001.500 runs 8\n"}, 2, "two at a time"},
		"restarted":           {[]string{"1001.000 runs 7\n1002.000 runs 8\n"}, 2, ""},
		"silent":              {[]string{"1001.000 runs 7\n1007.000 runs 7\n"}, 1, "silent"},
		"not found":           {[]string{"1001.000 runs 7\n1002.000 monitor 7\n"}, 1, "a monitor"},
	} {
		lives, err := parseTimeline(begin, c.logs)
		if len(lives) != c.lives || (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, %v", name, lives, err)
		}
	}
	lives, _ := parseTimeline(begin, []string{good})
	if want := (life{node: 1, pid: 7, first: 1100 * time.Millisecond, last: 2100 * time.Millisecond, gap: 500 * time.Millisecond, lines: 3, monitors: 1}); len(lives) != 1 || lives[0] != want {
		t.Errorf("got %v, want %v", lives, want)
	}
}
