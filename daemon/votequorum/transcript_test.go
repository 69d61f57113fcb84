package votequorum_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var record = flag.Bool("record", false, "play testdata/*.txt on rings of the machine's corosync and write down what it says (root)")

// A cluster is what a transcript is played on: rings of the reference's daemon,
// or of this package's services.
type cluster interface {
	// do performs one line of a transcript; said is what was said meanwhile.
	do(words []string) (said []string, err error)
	// states has a line for every running node.
	states() []string
	close()
}

// A setup is the head of a transcript.
type setup struct {
	nodes  int
	quorum []string          // lines of the quorum section, "key: value"
	votes  map[string]string // quorum_votes by node
}

// TestTranscripts plays what was recorded from the reference's daemon.
//
//	nodes 3                  how many the node list has
//	quorum two_node: 1       a line of the quorum section
//	votes 1 3                node 1's quorum_votes
//	> start 1 2 3            nodes start, one after the other
//	> kill 3                 a node ends without a word
//	> stop 3                 a node ends in good order
//	> split 1,2 3,4          the nodes see each other in these groups only
//	> expected 1 5           node 1 is asked for other expected votes
//	> votes 1 3 2            node 1 is asked to give node 3 two votes
//	> cmap 1 KEY TYPE VALUE  node 1's map is given a value
//	> wait 3                 seconds
//	> client 1 COMMAND...    a client of node 1 performs commands, as in client.c
//
// What follows such a line is what was said, then the state afterwards.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) { playFile(t, name, file) })
	}
}

func playFile(t *testing.T, name, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, lines := parseTranscript(t, string(b))
	var c cluster
	if *record {
		c = newStock(t, head)
	} else {
		c = newOurs(t, head)
	}
	defer c.close()
	got := head.String()
	for _, line := range lines {
		got += "> " + line + "\n"
		said, err := c.do(strings.Fields(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, s := range append(said, c.states()...) {
			got += s + "\n"
		}
	}
	if *record {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(strings.Split(string(b), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("-stock +ours\n%s", diff)
	}
}

func parseTranscript(t *testing.T, text string) (s setup, lines []string) {
	s.votes = map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == ">":
			lines = append(lines, rest)
		case len(lines) > 0 || line == "":
		case word == "nodes":
			fmt.Sscan(rest, &s.nodes)
		case word == "quorum":
			s.quorum = append(s.quorum, rest)
		case word == "votes":
			id, n, _ := strings.Cut(rest, " ")
			s.votes[id] = n
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return s, lines
}

// section is the inside of the quorum section.
func (s setup) section() string {
	var own, device strings.Builder
	for _, line := range s.quorum {
		if sub, ok := strings.CutPrefix(line, "device."); ok {
			fmt.Fprintf(&device, "    %s\n", sub)
		} else {
			fmt.Fprintf(&own, "  %s\n", line)
		}
	}
	if device.Len() == 0 {
		return own.String()
	}
	return own.String() + "  device {\n" + device.String() + "  }\n"
}

func (s setup) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nodes %d\n", s.nodes)
	for _, q := range s.quorum {
		fmt.Fprintf(&b, "quorum %s\n", q)
	}
	var ids []string
	for id := range s.votes {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		fmt.Fprintf(&b, "votes %s %s\n", id, s.votes[id])
	}
	return b.String()
}
