package live

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
	"cpgol/conformance/lab"
)

// A call is a command for one of the processes; see conformance/cclient/cpgapi.c
// and libapi.c. A command that begins with ! is not waited for, until "answer".
type call struct {
	process string // see hostOf; without one, something befalls the cluster
	command string
}

var hostOf = map[string]int{"a": 1, "b": 1, "f": 1, "m": 1, "n": 1, "v": 1, "c": 2, "d": 2, "e": 2}

// An apiScript is calls in their order.
type apiScript struct {
	name     string
	calls    []call
	differs  map[call]string   // calls that are answered otherwise, and why
	programs map[string]string // of processes that do not run the scripts' own
}

var apiScripts = []apiScript{
	{name: "handles", calls: []call{
		{"a", "init 0 v0"}, {"a", "init 1 v1"}, {"a", "init 2 ring"}, {"a", "init 3 0"}, {"a", "init 3 2"}, {"a", "init 3 77"},
		{"a", "state 0"}, {"a", "context 0"}, {"a", "context 1"},
		{"a", "dispatch 0 4"}, {"a", "quiet 0 50"},
		{"a", "state 3"}, {"a", "join 3 g"}, {"a", "mcast 3 1 5"}, {"a", "dispatch 3 4"}, {"a", "finalize 3"},
		{"a", "finalize 1"}, {"a", "finalize 1"}, {"a", "dispatch 1 4"}, {"a", "state 1"},
		{"a", "finalize 0"}, {"a", "finalize 2"},
	}},
	{name: "not joined", calls: []call{
		{"a", "init 0 v1"},
		{"a", "mcast 0 1 5"}, {"a", "mcast 0 1 3000000"}, {"a", "leave 0 g"}, {"a", "members 0 g"}, {"a", "members 0 -"}, {"a", "members 0 x*127"},
		{"a", "members 0 x*200"}, {"a", "iterate 0 1 null"}, {"a", "iterate 0 3 null"}, {"a", "iterate 0 2 g"}, {"a", "quiet 0 50"},
		{"a", "finalize 0"},
	}},
	{name: "join and leave", calls: []call{
		{"a", "init 0 v1"}, {"a", "init 1 ring"}, {"a", "init 2 v0"},
		{"a", "join 0 g"}, {"a", "events 0 1"}, {"a", "join 0 g"}, {"a", "join 0 other"}, {"a", "join 1 g"},
		{"a", "join 1 h"}, {"a", "events 1 2"}, {"a", "join 2 h"},
		{"c", "init 0 ring"}, {"c", "join 0 g"}, {"c", "events 0 2"}, {"a", "events 0 1"},
		{"a", "members 2 g"}, {"a", "members 2 h"}, {"c", "members 0 g"}, {"a", "members 2 i"},
		{"a", "leave 0 g"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"a", "members 2 g"},
		{"a", "leave 0 g"}, {"a", "mcast 0 1 10"},
		{"c", "mcast 0 1 10"}, {"c", "events 0 1"},
		{"c", "finalize 0"}, {"a", "quiet 2 300"}, {"a", "members 2 g"},
		{"a", "finalize 0"}, {"a", "finalize 1"}, {"a", "quiet 2 300"}, {"a", "members 2 h"}, {"a", "finalize 2"},
	}},
	{name: "names", calls: []call{
		{"a", "init 0 v1"}, {"a", "init 1 v1"}, {"a", "init 2 v1"}, {"a", "init 3 v1"}, {"a", "init 4 v1"},
		{"a", "join 0 y*129"}, {"a", "join 0 y*4000"},
		{"a", "join 0 y*127"}, {"a", "events 0 1"},
		{"a", "join 2 nul"}, {"a", "events 2 1"}, {"a", "join 3 nul^"}, {"a", "events 3 1"},
		{"a", "mcast 3 1 4"}, {"a", "events 3 1"}, {"a", "quiet 2 100"},
		{"a", "iterate 4 1 null"}, {"a", "iterate 4 3 null"}, {"a", "iterate 4 2 nul"}, {"a", "iterate 4 2 nul^"}, {"a", "iterate 4 2 -"},
		{"a", "members 4 nul^"}, {"a", "members 4 y*127"},
		{"a", "finalize 0"}, {"a", "finalize 1"}, {"a", "finalize 2"}, {"a", "finalize 3"}, {"a", "finalize 4"},
	}},
	{name: "messages", calls: []call{
		{"a", "init 0 v1"}, {"b", "init 0 v0"}, {"c", "init 0 v1"},
		{"a", "join 0 g"}, {"a", "events 0 1"}, {"b", "join 0 g"}, {"b", "events 0 1"}, {"c", "join 0 g"}, {"c", "events 0 1"},
		{"a", "events 0 2"}, {"b", "events 0 1"},
		{"a", "mcast 0 1 0"}, {"a", "mcast 0 1 1"}, {"a", "mcast 0 1 1400 2 3"}, {"a", "mcast 0 1 100000 2 16"},
		{"a", "mcast 0 1 7 0"}, {"a", "mcast 0 1 7 1"}, {"a", "mcast 0 1 7 3"}, {"a", "mcast 0 1 7 99"},
		{"a", "events 0 7"}, {"b", "events 0 7"}, {"c", "events 0 7"}, {"a", "quiet 0 50"},
		{"c", "mcast 0 1 1046000"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 1 1047551"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 1 1047552"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 1 1047553"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 1 1048576 2 5"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"c", "mcast 0 1 1048577"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "events 0 1"},
		{"a", "mcast 0 200 3000"}, {"a", "events 0 200"}, {"c", "events 0 200"}, {"b", "events 0 200"},
		{"b", "state 0"}, {"a", "finalize 0"}, {"b", "finalize 0"}, {"c", "finalize 0"},
	}},
	{name: "long messages", calls: []call{
		{"a", "init 0 v1"}, {"c", "init 0 ring"},
		{"a", "join 0 g"}, {"a", "events 0 1"}, {"c", "join 0 g"}, {"c", "events 0 2"}, {"a", "events 0 1"},
		{"a", "mcast 0 1 3000000"}, {"c", "events 0 1"}, {"a", "events 0 1"},
		{"c", "mcast 0 1 3000000 2 16"}, {"c", "events 0 1"}, {"a", "events 0 1"},
		{"a", "init 1 v1"}, {"a", "join 1 h"}, {"a", "events 1 1"}, {"a", "mcast 1 1 2000000"}, {"a", "mcast 0 1 2000000"},
		{"a", "events 0 1"}, {"a", "events 1 1"}, {"c", "events 0 1"}, {"c", "quiet 0 50"},
		{"a", "finalize 0"}, {"a", "finalize 1"}, {"c", "finalize 0"},
	}},
	{name: "slow reader", calls: []call{
		{"a", "init 0 v1"}, {"a", "init 1 v1"}, {"c", "init 0 ring"}, {"a", "join 1 other"}, {"a", "events 1 1"},
		{"a", "join 0 g"}, {"a", "events 0 1"}, {"c", "join 0 g"}, {"c", "events 0 2"}, {"a", "events 0 1"},
		{"a", "mcast 0 1 12000000"}, {"a", "mcast 0 2000 1400"}, {"a", "mcast 0 2 3000000"},
		{"a", "mcast 1 1 10"}, {"a", "events 1 1"}, // all before that has its place in the order
		{"c", "mcast 0 1 2000000"}, {"c", "mcast 0 300 70000"}, {"a", "members 0 g"}, {"c", "members 0 g"},
		{"c", "events 0 1"}, {"c", "skip 0 2000"}, {"c", "events 0 3"}, {"c", "skip 0 299"}, {"c", "events 0 1"}, {"c", "quiet 0 50"},
		{"a", "events 0 1"}, {"a", "skip 0 2000"}, {"a", "events 0 3"}, {"a", "skip 0 299"}, {"a", "events 0 1"}, {"a", "quiet 0 50"},
		{"a", "mcast 0 1 5000000"}, {"a", "die"}, {"c", "events 0 2"}, {"c", "finalize 0"},
	}},
	{name: "zero copy", calls: zeroCopy, differs: map[call]string{
		{"a", "zmcast 0 1 1047553"}: tooBig, {"a", "quiet 0 61"}: tooBig, {"c", "quiet 0 61"}: tooBig,
		{"a", "zmcast 0 1 1048392"}: tooBig, {"a", "quiet 0 62"}: tooBig, {"c", "quiet 0 62"}: tooBig,
	}},
	{name: "ends", calls: []call{
		{"a", "init 0 ring"}, {"a", "join 0 g"}, {"a", "events 0 2"},
		{"b", "init 0 v1"}, {"b", "join 0 g"}, {"b", "events 0 1"}, {"a", "events 0 1"},
		{"c", "init 0 v1"}, {"c", "join 0 g"}, {"c", "events 0 1"}, {"a", "events 0 1"},
		{"b", "die"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"a", "members 0 g"},
		{"c", "die"}, {"a", "events 0 1"}, {"a", "members 0 g"}, {"a", "quiet 0 50"}, {"a", "finalize 0"},
	}},
	{name: "iterations", calls: []call{
		{"a", "init 0 v1"}, {"a", "init 1 v1"}, {"a", "init 2 v1"}, {"c", "init 0 v1"}, {"c", "init 1 v1"},
		{"c", "join 0 zebra"}, {"c", "events 0 1"}, {"a", "join 0 ant"}, {"a", "events 0 1"},
		{"c", "join 1 ant"}, {"c", "events 1 1"}, {"a", "join 1 mule"}, {"a", "events 1 1"},
		{"a", "iterate 2 1 null"}, {"a", "iterate 2 2 null"}, {"a", "iterate 2 3 null"}, {"a", "iterate 2 1 ant"}, {"a", "iterate 2 2 ant"},
		{"a", "iterate 2 3 ant"}, {"a", "iterate 2 2 none"}, {"a", "iterate 2 0 null"}, {"a", "iterate 2 4 null"},
		{"c", "iterate 0 1 null"}, {"c", "iterate 0 3 null"}, {"c", "iterate 0 2 ant"},
		{"a", "next 0"}, {"a", "next 12345"}, {"a", "end 0"}, {"a", "end 12345"},
		{"a", "finalize 0"}, {"a", "finalize 1"}, {"a", "finalize 2"}, {"c", "finalize 0"}, {"c", "finalize 1"},
	}},
	{name: "a node goes", calls: []call{
		{"a", "init 0 ring"}, {"a", "join 0 m"}, {"a", "events 0 2"}, {"b", "init 0 v1"}, {"b", "join 0 k"}, {"b", "events 0 1"},
		{"c", "init 0 v1"}, {"c", "join 0 m"}, {"c", "events 0 1"}, {"d", "init 0 v1"}, {"d", "join 0 m"}, {"d", "events 0 1"},
		{"c", "init 1 v1"}, {"c", "join 1 k"}, {"c", "events 1 1"}, {"d", "init 1 v1"}, {"d", "join 1 z"}, {"d", "events 1 1"},
		{"a", "events 0 2"}, {"b", "events 0 1"}, {"a", "members 0 m"}, {"a", "iterate 0 3 null"},
		{"", "kill 2"}, {"", "ring 1"},
		{"a", "events 0 2"}, {"b", "events 0 2"}, {"a", "iterate 0 3 null"},
		{"c", "quiet 0 100"}, {"c", "dispatch 0 4"}, {"c", "mcast 0 1 10"}, {"c", "members 0 m"}, {"c", "init 2 v1"}, {"c", "finalize 0"},
		{"", "start 2"}, {"", "ring 1 2"}, {"a", "events 0 1"}, {"a", "quiet 0 50"},
		{"c", "init 2 v1"}, {"c", "join 2 m"}, {"c", "events 2 1"}, {"a", "events 0 1"}, {"a", "iterate 0 3 null"},
		{"c", "finalize 2"}, {"a", "finalize 0"}, {"b", "finalize 0"},
	}},
	{name: "a node is cut off", calls: []call{
		{"a", "init 0 ring"}, {"a", "join 0 m"}, {"a", "events 0 2"}, {"b", "init 0 v0"}, {"b", "join 0 m"}, {"b", "events 0 1"},
		{"c", "init 0 v1"}, {"c", "join 0 m"}, {"c", "events 0 1"}, {"d", "init 0 v1"}, {"d", "join 0 m"}, {"d", "events 0 1"},
		{"b", "init 1 v1"}, {"b", "join 1 n"}, {"b", "events 1 1"}, {"c", "init 1 ring"}, {"c", "join 1 n"}, {"c", "events 1 2"},
		{"a", "events 0 3"}, {"b", "events 0 2"}, {"b", "events 1 1"}, {"c", "events 0 1"},
		{"", "cut 2"}, {"", "ring 1"}, {"", "ring 2"},
		{"a", "events 0 2"}, {"b", "events 0 1"}, {"b", "events 1 2"}, {"c", "events 0 2"}, {"c", "events 1 2"}, {"d", "events 0 2"},
		{"a", "mcast 0 1 100"}, {"a", "events 0 1"}, {"b", "events 0 1"}, {"c", "mcast 0 1 200"}, {"c", "events 0 1"}, {"d", "events 0 1"},
		{"b", "finalize 1"}, {"d", "finalize 0"}, {"e", "init 0 v1"}, {"e", "join 0 m"}, {"e", "events 0 1"}, {"c", "events 0 2"},
		{"", "join 2"}, {"", "ring 1 2"},
		{"a", "events 0 2"}, {"b", "events 0 1"}, {"c", "events 0 2"}, {"c", "events 1 1"}, {"e", "events 0 2"},
		{"a", "iterate 0 3 null"}, {"c", "iterate 0 3 null"}, {"a", "quiet 0 50"}, {"c", "quiet 0 50"}, {"c", "quiet 1 50"},
		{"a", "finalize 0"}, {"b", "finalize 0"}, {"c", "finalize 0"}, {"c", "finalize 1"}, {"e", "finalize 0"},
	}},
	{name: "a node stops", calls: []call{
		{"a", "init 0 ring"}, {"a", "join 0 m"}, {"a", "events 0 2"}, {"c", "init 0 v1"}, {"c", "join 0 n"}, {"c", "events 0 1"},
		{"", "stop 2"}, {"", "ring 1"}, {"a", "events 0 1"}, {"a", "quiet 0 50"},
		{"c", "quiet 0 100"}, {"c", "dispatch 0 4"}, {"c", "mcast 0 1 10"}, {"c", "finalize 0"}, {"a", "finalize 0"},
		{"", "start 2"}, {"", "ring 1 2"},
	}},
	{name: "differences", calls: []call{
		{"a", "init 0 v1"}, {"a", "join 0 y*128"}, {"a", "finalize 0"},
		{"a", "init 1 v1"}, {"a", "join 1 p"}, {"a", "events 1 1"},
		{"c", "init 0 v1"}, {"c", "join 0 p"}, {"c", "events 0 1"}, {"a", "events 1 1"}, {"a", "leave 1 p"}, {"a", "events 1 1"},
		{"c", "mcast 0 1 10"}, {"a", "quiet 1 102"}, {"a", "join 1 p*1"}, {"a", "quiet 1 300"}, {"a", "members 1 p"},
		{"a", "init 2 v1"}, {"a", "join 2 q"}, {"a", "events 2 1"}, {"a", "leave 2 other"}, {"a", "quiet 2 103"}, {"a", "members 2 q"},
		{"b", "init 0 v1"}, {"b", "join 0 -"}, {"b", "events 0 1"}, {"b", "die"}, {"a", "quiet 2 104"}, {"a", "members 2 -"},
	}, differs: map[call]string{
		{"a", "join 0 y*128"}: "peers of stock write past a buffer when a node with such a group dies",
		{"a", "quiet 1 102"}:  "stock, since 3.0.3, tells a connection of its group for ever after it has left",
		{"a", "join 1 p*1"}:   "stock, since 3.0.3, keeps a connection from joining again",
		{"a", "quiet 1 300"}:  "stock, since 3.0.3, keeps a connection from joining again",
		{"a", "members 1 p"}:  "stock, since 3.0.3, keeps a connection from joining again",
		{"a", "quiet 2 103"}:  "stock leaves the group that the request names, not the one that the connection is in",
		{"a", "members 2 q"}:  "stock leaves the group that the request names, not the one that the connection is in",
		{"a", "members 2 -"}:  "stock takes an empty name for no group when the connection ends",
	}},
}

const tooBig = "nodes of corosync 2.4 write past a buffer when a message with its headers is longer than a megabyte"

// zeroCopy is messages from files that the client shares with its daemon, alone
// and among others.
var zeroCopy = slices.Concat([]call{
	{"a", "init 0 v1"}, {"b", "init 0 v1"}, {"c", "init 0 v1"}, {"a", "zalloc 0 0 1000"}, {"a", "zmcast 0 0 10"},
	{"a", "join 0 g"}, {"a", "events 0 1"}, {"c", "join 0 g"}, {"c", "events 0 1"}, {"a", "events 0 1"}, {"b", "join 0 h"}, {"b", "events 0 1"},
	{"a", "zmcast 0 0 1000"}, {"a", "events 0 1"}, {"c", "events 0 1"},
	{"a", "zmcast 0 0 0"}, {"a", "zmcast 0 0 1"}, {"a", "mcast 0 1 77"}, {"a", "zmcast 0 0 999"}, {"a", "events 0 4"}, {"c", "events 0 4"},
	{"a", "zalloc 0 1 2000000"}, {"a", "zalloc 0 2 0"}, {"a", "zmcast 0 2 0"}, {"a", "zmcast 0 1 100000"}, {"a", "events 0 2"}, {"c", "events 0 2"},
	{"a", "zfree 0 0"}, {"a", "zalloc 0 0 4096"}, {"a", "zmcast 0 0 4096"}, {"a", "zfree 0 0"}, {"a", "events 0 1"}, {"c", "events 0 1"},
	{"a", "zero 0 1000"}, {"a", "events 0 1"}, {"b", "zero 0 70000"}, {"b", "events 0 1"}, {"c", "events 0 1"}, {"c", "quiet 0 50"},
}, repeated(20, call{"a", "zalloc 0 %d 5000"}, 10), repeated(20, call{"a", "zmcast 0 %d 5000"}, 10), repeated(20, call{"a", "zfree 0 %d"}, 10), []call{
	{"a", "events 0 20"}, {"c", "events 0 20"},
	{"a", "zmcast 0 1 1046000"}, {"a", "events 0 1"}, {"c", "events 0 1"},
	{"a", "zmcast 0 1 1047552"}, {"a", "events 0 1"}, {"c", "events 0 1"},
	{"a", "zmcast 0 1 1047553"}, {"a", "quiet 0 61"}, {"c", "quiet 0 61"},
	{"a", "zmcast 0 1 1048392"}, {"a", "quiet 0 62"}, {"c", "quiet 0 62"},
	{"a", "zmcast 0 1 1048577"}, {"a", "zmcast 0 1 1900000"}, {"a", "quiet 0 50"},
	{"a", "leave 0 g"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"a", "zmcast 0 1 10"}, {"a", "zfree 0 1"}, {"a", "zalloc 0 1 10"},
	{"b", "zalloc 0 7 1000"}, {"b", "die"}, {"a", "finalize 0"}, {"c", "quiet 0 50"}, {"c", "finalize 0"},
})

// repeated is a call with n numbers in it, from first on.
func repeated(n int, k call, first int) (calls []call) {
	for i := range n {
		calls = append(calls, call{k.process, fmt.Sprintf(k.command, first+i)})
	}
	return calls
}

// TestAPI has stock's C library make the same calls to both daemons: the
// results and the events must be the same.
func TestAPI(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	binary, err := lab.BuildClient(t.TempDir(), "cpgapi")
	if err != nil {
		t.Fatal(err)
	}
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000}, asked("ss", "os", "so", "oo")...)
	perform(t, all, traced(t, binary, "cpg"), apiScripts)
}

// duringSync is what clients get while the ring synchronises, which a quorum
// device can hold up: it is registered, and does not vote. Old connections wait,
// or are told to try again if they can't; new ones get what needs no ring.
var duringSync = apiScript{name: "synchronising", calls: []call{
	{"v", "vq 3"}, {"v", "quiet 100"}, {"v", "register dev"}, {"v", "poll dev 1"}, {"v", "quiet 200"},
	{"a", "init 0 v1"}, {"a", "join 0 g"}, {"a", "events 0 1"}, {"b", "init 0 v1"}, {"b", "join 0 h"}, {"b", "events 0 1"}, {"b", "zalloc 0 0 100"}, {"b", "init 2 v1"},
	{"c", "init 0 v1"}, {"c", "join 0 g"}, {"c", "events 0 1"}, {"a", "events 0 1"}, {"m", "map 0"},
	{"", "kill 2"}, {"v", "quiet 4000"}, {"v", "info 0"},
	{"a", "once 0 10"}, {"a", "once 0 2000000"}, {"b", "!members 0 g"}, {"m", "!u32 totem.version"},
	{"n", "map 0"}, {"n", "u32 totem.version"}, {"n", "set k.x 2 1 01"}, {"n", "list k."}, {"n", "del k.x"},
	{"f", "init 0 v1"}, {"f", "state 0"}, {"f", "join 0 g"}, {"f", "members 0 h"}, {"f", "iterate 0 1 null"}, {"f", "leave 0 g"}, {"f", "once 0 10"},
	{"v", "poll dev 1"}, {"", "ring 1"}, {"b", "answer"}, {"m", "answer"}, {"a", "events 0 1"}, {"a", "once 0 10"}, {"a", "events 0 1"},
	{"b", "zmcast 0 0 50"}, {"b", "events 0 1"}, {"f", "join 0 g"}, {"f", "events 0 1"}, {"a", "events 0 1"}, {"a", "quiet 0 50"},
	{"", "start 2"}, {"c", "finalize 0"}, {"d", "hurry 0"}, {"v", "quiet 3000"}, {"v", "poll dev 1"}, {"", "ring 1 2"}, {"d", "join 0 g"},
	{"a", "events 0 1"}, {"a", "finalize 0"}, {"b", "finalize 0"}, {"f", "finalize 0"}, {"d", "finalize 0"}, {"v", "unregister dev"},
}}

// TestDuringSync holds what clients get then against stock's.
func TestDuringSync(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	dir := t.TempDir()
	built := map[string]string{}
	for program, links := range map[string][]string{"cpgapi": nil, "libapi": {"quorum", "votequorum", "cfg"}, "mapapi": {"cmap"}} {
		var err error
		if built[program], err = lab.BuildClient(dir, program, links...); err != nil {
			t.Fatal(err)
		}
	}
	script := duringSync
	script.programs = map[string]string{"v": built["libapi"], "m": built["mapapi"], "n": built["mapapi"]}
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000, Quorum: deviceQuorum}, asked("ss", "oo")...)
	perform(t, all, built["cpgapi"], []apiScript{script})
}

// socketCrowd is the wall that C clients stand behind: beyond 128 members their
// stack is overrun. Where nobody is told, stock's go on, and the script ends.
var socketCrowd = apiScript{name: "a crowd", calls: []call{
	{"a", "init 0 v1"}, {"a", "init 1 v1"}, {"c", "init 0 v1"}, {"c", "join 0 g"}, {"c", "events 0 1"},
	{"a", "join 0 g"}, {"a", "events 0 1"}, {"c", "events 0 1"}, {"a", "crowd 126 g"}, {"a", "mcast 0 1 100"}, {"a", "skip 0 127"}, {"c", "skip 0 127"},
	{"a", "members 0 g"}, {"c", "members 0 g"}, {"a", "finalize 0"}, {"c", "finalize 0"},
	{"b", "crowd 2 g"}, {"b", "crowd 1 g"}, {"b", "disperse"}, {"a", "disperse"}, {"b", "init 0 v1"}, {"b", "join 0 g"}, {"b", "quiet 0 300"}, {"b", "finalize 0"}, {"a", "finalize 1"},
}, differs: map[call]string{
	{"b", "crowd 1 g"}: "stock lets a 129th in, whom clients have no room for",
}}

// TestSockets plays a choice of the scripts where clients and daemons speak by
// libqb's other transport.
func TestSockets(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	dir := t.TempDir()
	var all []*cluster
	for _, cast := range asked("ss", "oo") {
		c := newCluster(t, cast, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000})
		c.conf += "system {\n  qb_ipc_type: socket\n}\n"
		all = append(all, c)
	}
	each(t, all, func(_ int, c *cluster) error { return c.grow() })
	// The library tells more of an address than the daemon told it, which is
	// what the program's stack held.
	library := chosen(t, libraryScripts, "votes", "cfg")
	library[1] = library[1].without("addrs ")
	small := []string{"handles", "join and leave", "ends", "iterations", "a node goes"}
	large := []string{"not joined", "messages", "long messages", "slow reader", "zero copy"}
	if !megabytes() {
		t.Logf("without the scripts %q: this kernel's net.core.wmem_max lets no datagram of a megabyte pass", large)
		large = nil
	}
	for _, k := range []struct {
		program string
		links   []string
		from    []apiScript
		names   []string
	}{
		{"cpgapi", nil, apiScripts, small},
		{"cpgapi", nil, apiScripts, large},
		{"cpgapi", nil, []apiScript{socketCrowd}, []string{"a crowd"}},
		{"libapi", []string{"quorum", "votequorum", "cfg"}, library, []string{"votes", "cfg"}},
		{"mapapi", []string{"cmap"}, mapScripts, []string{"values", "trackers", "statistics"}},
	} {
		binary, err := lab.BuildClient(dir, k.program, k.links...)
		if err != nil {
			t.Fatal(err)
		}
		perform(t, all, binary, chosen(t, k.from, k.names...))
	}
	each(t, all, func(_ int, c *cluster) error { return c.Hosts[0].Do(askOverSockets) })
	for _, c := range all {
		h := c.Hosts[0] // the other one's daemon was killed
		left := c.shared(t, h)
		for deadline := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = c.shared(t, h) {
			time.Sleep(20 * time.Millisecond)
		}
		if len(left) > 0 {
			t.Errorf("%s: clients are gone, and have left %q", c.cast, left)
		}
	}
}

// megabytes reports whether clients can send a datagram of a megabyte, as they
// can by default since Linux 6.18.
func megabytes() bool {
	b, err := os.ReadFile("/proc/sys/net/core/wmem_max")
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return err == nil && n >= 1<<20
}

// askOverSockets has our own client ask the daemon beside it for a key, and wants
// it to be told to use sockets.
func askOverSockets() error {
	c, err := client.Dial("cmap", client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	if files, err := os.ReadDir(c.Dir()); err != nil || len(files) != 1 || files[0].Name() != "qb-control-cmap" {
		return fmt.Errorf("files %v, %w", files, err)
	}
	answer, err := c.Call((&abi.CmapGetRequest{Key: "totem.transport", Room: 5}).Append(nil), nil, nil)
	if err != nil {
		return err
	}
	var got abi.CmapGetResponse
	if _, err := got.Decode(answer); err != nil || string(got.Value) != "knet\x00" {
		return fmt.Errorf("answer %+v, %w", got, err)
	}
	return nil
}

// clientFile is what belongs to one client in shared memory.
var clientFile = regexp.MustCompile(`^(qb-\d+-\d+-\d+-|corosync_zerocopy-)`)

// shared is what is there of clients beside a host.
func (c *cluster) shared(t *testing.T, h *lab.Host) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(h.Shm())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if clientFile.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// chosen are the scripts of these names.
func chosen(t *testing.T, from []apiScript, names ...string) (scripts []apiScript) {
	t.Helper()
	for _, s := range from {
		if slices.Contains(names, s.name) {
			scripts = append(scripts, s)
		}
	}
	if len(scripts) != len(names) {
		t.Fatalf("%d scripts of %v", len(scripts), names)
	}
	return scripts
}

// without is a script that lacks some calls.
func (s apiScript) without(command string) apiScript {
	s.calls = slices.DeleteFunc(slices.Clone(s.calls), func(k call) bool {
		return strings.HasPrefix(k.command, command)
	})
	return s
}

// perform plays scripts in clusters, of which the first is the reference's. On a busy
// machine that may lose its token: what its clients were told then is no measure.
func perform(t *testing.T, all []*cluster, binary string, scripts []apiScript) {
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			told := playIn(t, all, &script, func(_ int, c *cluster) ([]answer, error) { return c.play(binary, script) })
			for i, c := range all[1:] {
				script.compare(t, c.cast, told[0], told[i+1])
			}
		})
	}
}

// playIn plays a script in all clusters, and again if a ring of stock's alone changed
// meanwhile, which nobody asked for.
func playIn(t *testing.T, all []*cluster, s *apiScript, play func(i int, c *cluster) ([]answer, error)) [][]answer {
	t.Helper()
	for try := 1; ; try++ {
		told := make([][]answer, len(all))
		failed := make([]error, len(all))
		lost := make([]bool, len(all))
		each(t, all, func(i int, c *cluster) error {
			before := c.ringID()
			told[i], failed[i] = play(i, c)
			lost[i] = c.ringID() != before && !strings.Contains(c.cast, "o") && !s.moves()
			return nil
		})
		if slices.Contains(lost, true) && try < 3 {
			t.Logf("again: stock's ring changed by itself (%v)", lost)
			continue
		}
		if err := errors.Join(failed...); err != nil {
			t.Fatal(err)
		}
		return told
	}
}

// ringID names the present ring.
func (c *cluster) ringID() string {
	id, _, err := c.Hosts[0].Ring()
	if err != nil {
		return err.Error()
	}
	return id
}

// moves reports whether a script changes the ring.
func (s *apiScript) moves() bool {
	return slices.ContainsFunc(s.calls, func(k call) bool { return k.process == "" })
}

// An answer is what a call told.
type answer struct {
	call call
	told []string
}

// compare holds a cluster's answers against those beside stock daemons. Where
// differences are known, they must be there as well.
func (s *apiScript) compare(t *testing.T, cast string, stock, got []answer) {
	for i := range stock {
		reason := s.differs[stock[i].call]
		d := cmp.Diff(stock[i].told, got[i].told)
		if (d != "") != (reason != "") && (reason == "" || cast == "oo") {
			t.Errorf("%s, beside stock (-), in %s (+); known difference: %q\n%s", stock[i].call, cast, reason, d)
		}
	}
}

func (k call) String() string { return k.process + "> " + k.command }

// play has a script's processes make their calls.
func (c *cluster) play(binary string, s apiScript) (all []answer, err error) {
	p := player{c: c, binary: binary, programs: s.programs, running: map[string]*lab.Client{}, seen: map[string]int{}, names: map[string]string{}}
	defer p.close()
	for _, k := range s.calls {
		var told []string
		if k.process == "" {
			err = c.do(k.command)
		} else {
			told, err = p.call(k)
		}
		all = append(all, answer{k, told})
		if err != nil {
			return all, fmt.Errorf("%s: %s: %w\n%v", c.cast, k, err, all)
		}
	}
	return all, nil
}

// A player has the processes of one script.
type player struct {
	c        *cluster
	binary   string
	programs map[string]string
	running  map[string]*lab.Client
	seen     map[string]int    // lines of each process
	names    map[string]string // by PID
}

func (p *player) close() {
	for _, c := range p.running {
		c.Kill()
	}
}

// call starts the process if it is not there yet.
func (p *player) call(k call) (told []string, err error) {
	process := p.running[k.process]
	if process == nil {
		binary := p.binary
		if other := p.programs[k.process]; other != "" {
			binary = other
		}
		if process, err = p.c.Hosts[hostOf[k.process]-1].StartClient(binary); err != nil {
			return nil, err
		}
		p.running[k.process] = process
		p.names[strconv.Itoa(process.PID())] = k.process
	}
	command, later := strings.CutPrefix(k.command, "!")
	if command != "answer" {
		if err := process.Tell(command); err != nil || later {
			return nil, err
		}
	}
	begin := p.seen[k.process]
	length := 0
	err = process.Wait(15*time.Second, func(lines []string) bool {
		length = slices.Index(lines[begin:], ".")
		return length >= 0
	})
	if err != nil {
		return process.Lines()[begin:], err
	}
	for _, line := range process.Lines()[begin : begin+length] {
		told = append(told, namePIDs(line, p.names))
	}
	p.seen[k.process] = begin + length + 1
	return told, nil
}

var digits = regexp.MustCompile(`\d+`)

// namePIDs replaces the numbers of processes by their names.
func namePIDs(line string, names map[string]string) string {
	return digits.ReplaceAllStringFunc(line, func(n string) string {
		if name, ok := names[n]; ok {
			return name
		}
		return n
	})
}
