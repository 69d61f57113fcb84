package live

import (
	"testing"

	"cpgol/conformance/lab"
)

var libraryScripts = []apiScript{
	{name: "tracking", calls: []call{
		{"a", "v0 3"}, {"a", "v1 3"}, {"a", "vq 3"}, {"a", "quiet 100"}, {"a", "quorate"},
		{"a", "track v0 2"}, {"a", "track v1 3"}, {"a", "track vq 3"}, {"a", "quiet 100"},
		{"b", "v0 1"}, {"b", "v1 1"}, {"b", "vq 1"}, {"b", "quiet 100"},
		{"c", "v0 2"}, {"c", "v1 2"}, {"c", "vq 4"}, {"c", "quiet 100"},
		{"d", "v1"}, {"d", "vq"}, {"d", "quorate"}, {"d", "stop v1"}, {"d", "stop vq"}, {"d", "track v1 0"}, {"d", "track vq 0"}, {"d", "quiet 100"},
		{"", "kill 2"}, {"", "ring 1"}, {"a", "quiet 300"}, {"b", "quiet 50"}, {"a", "info 0"}, {"a", "info 2"},
		{"", "start 2"}, {"", "ring 1 2"}, {"a", "quiet 300"}, {"b", "quiet 50"},
		{"e", "v1 2"}, {"e", "v0 4"}, {"e", "vq 2"}, {"e", "quiet 100"},
		{"", "cut 2"}, {"", "ring 1"}, {"", "ring 2"}, {"a", "quiet 300"}, {"e", "quiet 300"},
		{"", "join 2"}, {"", "ring 1 2"}, {"a", "quiet 300"}, {"e", "quiet 300"},
		{"a", "stop v0"}, {"a", "stop v0"}, {"a", "stop v1"}, {"a", "stop vq"}, {"a", "stop vq"},
		{"", "stop 2"}, {"", "ring 1"}, {"a", "quiet 300"}, {"a", "quorate"}, {"", "start 2"}, {"", "ring 1 2"}, {"a", "quiet 300"},
		{"a", "close v0"}, {"a", "close v1"}, {"a", "close vq"},
	}},
	{name: "votes", calls: []call{
		{"a", "vq 3"}, {"a", "quiet 50"}, {"a", "info 0"}, {"a", "info 1"}, {"a", "info 2"}, {"a", "info 9"}, {"c", "vq 2"}, {"c", "info 0"}, {"c", "info 1"},
		{"a", "expected 1"}, {"a", "expected 3"}, {"a", "quiet 200"}, {"c", "quiet 200"}, {"a", "info 0"}, {"c", "info 0"}, {"a", "expected 9"},
		{"a", "expected 2"}, {"a", "quiet 200"}, {"a", "votes 2 2"}, {"a", "quiet 200"}, {"c", "quiet 200"}, {"a", "info 2"}, {"c", "info 2"},
		{"a", "votes 9 1"}, {"a", "votes 0 1"}, {"c", "quiet 300"}, {"c", "votes 2 1"}, {"c", "quiet 200"}, {"a", "quiet 200"}, {"a", "info 0"}, {"a", "info 2"},
		{"a", "register dev"}, {"a", "unregister dev"}, {"a", "poll dev 1"}, {"a", "rename dev dev2"}, {"a", "wins dev 1"},
		{"a", "close vq"}, {"c", "close vq"},
	}},
	{name: "cfg", calls: []call{
		{"a", "cfg"}, {"a", "local"}, {"a", "addrs 0"}, {"a", "addrs 1"}, {"a", "addrs 2"}, {"a", "addrs 9"}, {"a", "links"},
		{"a", "status 1 1"}, {"a", "status 2 1"}, {"a", "status 9 1"}, {"a", "status 2 2"}, {"a", "status 2 0"}, {"a", "status 0 1"},
		{"a", "kill 9"}, {"a", "kill 0"}, {"a", "reopen"}, {"a", "reply 1"}, {"a", "stop cfg"}, {"a", "track cfg 0"}, {"a", "track cfg 0"},
		{"a", "stop cfg"}, {"a", "stop cfg"}, {"a", "reload"}, {"a", "quiet 50"}, {"a", "close cfg"},
	}, differs: map[call]string{
		{"a", "reload"}: "reading the configuration again is not supported yet",
	}},
	{name: "shutdown", calls: []call{
		{"c", "cfg 0"}, {"d", "cfg 0"}, {"e", "cfg"},
		{"e", "!shutdown 0"}, {"c", "quiet 200"}, {"d", "quiet 200"}, {"d", "shutdown 0"}, {"c", "reply 1"}, {"d", "reply 0"}, {"e", "answer"},
		{"c", "reply 1"},
		{"e", "!shutdown 0"}, {"c", "quiet 100"}, {"c", "reply 1"}, {"c", "stop cfg"}, {"d", "quiet 100"}, {"d", "reply 0"}, {"e", "answer"},
		{"c", "track cfg 0"}, {"e", "!shutdown 0"}, {"c", "quiet 100"}, {"c", "reply 1"}, {"e", "answer"}, {"c", "quiet 100"}, {"d", "quiet 100"},
		{"e", "!shutdown 1"}, {"c", "quiet 100"}, {"c", "reply 0"}, {"d", "quiet 100"}, {"d", "reply 1"}, {"e", "answer"},
		{"", "ended 2"}, {"", "ring 1"}, {"c", "local"}, {"", "start 2"}, {"", "ring 1 2"},
		{"c", "close cfg"}, {"d", "close cfg"}, {"e", "close cfg"},
		{"c", "cfg 0"}, {"d", "cfg 0"}, {"e", "cfg 0"}, {"e", "!shutdown 0"}, {"c", "quiet 100"}, {"c", "reply 1"}, {"d", "close cfg"}, {"e", "answer"},
		{"", "ended 2"}, {"", "ring 1"}, {"", "start 2"}, {"", "ring 1 2"},
		{"c", "close cfg"}, {"c", "cfg 0"}, {"e", "close cfg"}, {"e", "cfg"}, {"e", "shutdown 2"}, {"", "ended 2"}, {"", "ring 1"}, {"", "start 2"}, {"", "ring 1 2"},
	}},
}

// The device's own program does not run: a client plays it.
const deviceQuorum = `  device {
    model: net
    votes: 1
    timeout: 6000
    sync_timeout: 8000
  }
`

var deviceScripts = []apiScript{
	{name: "device", calls: []call{
		{"a", "vq 3"}, {"a", "quiet 100"}, {"a", "info 0"}, {"b", "vq"}, {"c", "vq 3"}, {"c", "quiet 100"}, {"c", "info 1"},
		{"a", "poll dev 1"}, {"a", "register dev"}, {"a", "quiet 100"}, {"a", "register dev"}, {"b", "register other"}, {"a", "info 0"}, {"c", "quiet 100"}, {"c", "info 1"},
		{"a", "poll dev 1"}, {"a", "poll other 1"}, {"a", "stale dev 1"}, {"a", "quiet 200"}, {"a", "info 0"}, {"a", "info 2"}, {"c", "quiet 200"}, {"c", "info 1"}, {"c", "info 0"},
		{"c", "register dev"}, {"c", "poll dev 0"}, {"c", "quiet 200"}, {"c", "info 0"}, {"a", "quiet 100"}, {"a", "info 2"},
		{"a", "wins dev 1"}, {"a", "wins other 1"}, {"a", "quiet 200"}, {"a", "info 0"}, {"c", "info 1"},
		{"a", "rename other x"}, {"a", "rename dev dev2"}, {"a", "quiet 200"}, {"a", "info 0"}, {"c", "info 0"}, {"a", "poll dev 1"}, {"a", "poll dev2 1"},
		{"c", "unregister other"}, {"c", "unregister dev2"}, {"c", "quiet 200"}, {"a", "quiet 200"}, {"a", "info 0"}, {"a", "info 2"},
		// Nobody votes in time.
		{"a", "quiet 6500"}, {"a", "info 0"}, {"c", "quiet 100"}, {"c", "info 1"},
		{"a", "poll dev2 1"}, {"a", "quiet 200"}, {"a", "info 0"},
		// The ring waits for the device, while it wants to vote.
		{"", "kill 2"}, {"a", "quiet 4000"}, {"a", "info 0"}, {"a", "poll dev2 1"}, {"", "ring 1"}, {"a", "quiet 300"}, {"a", "info 0"},
		{"", "start 2"}, {"a", "quiet 4000"}, {"a", "poll dev2 1"}, {"", "ring 1 2"}, {"a", "quiet 300"}, {"a", "info 0"}, {"a", "info 2"},
		{"d", "vq 3"}, {"d", "quiet 100"}, {"d", "info 1"},
		{"a", "poll dev2 0"}, {"a", "quiet 200"}, {"a", "info 0"}, {"a", "unregister dev2"}, {"a", "quiet 200"}, {"a", "info 0"}, {"d", "quiet 200"}, {"d", "info 1"},
	}},
}

// TestLibraries does with libquorum, libvotequorum and libcfg what TestAPI does
// with libcpg.
func TestLibraries(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	binary, err := lab.BuildClient(t.TempDir(), "libapi", "quorum", "votequorum", "cfg")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name, quorum string
		scripts      []apiScript
	}{
		{"plain", "", libraryScripts}, {"device", deviceQuorum, deviceScripts},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			all := grown(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000, Quorum: k.quorum}, asked("ss", "os", "so", "oo")...)
			perform(t, all, binary, k.scripts)
		})
	}
}
