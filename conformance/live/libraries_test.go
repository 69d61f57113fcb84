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
	{name: "handles", calls: []call{
		{"a", "quorate"}, {"a", "info 0"}, {"a", "local"}, {"a", "context v0"}, {"a", "context v1"}, {"a", "context vq"}, {"a", "wait v0 0"}, {"a", "wait vq 0"}, {"a", "wait cfg 0"}, {"a", "dispatch v0 4"}, {"a", "dispatch vq 4"}, {"a", "dispatch cfg 4"},
		{"a", "close v0"}, {"a", "close vq"}, {"a", "close cfg"}, {"a", "track v0 1"}, {"a", "track vq 1"}, {"a", "track cfg 0"},
		{"a", "old"}, {"a", "wait v0 0"}, {"a", "dispatch v0 4"}, {"a", "context v0"}, {"a", "track v0 1"}, {"a", "wait v0 1000"}, {"a", "dispatch v0 1"}, {"a", "wait v0 0"}, {"a", "dispatch v0 4"},
		{"a", "v1"}, {"a", "context v1"}, {"a", "track v1 1"}, {"a", "wait v1 1000"}, {"a", "dispatch v1 4"}, {"a", "wait v1 0"}, {"a", "dispatch v1 4"}, {"a", "dispatch v1 4"},
		{"a", "vq"}, {"a", "context vq"}, {"a", "track vq 1"}, {"a", "wait vq 1000"}, {"a", "dispatch vq 1"}, {"a", "dispatch vq 2"}, {"a", "wait vq 0"}, {"a", "dispatch vq 4"},
		{"a", "cfg"}, {"a", "wait cfg 0"}, {"a", "dispatch cfg 4"}, {"a", "dispatch cfg 2"},
		{"a", "close v0"}, {"a", "close v0"}, {"a", "close v1"}, {"a", "close vq"}, {"a", "close vq"}, {"a", "close cfg"}, {"a", "close cfg"}, {"a", "dispatch v0 4"}, {"a", "info 0"}, {"a", "context vq"},
	}},
	{name: "the daemon goes", calls: []call{
		{"c", "v0 2"}, {"c", "v1 2"}, {"c", "vq 2"}, {"c", "cfg 0"}, {"c", "quiet 100"}, {"d", "cfg"}, {"", "kill 2"}, {"", "ring 1"},
		{"c", "wait v0 500"}, {"c", "wait vq 500"}, {"c", "wait cfg 500"}, {"c", "dispatch v0 4"}, {"c", "dispatch v1 2"}, {"c", "dispatch vq 1"}, {"c", "dispatch cfg 4"},
		{"c", "quorate"}, {"c", "info 0"}, {"c", "local"}, {"c", "stop v0"}, {"c", "stop vq"}, {"c", "stop cfg"}, {"c", "expected 2"}, {"d", "addrs 1"}, {"d", "shutdown 0"},
		{"c", "close v0"}, {"c", "close v1"}, {"c", "close vq"}, {"c", "close cfg"}, {"e", "v1"}, {"e", "vq"}, {"e", "cfg"}, {"e", "old"},
		{"", "start 2"}, {"", "ring 1 2"}, {"c", "v1 1"}, {"c", "quiet 100"}, {"c", "info 0"}, {"c", "vq"}, {"c", "info 0"}, {"c", "close v1"}, {"c", "close vq"},
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
	{name: "killed", calls: []call{
		{"a", "cfg"}, {"c", "cfg 0"}, {"a", "kill 2"}, {"", "ended 2"}, {"", "ring 1"}, {"c", "wait cfg 500"}, {"c", "local"}, {"a", "kill 2"}, {"", "start 2"}, {"", "ring 1 2"}, {"c", "close cfg"}, {"a", "close cfg"},
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

var mapScripts = []apiScript{
	{name: "values", calls: []call{
		{"a", "map 0"}, {"a", "set k.i8 1 1 ff"}, {"a", "set k.u8 2 1 7f"}, {"a", "set k.i16 3 2 0080"}, {"a", "set k.u16 4 2 ffff"},
		{"a", "set k.i32 5 4 ffffff7f"}, {"a", "set k.u32 6 4 00000000"}, {"a", "set k.i64 7 8 0000000000000080"}, {"a", "set k.u64 8 8 ffffffffffffffff"},
		{"a", "set k.flt 9 4 0000803f"}, {"a", "set k.dbl 10 8 000000000000f03f"}, {"a", "set k.str 11 3 616263"}, {"a", "set k.bin 12 3 610062"},
		{"a", "set k.bad 1 2 0000"}, {"a", "set k.bad 6 8 00"}, {"a", "set k.bad 0 1 00"}, {"a", "set k.bad 13 1 00"}, {"a", "set k.bad 99 1 00"}, {"a", "set k.bad 11 0"},
		{"a", "set k.cut 11 2 616263"}, {"a", "set k.nul 11 4 616263"}, {"a", "set k.beyond 11 9 616263"}, {"a", "set k.none 12 0"}, {"a", "set k.long 12 16384"}, {"a", "set k.longer 12 16385"},
		{"a", "set k.empty 11 1 00"}, {"a", "list k."}, {"a", "list -"}, {"a", "list none."},
		{"a", "get k.u32 4"}, {"a", "get k.u32 3"}, {"a", "get k.u32 100"}, {"a", "get k.u32 0"}, {"a", "size k.u32"}, {"a", "size k.str"}, {"a", "size k.long"}, {"a", "get k.str 3"}, {"a", "get k.str 4"},
		{"a", "get k.cut 10"}, {"a", "get k.nul 10"}, {"a", "get k.bin 3"}, {"a", "get k.empty 9"}, {"a", "get k.missing 9"}, {"a", "size k.missing"}, {"a", "text k.str"}, {"a", "text k.u32"}, {"a", "u32 k.u32"}, {"a", "u32 k.u16"},
		{"a", "inc k.i8"}, {"a", "get k.i8 1"}, {"a", "inc k.u8"}, {"a", "get k.u8 1"}, {"a", "dec k.i16"}, {"a", "get k.i16 2"}, {"a", "inc k.u16"}, {"a", "get k.u16 2"}, {"a", "inc k.i32"}, {"a", "get k.i32 4"},
		{"a", "dec k.u32"}, {"a", "get k.u32 4"}, {"a", "dec k.i64"}, {"a", "get k.i64 8"}, {"a", "inc k.u64"}, {"a", "get k.u64 8"}, {"a", "inc k.flt"}, {"a", "inc k.dbl"}, {"a", "inc k.str"}, {"a", "dec k.bin"}, {"a", "inc k.missing"},
		{"a", "inc totem.version"}, {"a", "set totem.version 6 4 02000000"}, {"a", "del totem.version"}, {"a", "set no 2 1 01"}, {"a", "set k*y 2 1 01"},
		{"a", "set k.x 2 1 01"}, {"a", "set k.x.a 2 1 01"}, {"a", "set k.x.b 2 1 01"}, {"a", "set k.x.a.a 2 1 01"}, {"a", "sweep k.x"}, {"a", "list k.x"},
		{"a", "next 0"}, {"a", "next 77"}, {"a", "end 0"}, {"a", "end 77"}, {"a", "sweep k."}, {"a", "list k."}, {"a", "close"}, {"a", "close"}, {"a", "get k.x 1"},
	}},
	{name: "types", calls: []call{
		{"a", "context"}, {"a", "wait 0"}, {"a", "dispatch 4"}, {"a", "get k.x 1"}, {"a", "old"}, {"a", "context"}, {"a", "wait 0"}, {"a", "dispatch 4"}, {"a", "dispatch 2"},
		{"a", "typed k.1 1 100"}, {"a", "typed k.2 2 200"}, {"a", "typed k.3 3 30000"}, {"a", "typed k.4 4 60000"}, {"a", "typed k.5 5 2000000000"}, {"a", "typed k.6 6 4000000000"},
		{"a", "typed k.7 7 4000000000000"}, {"a", "typed k.8 8 9000000000000"}, {"a", "typed k.9 9 12345"}, {"a", "typed k.10 10 123456789"}, {"a", "typed k.11 11 0"}, {"a", "list k."},
		{"a", "typed totem.version 6 3"}, {"a", "typed n 6 3"}, {"a", "track k.1 7"}, {"a", "wait 0"}, {"a", "dispatch 4"}, {"a", "typed k.1 1 5"}, {"a", "wait 100"}, {"a", "dispatch 1"}, {"a", "wait 0"}, {"a", "dispatch 4"},
		{"a", "typed k.1 4 5"}, {"a", "typed k.1 5 6"}, {"a", "dispatch 4"}, {"a", "dispatch 4"}, {"a", "dispatch 4"}, {"a", "untrack 0"}, {"a", "sweep k."}, {"a", "close"}, {"a", "context"}, {"a", "dispatch 4"}, {"a", "wait 0"},
	}},
	{name: "the daemon goes", calls: []call{
		{"c", "map 0"}, {"c", "track - 15"}, {"c", "typed k.1 1 1"}, {"d", "map 1"}, {"d", "track stats.pg.msg_reserved 2"}, {"", "kill 2"}, {"", "ring 1"},
		{"c", "wait 100"}, {"d", "wait 100"}, {"d", "dispatch 4"}, {"c", "get k.1 1"}, {"c", "set k.1 1 1 01"}, {"c", "list k."}, {"c", "untrack 0"}, {"c", "close"}, {"d", "close"}, {"e", "map 0"},
		{"", "start 2"}, {"", "ring 1 2"}, {"c", "map 0"}, {"c", "get k.1 1"}, {"c", "list k."}, {"c", "close"},
	}},
	{name: "trackers", calls: []call{
		{"a", "map 0"}, {"b", "map 0"}, {"a", "track k.x 7"}, {"a", "track k. 15"}, {"a", "track k.x 1"}, {"a", "track k.x 4"}, {"a", "track - 15"}, {"a", "track - 7"}, {"a", "track k.x 0"}, {"a", "track k.x 16"},
		{"a", "track k.x 8"}, {"a", "track k.x 7"}, {"a", "track ab 15"}, {"a", "track a*b 7"},
		{"b", "set k.x 2 1 01"}, {"b", "set k.x 2 1 01"}, {"b", "set k.x 2 1 02"}, {"b", "set k.x 11 2 6162"}, {"b", "set k.xy 12 2 0001"}, {"b", "inc k.x"}, {"b", "set k.x 5 4 01000000"}, {"b", "inc k.x"}, {"b", "del k.x"}, {"b", "del k.xy"}, {"b", "del k.xy"},
		{"a", "quiet 200"}, {"a", "untrack 1"}, {"a", "untrack 1"}, {"a", "set k.x 2 1 01"}, {"a", "quiet 100"}, {"a", "untrack 0"}, {"a", "untrack 4"}, {"a", "del k.x"}, {"a", "quiet 100"}, {"a", "close"}, {"b", "close"},
	}},
	{name: "statistics", calls: []call{
		{"a", "map 1"}, {"a", "list stats.pg."}, {"a", "list stats.srp.mc"}, {"a", "list stats.none."}, {"a", "size stats.pg.msg_queue_avail"}, {"a", "get stats.pg.none 4"}, {"a", "get stats.pg.msg_queue_avail 2"},
		{"a", "set stats.pg.msg_queue_avail 6 4 01000000"}, {"a", "del stats.pg.msg_queue_avail"}, {"a", "inc stats.pg.msg_queue_avail"}, {"a", "set stats.clear.totem 2 1 01"}, {"a", "set stats.clear.none 2 1 01"}, {"a", "inc stats.clear.totem"}, {"a", "set other.key 2 1 01"},
		{"a", "track stats.ipcs. 13"}, {"a", "track stats. 15"}, {"a", "track stats.pg.msg_queue_avail 2"}, {"a", "track stats.none 2"}, {"a", "track - 13"}, {"a", "track stats.ipcs. 8"}, {"a", "track stats.srp.mcast_tx 7"}, {"a", "untrack 0"}, {"a", "untrack 0"}, {"a", "close"},
		{"a", "map 2"}, {"a", "map 99"}, {"a", "list -"},
	}, differs: map[call]string{
		{"a", "get stats.pg.msg_queue_avail 2"}: "stock writes past the end of its answer if the buffer is too small",
	}},
}

// TestLibraries does with libquorum, libvotequorum and libcfg, and libcmap, what
// TestAPI does with libcpg.
func TestLibraries(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	binary, err := lab.BuildClient(dir, "libapi", "quorum", "votequorum", "cfg")
	if err != nil {
		t.Fatal(err)
	}
	binary = traced(t, binary, "quorum", "votequorum", "cfg")
	maps, err := lab.BuildClient(dir, "mapapi", "cmap")
	if err != nil {
		t.Fatal(err)
	}
	maps = traced(t, maps, "cmap")
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
			if k.quorum == "" {
				perform(t, all, maps, mapScripts)
			}
		})
	}
}
