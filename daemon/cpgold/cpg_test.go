package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/libcpg"
	"cpgol/wire/totem"
)

func TestCpgArguments(t *testing.T) {
	for args, want := range map[string]cpgOptions{
		"g":                             {group: "g"},
		"g --in-ring --quiet":           {group: "g", inRing: true, quiet: true},
		"--size 0 --count 3 g":          {group: "g", count: 3},
		"g --count 3 --size 1073741824": {group: "g", size: 1 << 30, count: 3},
	} {
		opt, err := cpgArguments(strings.Fields(args))
		if d := cmp.Diff(want, opt, cmp.AllowUnexported(cpgOptions{})); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", args, err, d)
		}
	}
	for args, text := range map[string]string{
		"":                              "which group?",
		"g h":                           `unexpected argument "h"`,
		"g --loud":                      `unexpected argument "--loud"`,
		"g --size 3":                    "--size and --count go together",
		"g --count 3":                   "--size and --count go together",
		"g --count":                     "--count needs a number",
		"g --size 3 --count":            "--count needs a number",
		"g --size -1":                   `--size: "-1" is no number`,
		"g --size 1073741825 --count 1": `--size: "1073741825" is no number`,
	} {
		var out, errs bytes.Buffer
		if st := run(append([]string{"cpg"}, strings.Fields(args)...), &out, &errs); st != statusUsage || !strings.Contains(errs.String(), text) {
			t.Errorf("%s: status %d, %s", args, st, &errs)
		}
	}
}

// TestCpgPrint fixes the lines.
func TestCpgPrint(t *testing.T) {
	a, b := libcpg.Member{Node: 1, PID: 10}, libcpg.Member{Node: 2, PID: 20}
	for want, ev := range map[string]libcpg.Event{
		`{"event":"message","from":{"node":1,"pid":10},"size":2,"text":"hi"}`:     {Kind: libcpg.Message, From: a, Data: []byte("hi")},
		`{"event":"message","from":{"node":1,"pid":10},"size":0,"text":""}`:       {Kind: libcpg.Message, From: a},
		`{"event":"message","from":{"node":2,"pid":20},"size":1,"base64":"/w=="}`: {Kind: libcpg.Message, From: b, Data: []byte{0xff}},
		`{"event":"message","from":{"node":2,"pid":20},"size":5000}`:              {Kind: libcpg.Message, From: b, Data: make([]byte, 5000)},
		`{"event":"ring","ring":"1.1f","nodes":[1,2]}`:                            {Kind: libcpg.NewRing, Ring: totem.RingID{Rep: 1, Seq: 31}, Nodes: []libcpg.NodeID{1, 2}},
		`{"event":"change","left":[{"node":1,"pid":10,"reason":"leave"}]}`:        {Kind: libcpg.Change, Left: []libcpg.Moved{{Member: a, Reason: libcpg.Left}}},
		`{"event":"change","members":[{"node":1,"pid":10},{"node":2,"pid":20}],"joined":[{"node":1,"pid":10,"reason":"join"},{"node":2,"pid":20,"reason":"nodeup"}],"left":[{"node":2,"pid":20,"reason":"procdown"},{"node":2,"pid":20,"reason":"nodedown"}]}`: {
			Kind: libcpg.Change, Members: []libcpg.Member{a, b}, Joined: []libcpg.Moved{{Member: a, Reason: libcpg.Joined}, {Member: b, Reason: libcpg.NodeUp}},
			Left: []libcpg.Moved{{Member: b, Reason: libcpg.ProcDown}, {Member: b, Reason: libcpg.NodeDown}}},
	} {
		var out bytes.Buffer
		w := cpgWatch{out: bufio.NewWriter(&out)}
		if err := w.print(&ev); err != nil || out.String() != want+"\n" {
			t.Errorf("%v\n got %s\nwant %s", err, &out, want)
		}
		out.Reset()
		if w.quiet = true; w.print(&ev) != nil || (out.Len() == 0) != (ev.Kind == libcpg.Message) {
			t.Errorf("quietly: %s", &out)
		}
	}
}
