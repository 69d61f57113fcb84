package live

import (
	"os"
	"testing"

	"cpgol/conformance/lab"
)

// samScripts watch programs with each of libsam's policies; b looks at the map.
var samScripts = []apiScript{
	{name: "calls", calls: []call{
		{"a", "register"}, {"a", "start"}, {"a", "stop"}, {"a", "hc"}, {"a", "mark"}, {"a", "size"}, {"a", "restore 10"}, {"a", "store x"}, {"a", "warn 10"}, {"a", "callback 0"}, {"a", "finalize"},
		{"a", "init 500 0"}, {"a", "init 500 3"}, {"a", "init 500 1"}, {"a", "init 500 1"}, {"a", "size"}, {"a", "restore 10"}, {"a", "store before"}, {"a", "size"}, {"a", "callback 0"},
		{"a", "register"}, {"a", "register"}, {"a", "restore 3"}, {"a", "restore 6"}, {"a", "mark"}, {"a", "callback -"}, {"a", "stop"}, {"a", "store after"}, {"a", "size"}, {"a", "store -"}, {"a", "size"},
		{"a", "start"}, {"a", "start"}, {"a", "hc"}, {"a", "warn 12"}, {"a", "stop"}, {"a", "finalize"}, {"a", "finalize"}, {"b", "keys"},
	}},
	{name: "restart", calls: []call{
		{"a", "init 400 2"}, {"a", "register"}, {"a", "store one"}, {"a", "start"}, {"a", "pulse 900"},
		{"a", "end 3"}, {"a", "size"}, {"a", "restore 100"}, {"a", "start"}, {"a", "store another"}, {"a", "hang"}, {"a", "restore 100"},
		{"a", "heed 10"}, {"a", "warn 10"}, {"a", "start"}, {"a", "quiet 550"}, {"a", "pulse 100"}, {"a", "hang"},
		{"a", "callback 0"}, {"a", "start"}, {"a", "quiet 900"}, {"a", "callback 1"}, {"a", "hang"}, {"a", "stop"}, {"a", "!end 0"},
	}},
	{name: "keys", calls: []call{
		{"a", "init 400 17"}, {"a", "register"}, {"b", "keys"}, {"a", "start"}, {"b", "keys"}, {"a", "pulse 300"}, {"b", "keys"}, {"a", "stop"}, {"b", "keys"}, {"a", "!end 0"}, {"b", "quiet 200"}, {"b", "keys"},
		{"c", "init 400 18"}, {"c", "register"}, {"c", "start"}, {"c", "end 1"}, {"d", "keys"}, {"c", "start"}, {"d", "keys"}, {"c", "!mark"}, {"d", "quiet 300"}, {"d", "keys"},
		{"e", "init 400 17"}, {"e", "register"}, {"e", "start"}, {"e", "!end 1"}, {"d", "quiet 300"}, {"d", "keys"},
	}},
	{name: "quorum", calls: []call{
		{"e", "clear"}, {"e", "keys"},
		{"c", "init 0 10"}, {"c", "register"}, {"c", "start"}, {"c", "pulse 200"}, {"d", "init 0 26"}, {"d", "register"}, {"d", "start"}, {"e", "keys"},
		{"c", "!hang"}, {"d", "!hang"}, {"e", "quiet 200"}, {"", "cut 2"}, {"c", "answer"}, {"d", "answer"}, {"c", "!start"}, {"d", "!start"}, {"e", "quiet 300"}, {"e", "keys"},
		{"", "join 2"}, {"", "ring 1 2"}, {"c", "answer"}, {"d", "answer"}, {"c", "pulse 200"}, {"e", "keys"},
		{"c", "!hang"}, {"e", "quiet 200"}, {"", "kill 2"}, {"c", "answer"}, {"c", "start"}, {"", "ring 1"}, {"", "start 2"}, {"", "ring 1 2"},
	}},
}

// TestSAM does with libsam what TestAPI does with libcpg.
func TestSAM(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat("/usr/include/corosync/sam.h"); err != nil {
		t.Skip("needs libsam-dev: run `make setup` as root")
	}
	t.Parallel()
	binary, err := lab.BuildClient(t.TempDir(), "sam", "sam", "cmap")
	if err != nil {
		t.Fatal(err)
	}
	all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000}, asked("ss", "os", "so", "oo")...)
	perform(t, all, traced(t, binary, "sam"), samScripts)
}
