package node

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"cpgol/daemon/cmap"
)

// LogState logs how the node is: what a signal USR2 and the key
// runtime.blackbox.dump_state ask for. The reference asks its services, none of
// which has anything to say (exec/main.c:corosync_state_dump).
func (n *Node) LogState() {
	state := "in service"
	if n.phase.running {
		state = "synchronising services"
	}
	say := func(format string, args ...any) {
		n.log.Log(context.Background(), levelNotice, fmt.Sprintf("state: "+format, args...))
	}
	say("%v, %s, ring %v of nodes %v", n.engine.State(), state, n.engine.Ring(), n.engine.Members())
	say("send queue %d%% full, %d packets to oneself, %d timers", n.engine.QueueLevel(), len(n.looped), len(n.timers.heap))
	say("%d goroutines", runtime.NumGoroutine())
	count := map[string]int{}
	for _, c := range n.clients.all {
		count[c.Name()]++
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		say("%d clients of %s", count[name], name)
	}
}

// OnDump makes f what happens when somebody asks for the flight recorder's
// contents by changing runtime.blackbox.dump_flight_data
// (exec/main.c:fplay_key_change_notify_fn).
func (n *Node) OnDump(f func()) {
	events := cmap.Added | cmap.Modified | cmap.Deleted
	n.keys.Track("runtime.blackbox.dump_flight_data", events, func(cmap.Change) { f() })
	n.keys.Track("runtime.blackbox.dump_state", events, func(cmap.Change) { n.LogState() })
}
