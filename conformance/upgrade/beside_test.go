package upgrade

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBeside takes a Pacemaker cluster whose daemons are all ours, and one whose
// daemons are all stock's, through what befalls clusters, and holds against each
// other what Pacemaker and the tools beside it said and did.
func TestBeside(t *testing.T) {
	clusters := []*cluster{newCluster(t, "sss"), newCluster(t, "ooo")}
	t.Parallel()
	stories := make([]story, len(clusters))
	errs := make([]error, len(clusters))
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() { errs[i] = stories[i].play(c) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	for _, line := range stories[1].lines {
		t.Log(line)
	}
	if d := cmp.Diff(stories[0].lines, stories[1].lines); d != "" {
		t.Errorf("beside stock's daemons (-) and ours (+):\n%s", d)
	}
}

// A story is what happened to a cluster, in words that are the same for clusters to
// which the same happened.
type story struct {
	c     *cluster
	lines []string
	busy  *node          // runs the first resource
	third *node          // runs the second
	other *node          // runs none of them; what is bad for Pacemaker happens to it
	seen  [3]int         // bytes of each Pacemaker's log that were told already
	read  int            // bytes of the third node's log that were observed already
	pids  map[string]int // the resources' processes
	was   int            // the other node's pacemakerd when the chapter began
}

func (s *story) tell(format string, args ...any) {
	s.lines = append(s.lines, s.roleNames(fmt.Sprintf(format, args...)))
}

// roleNames writes what a node is in place of its name, which differs.
func (s *story) roleNames(line string) string {
	for i, n := range []*node{s.busy, s.other, s.third} {
		if n != nil {
			line = regexp.MustCompile(fmt.Sprintf(`\bn%d\b`, n.ID)).ReplaceAllString(line, []string{"BUSY", "OTHER", "THIRD"}[i])
		}
	}
	return line
}

// play goes through all chapters.
func (s *story) play(c *cluster) error {
	s.c = c
	for _, chapter := range []struct {
		name string
		play func() error
	}{
		{"the cluster comes up", s.comeUp},
		{"the configuration grows", s.grow},
		{"what the tools say", s.tools},
		{"shutdown is asked for and refused", s.refused},
		{"a node is cut off", s.cutOff},
		{"a daemon is killed", s.killed},
		{"shutdown is forced", s.forced},
		{"a node is told that it was fenced", s.fenced},
		{"the resource's node is stopped", s.stopped},
	} {
		begin := time.Now()
		s.tell("== %s", chapter.name)
		if s.other != nil {
			s.was = s.other.pacemaker.PID()
		}
		if err := chapter.play(); err != nil {
			return fmt.Errorf("%s: %s: %w", c.cast, chapter.name, err)
		}
		s.observe()
		c.t.Logf("%s: %v: %s: took %v", c.cast, time.Since(c.begin).Round(time.Millisecond), chapter.name, time.Since(begin).Round(time.Millisecond))
	}
	c.tellLives()
	return nil
}

// roles says which node runs what now.
func (s *story) roles() error {
	s.pids = map[string]int{}
	first, err := s.c.life(resources[0])
	if err != nil {
		return err
	}
	second, err := s.c.life(resources[1])
	if err != nil {
		return err
	}
	s.pids[resources[0]], s.pids[resources[1]] = first.pid, second.pid
	s.busy, s.third, s.other = s.c.nodes[first.node-1], s.c.nodes[second.node-1], s.c.nodes[6-first.node-second.node-1]
	return nil
}

func (s *story) comeUp() error {
	if err := s.c.up(); err != nil {
		return err
	}
	if reasons := s.c.fencing(); len(reasons) > 0 {
		return fmt.Errorf("fencing was asked for: %q", reasons)
	}
	return s.roles()
}

// tools asks Pacemaker's tools and Corosync's beside each node.
func (s *story) tools() error {
	for _, n := range s.c.nodes {
		for _, what := range []string{"-l", "-p", "-q", "-n", "-i"} {
			out, err := n.pacemaker.Do("crm_node", what)
			s.tell("n%d: crm_node %s: %s%v", n.ID, what, anyOrder(out), err)
		}
		s.tell("n%d: crm_mon: %v", n.ID, s.c.whole())
		for _, tool := range [][]string{{"corosync-cmapctl", "uidgid."}, {"corosync-cpgtool"}, {"corosync-quorumtool", "-s"}} {
			out, err := n.Tool(tool[0], tool[1:]...)
			s.tell("n%d: %v: %s%v", n.ID, tool, anyOrder(numbers.ReplaceAllString(out, "${1}${2}N")), err)
		}
	}
	return nil
}

// grow makes the configuration so large that it travels in a hundred packets, now and
// each time that a node comes back.
func (s *story) grow() error {
	random := rand.New(rand.NewPCG(1, 2)) // that it can't be compressed much
	var b strings.Builder
	b.WriteString(`<cluster_property_set id="ballast">`)
	for i := range 400 {
		fmt.Fprintf(&b, `<nvpair id="ballast-%d" name="ballast-%[1]d" value="`, i)
		for range 16 {
			fmt.Fprintf(&b, "%016x", random.Uint64())
		}
		b.WriteString(`"/>`)
	}
	b.WriteString(`</cluster_property_set>`)
	if _, err := s.other.pacemaker.Do("cibadmin", "-M", "-c", "-o", "crm_config", "-X", b.String()); err != nil {
		return err
	}
	return s.agree()
}

// agree waits until all nodes have the same configuration and state.
func (s *story) agree() error {
	return s.c.wait(20*time.Second, func() error {
		first := ""
		for _, n := range s.c.nodes {
			out, err := n.pacemaker.Do("cibadmin", "-Q")
			if err != nil {
				return err
			}
			if first == "" {
				first = out
			} else if out != first {
				return fmt.Errorf("the configurations of nodes 1 and %d differ:\n%s", n.ID, cmp.Diff(first, out))
			}
		}
		return nil
	})
}

// refused asks the daemon to shut down, which Pacemaker answers with no.
func (s *story) refused() error {
	pid := s.other.PID()
	out, err := s.other.Tool("corosync-cfgtool", "-H")
	s.tell("corosync-cfgtool -H: %s%v; runs on: %v", out, err, s.other.PID() == pid)
	s.daemons(s.other)
	return s.well()
}

// cutOff takes a node off the network until the others had it fenced.
func (s *story) cutOff() error {
	if err := s.other.Cut(); err != nil {
		return err
	}
	if err := s.lost(); err != nil {
		return err
	}
	if err := s.other.Join(); err != nil {
		return err
	}
	return s.well()
}

// killed lets the daemon crash under Pacemaker, and starts it again.
func (s *story) killed() error {
	if err := s.other.Kill(); err != nil {
		return err
	}
	if err := s.lost(); err != nil {
		return err
	}
	if err := s.idle(); err != nil {
		return err
	}
	if err := s.other.do("systemctl start corosync"); err != nil {
		return err
	}
	return s.well()
}

// forced shuts the daemon down whatever Pacemaker says, and starts it again.
func (s *story) forced() error {
	out, err := s.other.Tool("corosync-cfgtool", "-H", "--force")
	s.tell("corosync-cfgtool -H --force: %s%v", out, err)
	status, ended := s.other.Ended(10 * time.Second)
	s.tell("the daemon ended %v with status %d", ended, status)
	if err := s.lost(); err != nil {
		return err
	}
	if err := s.idle(); err != nil {
		return err
	}
	if err := s.other.do("systemctl start corosync"); err != nil {
		return err
	}
	return s.well()
}

// fenced has a node fenced that lives on: its Pacemaker hears of it, ends and
// takes the daemon with it.
func (s *story) fenced() error {
	out, err := s.busy.pacemaker.Do("stonith_admin", "--fence", fmt.Sprintf("n%d", s.other.ID))
	s.tell("stonith_admin --fence: %s%v", out, err)
	if err := s.c.wait(30*time.Second, func() error {
		if s.other.pacemaker.Running() {
			return errors.New("Pacemaker runs still")
		}
		return nil
	}); err != nil {
		return err
	}
	status, ended := s.other.Ended(10 * time.Second)
	s.tell("the daemon ended %v with status %d", ended, status)
	for _, line := range []string{"systemctl start corosync", "systemctl start pacemaker"} {
		if err := s.other.do(line); err != nil {
			return err
		}
	}
	return s.well()
}

// stopped stops the Pacemaker that runs the resource, which goes elsewhere.
func (s *story) stopped() error {
	if err := s.busy.do("systemctl stop pacemaker"); err != nil {
		return err
	}
	if err := s.c.wait(30*time.Second, func() error { return s.c.of(s.rest(s.busy)...) }); err != nil {
		return err
	}
	after, err := s.c.life(resources[0])
	if err != nil {
		return err
	}
	s.tell("the resource moved to n%d", after.node)
	s.pids[resources[0]] = after.pid
	if err := s.busy.do("systemctl start pacemaker"); err != nil {
		return err
	}
	return s.well()
}

// rest are the numbers of the nodes but one.
func (s *story) rest(but *node) (ids []int) {
	for _, n := range s.c.nodes {
		if n != but {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// lost waits until the other two do without a node, which they had fenced.
func (s *story) lost() error {
	if err := s.c.wait(30*time.Second, func() error { return s.c.of(s.rest(s.other)...) }); err != nil {
		return err
	}
	fenced := 0
	for _, n := range s.c.nodes {
		fenced += strings.Count(n.pacemaker.Fenced(), fmt.Sprintf(" n%d\n", s.other.ID))
	}
	s.tell("so far, the others had it fenced %d times", fenced)
	return nil
}

// idle waits until the node's pacemakerd, whose Corosync is gone, has tried in vain
// to reach it and has none of the children left that need it.
func (s *story) idle() error {
	return s.c.wait(30*time.Second, func() error {
		log := s.other.pacemaker.Log()[s.seen[s.other.ID-1]:]
		if !strings.Contains(log, "Could not connect to Corosync CFG") || strings.Count(log, "Not respawning") < 4 {
			return errors.New("pacemakerd does not wait for Corosync yet")
		}
		return nil
	})
}

// well waits until all is well again, tells what that took of Pacemaker, and sees
// that the resources ran on meanwhile.
func (s *story) well() error {
	err := s.c.wait(60*time.Second, s.c.whole)
	s.tell("all is well: %v; the same pacemakerd: %v", err == nil, s.other.pacemaker.PID() == s.was)
	s.daemons(s.other)
	if err != nil {
		return err
	}
	if err := s.agree(); err != nil {
		return err
	}
	if err := s.c.wait(10*time.Second, s.joined); err != nil {
		return err
	}
	for _, resource := range resources {
		l, err := s.c.life(resource)
		if err != nil {
			return err
		}
		if l.pid != s.pids[resource] {
			return fmt.Errorf("%s, process %d before, %v", resource, s.pids[resource], l)
		}
	}
	return nil
}

var (
	numbers = regexp.MustCompile(`(Ring ID:\s+)\S+|(Date:).*|[0-9a-f]*\d[0-9a-f]*`)
	logLine = regexp.MustCompile(`^\S+ +\d+ [\d:.]+ n\d (\S+?) *\[\d+\] \((\S+)\)\s+(\w+): (.*)`)
)

// telling are the lines of pacemakerd's that say what it makes of Corosync, and one
// of its children's. The others depend on who was faster: a child that is asked how it
// is or that has ended, Corosync that is gone first or another child, a Corosync not
// yet ready (systemd would wait for it to say so).
var telling = regexp.MustCompile(`pacemakerd .*(cluster layer|Corosync CFG|Corosync wants|Asking Corosync|[Cc]luster reconnect|Not respawning|Respawning cluster-based|` +
	`Shutting|Shutdown|fatal|Panick|successfully started)|allegedly just fenced`)

// daemons tells what the node's Pacemaker had to say of its Corosync since last
// time, but for the order.
func (s *story) daemons(n *node) {
	log := n.pacemaker.Log()
	var said []string
	for line := range strings.Lines(log[s.seen[n.ID-1]:]) {
		if m := logLine.FindStringSubmatch(line); m != nil && telling.MatchString(line) {
			said = append(said, fmt.Sprintf("%s: %s: %s", m[1], m[3], numbers.ReplaceAllString(m[4], "${1}${2}N")))
		}
	}
	s.seen[n.ID-1] = len(log)
	slices.Sort(said)
	for _, line := range slices.Compact(said) {
		s.tell("  %s", line)
	}
}

// joined tells whether a daemon is missing in Pacemaker's four process groups.
func (s *story) joined() error {
	out, err := s.third.Tool("corosync-cpgtool")
	if n := strings.Count(out, "(10.77."); err == nil && n != 12 {
		err = fmt.Errorf("%d members in Pacemaker's groups: %s", n, out)
	}
	return err
}

var (
	groupLine  = regexp.MustCompile(`Group (\S+) event \d+: (?:n\d \()?node (\d) pid \d+\)? (joined|left.*)`)
	quorumLine = regexp.MustCompile(`Quorum ([a-z ]+) \| membership=\d+ members=(\d)`)
)

// observe tells what Corosync told the third node's Pacemaker of the others since
// last time, but for the order, which is each group's own. Who joined did so by
// himself, or with his node if he was in the group before its ring met this one.
func (s *story) observe() {
	log := s.third.pacemaker.Log()
	var said []string
	for line := range strings.Lines(log[s.read:]) {
		if m := groupLine.FindStringSubmatch(line); m != nil {
			said = append(said, s.roleNames(fmt.Sprintf("group %s: n%s %s", m[1], m[2], m[3])))
		}
		if m := quorumLine.FindStringSubmatch(line); m != nil {
			said = append(said, fmt.Sprintf("quorum %s, %s members", m[1], m[2]))
		}
	}
	first := s.read == 0
	s.read = len(log)
	if first {
		return // who started first is chance
	}
	slices.Sort(said)
	for _, line := range slices.Compact(said) {
		s.tell("  told to n%d: %s", s.third.ID, line)
	}
}

// anyOrder sorts lines.
func anyOrder(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
