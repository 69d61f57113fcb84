package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBenchArguments(t *testing.T) {
	opt, err := benchArguments(strings.Fields("--group g --sizes 64,70000 --seconds 0.5 --members 3 --probe --transport ring --json"))
	want := benchOptions{group: "g", transports: []string{"ring"}, sizes: []int{64, 70000}, seconds: 0.5, members: 3, role: benchProbe, json: true}
	if d := cmp.Diff(want, opt, cmp.AllowUnexported(benchOptions{})); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for args, text := range map[string]string{
		"--sizes 8":         `--sizes: "8" is no number`,
		"--sizes":           `--sizes: "" is no number`,
		"--seconds NaN":     `--seconds: "NaN" is no time`,
		"--members 0":       `--members: "0" is no number`,
		"--transport tcp":   `--transport: "tcp" is neither ring nor offload`,
		"--group":           "which group?",
		"--members 129":     `--members: "129" is no number`,
		"group":             `unexpected argument "group"`,
		"--seconds 1 extra": `unexpected argument "extra"`,
	} {
		var out, errs bytes.Buffer
		if st := run(append([]string{"bench"}, strings.Fields(args)...), &out, &errs); st != statusUsage || !strings.Contains(errs.String(), text) {
			t.Errorf("%s: status %d, %s", args, st, &errs)
		}
	}
}

func TestBenchTable(t *testing.T) {
	var out bytes.Buffer
	show := benchTable(&out)
	show(&benchResult{Transport: benchRing, Size: 64, Messages: 1000, Own: 500, Seconds: 2, MBs: 0.032, Samples: 3, P50: 100, P90: 200, P99: 300.4, Max: 400})
	show(&benchResult{Transport: benchOffload, Size: 1_000_000, Messages: 1000, Own: 1000, Seconds: 2, MBs: 500, Offloaded: true})
	show(&benchResult{Transport: benchOffload, Size: 64, Samples: 1, P50: 1, P90: 1, P99: 1, Max: 1})
	t.Log("\n" + out.String())
	for i, want := range []string{
		"transport bytes messages/s MB/s own share p50 µs p90 µs p99 µs max µs",
		"ring 64 500 0.0 50% 100 200 300 400",
		"offload 1000000 500 500.0 100% - - - -",
		"(ring) 64 - - - 1 1 1 1",
	} {
		if got := strings.Join(strings.Fields(strings.Split(out.String(), "\n")[i]), " "); got != want {
			t.Errorf("line %d: %q, want %q", i, got, want)
		}
	}
	out.Reset()
	benchLines(&out)(&benchResult{Transport: benchRing, Role: benchSender, Size: 64, Members: 1, Seconds: 2, Messages: 10, Own: 10, MBs: 1})
	if want := `{"transport":"ring","role":"sender","size":64,"members":1,"offloaded":false,"seconds":2,"messages":10,"own":10,"mb_per_second":1}` + "\n"; out.String() != want {
		t.Errorf("%s, want %s", &out, want)
	}
}
