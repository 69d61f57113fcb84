package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cpgol/compat/conf"
)

// A statusReport is what cpgold status tells. Its JSON is what --json prints.
type statusReport struct {
	Program string        `json:"program"` // that holds the lock: "cpgold", "corosync"
	PID     int           `json:"pid"`
	Cluster string        `json:"cluster"`
	Node    uint64        `json:"node"`
	File    *rulingFile   `json:"file"` // nil if the daemon's command line does not tell
	Other   *besideFile   `json:"other_file,omitempty"`
	Ring    *ringStatus   `json:"ring"`   // nil without an answer from quorum
	Quorum  *voteStatus   `json:"quorum"` // nil without a provider
	Nodes   []nodeStatus  `json:"nodes"`  // configured ones and those seen, by number
	Token   tokenStatus   `json:"token"`
	Groups  []groupStatus `json:"groups,omitempty"`
	Errors  []string      `json:"errors,omitempty"` // what could not be asked
}

// A rulingFile is the configuration file that the daemon runs from.
type rulingFile struct {
	Path    string   `json:"path"`
	Format  string   `json:"format"` // "toml" or "corosync.conf"
	Refused string   `json:"refused,omitempty"`
	Waits   []string `json:"waits"` // keys that the file has otherwise than the daemon: a reload is due
}

// A besideFile is a corosync.conf that does not rule.
type besideFile struct {
	Path    string   `json:"path"`
	Error   string   `json:"error,omitempty"` // it is no configuration
	Differs []string `json:"differs"`         // keys that it has otherwise than the file that rules
}

type nodeStatus struct {
	ID    uint64       `json:"id"`
	Name  string       `json:"name,omitempty"`
	State string       `json:"state"` // "joined", "left" or "never seen"
	Links []linkStatus `json:"links,omitempty"`
}

type linkStatus struct {
	Link      uint64 `json:"link"`
	Connected bool   `json:"connected"`
	LatencyUS uint64 `json:"latency_us"`
	MTU       uint64 `json:"mtu"`
}

// tokenStatus is how the token goes round, in milliseconds or microseconds.
type tokenStatus struct {
	TimeoutMS uint64 `json:"timeout_ms"`
	RoundMS   uint64 `json:"mean_round_ms"` // with rests
	P50US     uint64 `json:"round_p50_us"`  // without; ours alone tells
	P99US     uint64 `json:"round_p99_us"`
	Lost      uint64 `json:"lost"` // times, while the ring worked
}

const statusHelp = "usage: cpgold status [--json]"

// status tells what runs on this host, from which file, and how its ring is.
func status(args []string, stdout, stderr io.Writer) int {
	asJSON := slices.Equal(args, []string{"--json"})
	if len(args) > 0 && !asJSON {
		return misused(stderr, "status", statusHelp)
	}
	keys, err := localMap()
	if err != nil {
		fmt.Fprintln(stderr, "cpgold status:", err)
		return 1
	}
	r := &statusReport{}
	r.daemon(keys, conf.Host())
	r.members(keys)
	counters, err := localCounters()
	r.failed("counters", err)
	r.links(counters)
	r.askQuorum()
	r.askGroups()
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		e.Encode(r)
	} else {
		r.print(stdout)
	}
	return 0
}

func (r *statusReport) failed(what string, err error) {
	if err != nil {
		r.Errors = append(r.Errors, what+": "+err.Error())
	}
}

// daemon finds the process that holds the lock, and its file.
func (r *statusReport) daemon(live []conf.Key, env conf.Env) {
	text, err := os.ReadFile(lockFile)
	if err == nil {
		r.PID, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		r.failed("process", err)
		return
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.PID))
	if err != nil {
		r.failed("process", err)
		return
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID))
	if err != nil {
		r.failed("process", err)
		return
	}
	argv := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
	r.Program = strings.TrimSuffix(filepath.Base(exe), " (deleted)") // whatever it was called by
	path := rulingPath(argv)
	if !filepath.IsAbs(path) {
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", r.PID)); path == "" || err != nil || dir != "/" {
			return // the daemon has left the directory that it was started in
		}
	}
	r.files(path, live, env)
}

// rulingPath is the configuration that a daemon's command line names.
func rulingPath(argv []string) string {
	if len(argv) > 1 && argv[1] == "run" {
		if f := flagValue(argv[2:], "--config"); f != "" {
			return f
		}
		return flagValue(argv[2:], "-c")
	}
	l, _ := parseStockLine(argv[1:])
	return l.file
}

// flagValue returns the word after a flag, or behind its equals sign.
func flagValue(argv []string, flag string) string {
	for i, a := range argv {
		if a == flag && i+1 < len(argv) {
			return argv[i+1]
		}
		if v, ok := strings.CutPrefix(a, flag+"="); ok {
			return v
		}
	}
	return ""
}

// files compares the file that rules with what runs, and with a corosync.conf
// beside it.
func (r *statusReport) files(path string, live []conf.Key, env conf.Env) {
	f := &rulingFile{Path: path, Format: "corosync.conf", Waits: []string{}}
	r.File = f
	if conf.RunsTOML(path, env) {
		f.Format = "toml"
	}
	changes, refused, err := conf.CompareLive(path, live, env)
	r.failed("file", err)
	if refused != nil {
		f.Refused = refused.Error()
	}
	for _, c := range changes {
		f.Waits = append(f.Waits, c.Key)
	}
	if path == stockFile || f.Format != "toml" {
		return
	}
	c, err := conf.Load(path, env)
	if err != nil {
		return // that the file is refused has been told
	}
	keys, err := conf.Beside(stockFile, env, c)
	if err != nil || len(keys) > 0 {
		r.Other = &besideFile{Path: stockFile, Differs: append([]string{}, keys...)}
		if err != nil {
			r.Other.Error = err.Error()
		}
	}
}

// members reads the nodes from the map.
func (r *statusReport) members(live []conf.Key) {
	byID := map[uint64]*nodeStatus{}
	node := func(id uint64) *nodeStatus {
		if byID[id] == nil {
			byID[id] = &nodeStatus{ID: id, State: "never seen"}
		}
		return byID[id]
	}
	entries := map[string]struct {
		id   uint64
		name string
	}{}
	for _, k := range live {
		part := strings.Split(k.Name, ".")
		switch {
		case k.Name == "totem.cluster_name":
			r.Cluster = k.Text
		case k.Name == "runtime.config.totem.token":
			r.Token.TimeoutMS = k.Num
		case k.Name == "runtime.votequorum.this_node_id":
			r.Node = k.Num
		case len(part) == 4 && part[0] == "nodelist" && part[1] == "node":
			e := entries[part[2]]
			switch part[3] {
			case "nodeid":
				e.id = k.Num
			case "name":
				e.name = k.Text
			}
			entries[part[2]] = e
		case len(part) == 4 && part[0] == "runtime" && part[1] == "members" && part[3] == "status":
			if id, err := strconv.ParseUint(part[2], 10, 32); err == nil {
				node(id).State = k.Text
			}
		}
	}
	for _, e := range entries {
		if e.id != 0 {
			node(e.id).Name = e.name
		}
	}
	for _, n := range byID {
		r.Nodes = append(r.Nodes, *n)
	}
	slices.SortFunc(r.Nodes, func(a, b nodeStatus) int { return int(int64(a.ID) - int64(b.ID)) })
}

// links reads the state of the links, which knet alone has, and how the token goes.
func (r *statusReport) links(counters []conf.Key) {
	at := map[[2]uint64]*linkStatus{}
	for _, k := range counters {
		switch k.Name {
		case "stats.srp.mtt_rx_token":
			r.Token.RoundMS = k.Num
		case "stats.token.round_p50_us":
			r.Token.P50US = k.Num
		case "stats.token.round_p99_us":
			r.Token.P99US = k.Num
		case "stats.srp.operational_token_lost":
			r.Token.Lost = k.Num
		}
		rest, ok := strings.CutPrefix(k.Name, "stats.knet.node")
		if !ok {
			continue
		}
		var id, link uint64
		var what string
		if n, _ := fmt.Sscanf(strings.ReplaceAll(rest, ".", " "), "%d link%d %s", &id, &link, &what); n != 3 {
			continue
		}
		l := at[[2]uint64{id, link}]
		if l == nil {
			l = &linkStatus{Link: link}
			at[[2]uint64{id, link}] = l
		}
		switch what {
		case "connected":
			l.Connected = k.Num != 0
		case "latency_ave":
			l.LatencyUS = k.Num
		case "mtu":
			l.MTU = k.Num
		}
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		for where, l := range at {
			if where[0] == n.ID && n.ID != r.Node {
				n.Links = append(n.Links, *l)
			}
		}
		slices.SortFunc(n.Links, func(a, b linkStatus) int { return int(a.Link) - int(b.Link) })
	}
}
