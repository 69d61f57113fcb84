package live

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// keyMoments are what befalls the clusters, one after the other, with what is
// compared afterwards. Steps are those of cluster.do and
//
//	reload KEY VALUE      of the totem section, on all nodes
//	set KEY TYPE VALUE    in the map beside node 2
//	send N                a client beside node 2, after it has joined, to one beside node 1
//	break                 every node's file
//	links N               of each node
var keyMoments = []struct{ name, steps string }{
	{"one node", "start 2; ring 2"},
	{"another joins", "start 1; ring 1 2"},
	{"a third joins", "start 3; ring 1 2 3"},
	{"traffic", "send 500"},
	{"a node leaves", "stop 3; ring 1 2"},
	{"it is back", "start 3; ring 1 2 3"},
	{"a node is killed", "kill 1; ring 2 3"},
	{"it is back, too", "start 1; ring 1 2 3"},
	{"cut off", "cut 2; ring 2"},
	{"together again", "join 2; ring 1 2 3"},
	{"a reload of nothing", "reload config_version 3"},
	{"a version", "reload config_version 4"},
	{"a timer", "reload token 1500"},
	{"two at once", "reload token 1200\n  join: 60"},
	{"a reload of nonsense", "break"},
	{"well again", "reload token 1100"},
	{"a second link", "links 2"},
	{"one link", "links 1"},
	{"expected votes", "set quorum.expected_votes u32 4"},
	{"a forced gathering", "set runtime.force_gather str now; sleep; ring 1 2 3"},
	{"a user", "set uidgid.uid.77 u8 1"},
	{"a time-out", "set cfg.shutdown_timeout u32 1000"},
	{"a log's level", "set logging.debug str on; set logging.debug str off"},
}

// TestKeys holds the whole map, the statistics and the order in which keys change
// beside our daemon against what they are beside stock's, at every turn.
func TestKeys(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	twice(t, playKeys)
}

func playKeys(t *testing.T) (different string) {
	ring := lab.Ring{Transport: "knet", Token: 1000, Totem: map[string]string{"config_version": "3"}}
	var all []*cluster
	var both []*keyed
	for _, cast := range asked("sss", "sos") {
		c := newCluster(t, cast, lab.Options{Links: 2}, ring)
		c.conf = secondLink.ReplaceAllString(c.conf, "")
		all, both = append(all, c), append(both, &keyed{cluster: c})
	}
	for _, m := range keyMoments {
		told := make([]moment, len(both))
		each(t, all, func(i int, c *cluster) (err error) {
			if err := both[i].do(m.steps); err != nil {
				return fmt.Errorf("%s: %s: %w", c.cast, m.steps, err)
			}
			return nil
		})
		for begin := time.Now(); ; time.Sleep(300 * time.Millisecond) {
			each(t, all, func(i int, c *cluster) (err error) {
				told[i] = both[i].moment()
				return nil
			})
			for i := range told {
				if !onlyStock() {
					told[i].forget(m.name)
				}
			}
			if time.Since(begin) > 4*time.Second || cmp.Equal(told[0], told[len(told)-1]) {
				break
			}
		}
		if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
			different += fmt.Sprintf("%s: beside stock (-), beside ours (+):\n%s", m.name, d)
		}
		if m.steps == "links 1" && len(told[0].Links) < 100 {
			t.Errorf("only %d statistics of links came and went: %v", len(told[0].Links), told[0].Links)
		}
		t.Logf("%s: %d keys, %d statistics, %d changes", m.name, len(told[0].Keys), len(told[0].Statistics), len(told[0].Changes))
		for _, k := range both {
			k.seen = len(k.tracker.Lines())
		}
	}
	return different
}

// A keyed is a cluster whose node 2 has its map, and its statistics of links,
// watched.
type keyed struct {
	*cluster
	tracker, links *lab.Client
	seen           int
}

var (
	firstLink  = regexp.MustCompile(`(?m)^( *)ring0_addr: 10\.77\.(.*)\n`)
	secondLink = regexp.MustCompile(`(?m)^ *ring1_addr: .*\n`)
)

// watched is where changes are told in stock's order; counts of messages, and what
// SAM's clients write, would drown them.
var watched = []string{"config.", "internal_configuration.", "logging.", "nodelist.", "quorum.", "runtime.config.", "runtime.members.",
	"runtime.votequorum.", "runtime.force_gather", "runtime.blackbox.", "totem.", "uidgid.", "cfg."}

// do lets steps befall the cluster.
func (k *keyed) do(steps string) (err error) {
	for _, step := range strings.Split(steps, "; ") {
		words := strings.Fields(step)
		switch words[0] {
		case "reload":
			key, value, _ := strings.Cut(strings.TrimPrefix(step, "reload "), " ")
			line := regexp.MustCompile(`(?m)^  ` + key + `: .*$`)
			if !line.MatchString(k.conf) {
				return fmt.Errorf("no %s in %s", key, k.conf)
			}
			k.conf = line.ReplaceAllString(k.conf, "  "+key+": "+value)
			err = k.reload(k.conf)
		case "links":
			if k.conf = secondLink.ReplaceAllString(k.conf, ""); words[1] == "2" {
				k.conf = firstLink.ReplaceAllString(k.conf, "${0}${1}ring1_addr: 10.78.$2\n")
			}
			err = k.reload(k.conf)
		case "break":
			err = k.reload(k.conf + "}\n")
		case "set":
			_, err = k.Hosts[1].Tool("corosync-cmapctl", append([]string{"-s"}, words[1:]...)...)
		case "send":
			err = k.send(numbers(words[1])[0])
		case "sleep":
			time.Sleep(time.Second)
		default:
			err = k.cluster.do(step)
		}
		if err != nil {
			return err
		}
		if k.tracker == nil && words[0] == "ring" {
			var args []string
			for _, prefix := range watched {
				args = append(args, "-T", prefix)
			}
			if k.tracker, err = k.Hosts[1].StartClient("stdbuf", append([]string{"-oL", "corosync-cmapctl"}, args...)...); err != nil {
				return err
			}
			if k.links, err = k.Hosts[1].StartClient("stdbuf", "-oL", "corosync-cmapctl", "-m", "stats", "-T", "stats.knet."); err != nil {
				return err
			}
		}
	}
	return nil
}

// reload has all nodes read another text; a tool that is refused is as well.
func (k *keyed) reload(text string) error {
	for _, h := range k.Hosts {
		name := map[string]string{"corosync": "corosync.conf", "cpgold": "cpgold.conf"}[h.Kind]
		if err := h.Edit(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	k.tool(2, "corosync-cfgtool", "-R")
	time.Sleep(300 * time.Millisecond) // the others' answers come through the ring
	return nil
}

// send has a client beside node 2 send to one beside node 1.
func (k *keyed) send(n int) error {
	var both []*lab.Client
	for i, id := range []int{2, 1} {
		c, err := k.Hosts[id-1].StartClient(clientBinary, "keys")
		if err != nil {
			return err
		}
		both = append(both, c)
		if err := both[0].WaitCount(10*time.Second, "confchg", 1+i); err != nil {
			return err
		}
	}
	if err := both[0].Send(n, 1000); err != nil {
		return err
	}
	if err := both[1].WaitCount(20*time.Second, "deliver", n); err != nil {
		return err
	}
	for _, c := range both {
		if err := c.Quit(); err != nil {
			return err
		}
	}
	return nil
}

// A moment is the state of the map beside node 2, and how it came to be.
type moment struct {
	Keys, Statistics map[string]string
	Changes          []string // since the last
	Links            []string // statistics of links that ever came or went
}

// exactCounts are the counts of messages that depend on the history alone: joins,
// leaves and messages of CPG, and what CFG sends. Others come once per attempt
// to form a ring, of which there may be more than one.
var exactCounts = regexp.MustCompile(`^runtime\.services\.(cpg\.[0136]|cfg\.\d)\.[rt]x$`)

// settledStatistics are those that say how things are.
var settledStatistics = regexp.MustCompile(`\.(enabled|connected|mtu|procname|firewall_enabled_or_nic_failure|continuous_gather)$`)

func (k *keyed) moment() (m moment) {
	m.Keys, m.Statistics = map[string]string{}, map[string]string{}
	for key, v := range keyLines(k.tool(2, "corosync-cmapctl")) {
		if counted.MatchString(key) && !exactCounts.MatchString(key) {
			v.text = "a count"
		}
		m.Keys[key] = v.String()
	}
	for key, v := range keyLines(k.normal(k.tool(2, "corosync-cmapctl", "-m", "stats"))) {
		switch {
		case strings.HasPrefix(key, "stats.dropped."), strings.HasPrefix(key, "stats.token."): // ours alone
		case settledStatistics.MatchString(key):
			m.Statistics[key] = v.String()
		default:
			m.Statistics[key] = v.kind
		}
	}
	m.Changes = slices.Clone(k.tracker.Lines()[k.seen:])
	for _, l := range k.links.Lines() {
		if key, _, ok := strings.Cut(l, " ("); ok {
			m.Links = append(m.Links, key)
		}
	}
	return m
}

// keyDifferences are the keys that are not as with stock, all the time or after
// one of the moments, and why.
var keyDifferences = []struct{ moment, key, reason string }{
	{"", `^totem\.interface\.\d\.bindnetaddr$`, "stock's goes with the first reload, though the address is still in use"},
	{"", `^runtime\.config\.totem\.interface\.\d\.knet_ping_`, "stock's follow the token's timeout one reload late"},
	{"a reload of nonsense", `^config\.`, "stock, up to a good reload, goes on saying that it reloads, and has the last one's status; ours says what is wrong, as later releases"},
	{"well again", `^config\.`, "the same, in the changes back"},
}

// changeDifferences are changes that are told beside stock only.
var changeDifferences = []struct{ change, reason string }{
	{`^(delete|create)> nodelist\.local_node_pos `, "stock deletes the key in each reload and makes it again: the file does not have it"},
}

// forget takes out the known differences.
func (m *moment) forget(name string) {
	for _, d := range keyDifferences {
		if d.moment != "" && d.moment != name {
			continue
		}
		key := regexp.MustCompile(d.key)
		for k := range m.Keys {
			if key.MatchString(k) {
				delete(m.Keys, k)
			}
		}
		m.Changes = slices.DeleteFunc(m.Changes, func(c string) bool { return key.MatchString(strings.Fields(c + " . .")[1]) })
	}
	for _, d := range changeDifferences {
		m.Changes = slices.DeleteFunc(m.Changes, regexp.MustCompile(d.change).MatchString)
	}
}

// normal takes out what names a connection.
func (k *keyed) normal(out string) string {
	out = regexp.MustCompile(`\.\d+\.0x[0-9a-f]+\.`).ReplaceAllString(out, ".one.")
	return regexp.MustCompile(`(?m)^stats\.schedmiss\..*$`).ReplaceAllString(out, "")
}
