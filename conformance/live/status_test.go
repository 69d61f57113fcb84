package live

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// TestStatus asks cpgold status about a node of ours that runs from TOML, beside a
// corosync.conf that a tool rewrites, and about a stock node.
func TestStatus(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if *which == "stock" {
		t.Skip("only ours has this command")
	}
	t.Parallel()
	r := newRing(t, casts[0], kinds[1])
	stock, ours := lab.Admin{Host: r.Hosts[0], Binary: daemonBinary}, lab.Admin{Host: r.Hosts[1], Binary: daemonBinary}
	for _, a := range []lab.Admin{stock, ours} {
		r.must(a.Install(r.conf, lab.Key()), "install")
	}
	there, _ := page(t)
	for _, line := range slices.Concat([]string{"systemctl start corosync"}, there[:len(there)-2]) {
		_, err := ours.Do(line)
		r.must(err, "%s", line)
		if line == "systemctl start corosync" {
			_, err = stock.Do(line)
			r.must(err, "%s", line)
			r.must(r.WaitRing(20*time.Second, 1, 2), "ring")
		}
	}
	r.must(r.WaitRing(20*time.Second, 1, 2), "ring")

	s := r.status(ours)
	if s.Program != "cpgold" || s.Node != 2 || s.Cluster != "lab" || s.PID != ours.PID() || len(s.Errors) > 0 {
		t.Errorf("%+v", s)
	}
	if s.File.Path != "/etc/corosync/cpgold.toml" || s.File.Format != "toml" || len(s.File.Waits) > 0 || s.Other != nil {
		t.Errorf("file %+v, other %+v", s.File, s.Other)
	}
	ring, _, err := ours.Ring()
	r.must(err, "ring")
	if s.Ring == nil || s.Ring.ID != ring || !slices.Equal(s.Ring.Members, []int{1, 2}) || !s.Ring.Quorate || s.Quorum == nil || s.Quorum.Expected != 3 ||
		s.Quorum.Total != 2 || s.Quorum.Quorum != 2 {
		t.Errorf("ring %+v, not %s; votes %+v", s.Ring, ring, s.Quorum)
	}
	if len(s.Nodes) != 3 || s.Nodes[0].State != "joined" || len(s.Nodes[0].Links) != 1 || !s.Nodes[0].Links[0].Connected ||
		s.Nodes[2].State != "never seen" || s.Nodes[2].Links[0].Connected {
		t.Errorf("nodes %+v", s.Nodes)
	}

	// A tool rewrites the file that does not rule; then somebody edits the one that
	// does.
	r.edit(ours, "corosync.conf", "token: 1000", "token: 1234")
	if s = r.status(ours); s.Other == nil || !slices.Equal(s.Other.Differs, []string{"totem.token"}) || len(s.File.Waits) > 0 {
		t.Errorf("file %+v, other %+v", s.File, s.Other)
	}
	r.edit(ours, "cpgold.toml", `token = "1s"`, `token = "1234ms"`)
	if s = r.status(ours); s.Other != nil || !slices.Contains(s.File.Waits, "totem.token") {
		t.Errorf("file %+v, other %+v", s.File, s.Other)
	}
	r.edit(ours, "cpgold.toml", `token = "1234ms"`, `token = 7`)
	if s = r.status(ours); !strings.Contains(s.File.Refused, "cpgold.toml") {
		t.Errorf("file %+v", s.File)
	}

	if s = r.status(stock); s.Program != "corosync" || s.Node != 1 || s.File.Path != "/etc/corosync/corosync.conf" || len(s.File.Waits) > 0 || len(s.Errors) > 0 {
		t.Errorf("stock: %+v, file %+v", s, s.File)
	}
	_, err = stock.Do("cpgold status")
	r.must(err, "status for people")
	r.must(stock.Stop(), "stop")
	if out, err := stock.Do("cpgold status"); err == nil || !strings.Contains(out, "no daemon runs here") {
		t.Errorf("without a daemon: %v, %s", err, out)
	}
}

// statusDocument is what the command's JSON promises.
type statusDocument struct {
	Program, Cluster string
	PID, Node        int
	File             struct {
		Path, Format, Refused string
		Waits                 []string
	}
	Other *struct {
		Path, Error string
		Differs     []string
	} `json:"other_file"`
	Ring *struct {
		ID      string
		Members []int
		Quorate bool
	}
	Quorum *struct{ Expected, Total, Quorum int }
	Nodes  []struct {
		ID          int
		Name, State string
		Links       []struct {
			Link      int
			Connected bool
		}
	}
	Errors []string
}

func (r *ring) status(a lab.Admin) (s statusDocument) {
	r.t.Helper()
	out, err := a.Do("cpgold status --json")
	r.must(err, "%s", out)
	r.must(json.Unmarshal([]byte(out), &s), "%s", out)
	return s
}

func (r *ring) edit(a lab.Admin, file, old, now string) {
	r.t.Helper()
	path := filepath.Join(a.Dir, "etc", file)
	text, err := os.ReadFile(path)
	r.must(err, "read")
	if !strings.Contains(string(text), old) {
		r.t.Fatalf("%s has no %q:\n%s", file, old, text)
	}
	r.must(os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o644), "write")
}
