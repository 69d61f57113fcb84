package replay

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const capturesDir = "../../captures"

// sidecars lists the recordings whose names begin with prefix.
func sidecars(t testing.TB, prefix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(capturesDir, prefix+"*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings of %s, %v", len(files), prefix, err)
	}
	return files
}

// A result is what Run said.
type result struct {
	status                                       int
	packets, decoded, identical, events, matched int
	out, errors                                  string
}

var lastLine = regexp.MustCompile(`^packets \d+ decoded \d+ identical \d+ events \d+ matched \d+$`)

// replay runs Run and reads the last line of its output.
func replay(t testing.TB, sidecar string, opt Options) result {
	t.Helper()
	var out, errs bytes.Buffer
	r := result{status: Run(sidecar, opt, &out, &errs)}
	r.out, r.errors = out.String(), errs.String()
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	last := lines[len(lines)-1]
	if r.status == ExitUsage {
		return r
	}
	if !lastLine.MatchString(last) {
		t.Fatalf("%s: last line %q", sidecar, last)
	}
	if _, err := fmt.Sscanf(last, "packets %d decoded %d identical %d events %d matched %d",
		&r.packets, &r.decoded, &r.identical, &r.events, &r.matched); err != nil {
		t.Fatal(err)
	}
	return r
}

// agreed checks that everything agrees, and that there was something to agree.
func (r result) agreed(t testing.TB) {
	t.Helper()
	if r.status != ExitAgree || r.packets == 0 || r.events == 0 ||
		r.decoded != r.packets || r.identical != r.packets || r.matched != r.events {
		t.Errorf("status %d\n%s%s", r.status, r.errors, r.out)
	}
}

// Every packet of every recorded 3.x ring encodes to itself, and every event
// that a client recorded is rebuilt.
func TestCaptures(t *testing.T) {
	for _, file := range sidecars(t, "3.") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			replay(t, file, Options{}).agreed(t)
		})
	}
}

// A 2.x ring is recognised by its packets and named.
func TestOldCaptures(t *testing.T) {
	for _, file := range sidecars(t, "2.4") {
		r := replay(t, file, Options{})
		if r.status != ExitOld || r.packets == 0 || r.decoded != 0 || r.matched != 0 || !strings.Contains(r.errors, "Corosync 2.4") {
			t.Errorf("%s: %+v", file, r)
		}
	}
}
