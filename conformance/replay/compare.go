package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"cpgol/wire/totem"
)

// A record is what one client was told, as recorded beside the ring.
type record struct {
	file   string
	node   totem.NodeID
	events []event
}

var recordName = regexp.MustCompile(`^n(\d+)(.*)\.events\.jsonl$`)

// loadRecords reads NAME.n<i>.events.jsonl and NAME.n<i>-again.events.jsonl, a
// node's first client before later ones.
func loadRecords(c *capture) ([]record, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	var records []record
	for _, entry := range entries {
		rest, ok := cutPrefix(entry.Name(), c.name+".")
		if !ok {
			continue
		}
		m := recordName.FindStringSubmatch(rest)
		if m == nil {
			continue
		}
		i, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		node, ok := c.nodeOf(i)
		if !ok {
			return nil, fmt.Errorf("%s: the sidecar has no node %d", entry.Name(), i)
		}
		events, err := readEvents(filepath.Join(c.dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		records = append(records, record{entry.Name(), node, events})
	}
	// "n3." sorts behind "n3-again.", but its client came first.
	slices.SortStableFunc(records, func(a, b record) int {
		if a.node != b.node {
			return int(a.node) - int(b.node)
		}
		return len(a.file) - len(b.file)
	})
	return records, nil
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return "", false
	}
	return s[len(prefix):], true
}

func readEvents(path string) ([]event, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var events []event
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, len(text)+1)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var e event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		events = append(events, e)
	}
	return events, s.Err()
}

// A verdict compares a record with what was rebuilt for its client.
type verdict struct {
	record  record
	client  *client
	matched int     // leading events that agree
	told    int     // of them, those of the client since it joined
	skipped int     // recorded before the recording of the ring began
	want    event   // rebuilt, where they part
	missing bool    // nothing was rebuilt there
	beyond  []event // rebuilt beyond the last recorded event
}

func (v *verdict) agrees() bool {
	return v.client != nil && v.matched+v.skipped == len(v.record.events)
}

// identity is the process that a record is of: the one whose own join is the
// first change it was told.
func (r *record) identity() (pid uint32, group string, ok bool) {
	for _, e := range r.events {
		if e.kind != eventConfchg {
			continue
		}
		for _, a := range e.joined {
			if a[0] == uint32(r.node) {
				return a[1], e.group, true
			}
		}
		break
	}
	return 0, "", false
}

// compare finds the client that a record is of among those not yet taken, by its
// process, else in order of appearance, and compares event by event.
func compare(r record, clients []*client, taken map[*client]bool) verdict {
	pid, group, named := r.identity()
	best := verdict{record: r}
	for _, c := range clients {
		if taken[c] || c.node != r.node {
			continue
		}
		if named && (c.pid != pid || displayName(c.group) != group) {
			continue
		}
		v := c.against(r)
		if best.client == nil || v.matched > best.matched {
			best = v
		}
		if !named && len(r.events) == 0 {
			break
		}
	}
	if best.client != nil {
		taken[best.client] = true
	}
	return best
}

// against compares one client's events with a record.
//
// When its connection was made is not on the wire, so the record may begin with
// any number of the latest ring events from before the client joined.
func (c *client) against(r record) verdict {
	k := slices.IndexFunc(r.events, func(e event) bool { return e.kind != eventRing })
	if k < 0 {
		k = len(r.events)
	}
	if c.found {
		return c.fromMiddle(r)
	}
	best := c.match(r, c.prelude(k), c.events)
	if c.early && k > 0 && c.initial >= 0 && c.initial < len(c.events) {
		// The ring was told first, with the change that came before the join.
		told := append(c.prelude(k-1), c.events[c.initial])
		v := c.match(r, told, slices.Delete(slices.Clone(c.events), c.initial, c.initial+1))
		v.told++
		if v.matched > best.matched {
			best = v
		}
	}
	return best
}

func (c *client) prelude(n int) []event {
	return slices.Clone(c.before[max(0, len(c.before)-n):])
}

func (c *client) match(r record, before, events []event) verdict {
	v := verdict{record: r, client: c}
	all := append(before, events...)
	for v.matched < len(r.events) && v.matched < len(all) && r.events[v.matched].equal(all[v.matched]) {
		v.matched++
	}
	v.told = max(0, v.matched-len(before))
	switch {
	case v.matched == len(r.events):
		v.beyond = all[v.matched:]
	case v.matched < len(all):
		v.want = all[v.matched]
	default:
		v.missing = true
	}
	return v
}

// fromMiddle compares for a client that had joined before the recording of the
// ring began: its first events cannot be rebuilt.
func (c *client) fromMiddle(r record) verdict {
	var best verdict
	for k := range r.events {
		v := c.match(record{r.file, r.node, r.events[k:]}, nil, c.events)
		v.skipped, v.record = k, r
		if best.client == nil || v.matched > best.matched {
			best = v
		}
		if v.agrees() {
			break
		}
	}
	return best
}
