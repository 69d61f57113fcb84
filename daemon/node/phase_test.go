package node

import (
	"log/slog"
	"testing"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/engine"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/wire/totem"
)

// The old ring's last messages come between the two configurations and belong
// to the assemblies that were in force before: a message of theirs that began
// earlier would lose its end otherwise.
func TestAssembliesChangeAtRegular(t *testing.T) {
	c := &conf.Config{Self: 1, StateDir: t.TempDir(), Transport: "udpu", NetMTU: 1500}
	wire := func(func([]byte), func(link.Effect)) net.Transport { return struct{ net.Transport }{} }
	inside, err := NewInside(c, slog.New(slog.DiscardHandler), func() time.Duration { return 0 }, wire)
	if err != nil {
		t.Fatal(err)
	}
	n := inside.n
	ring := totem.RingID{Rep: 1, Seq: 8}
	n.phase.done()
	if n.assembler != &n.normal {
		t.Fatal("not the normal assemblies after a synchronisation")
	}
	n.configure(&engine.Configuration{Kind: engine.Transitional, Ring: ring, Members: []totem.NodeID{1}, Left: []totem.NodeID{2}})
	if n.assembler != &n.normal {
		t.Error("changed at the transitional configuration")
	}
	if !n.SyncInProgress() {
		t.Error("no synchronisation since the transitional configuration")
	}
	n.configure(&engine.Configuration{Kind: engine.Regular, Ring: ring, Members: []totem.NodeID{1}})
	if n.assembler != &n.trans {
		t.Error("not changed at the regular configuration")
	}
}

// What peers can make happen all the time is told so often and no more.
func TestStateLog(t *testing.T) {
	var s stateLog
	told := 0
	for ms := range 3000 {
		if s.allow(time.Duration(ms) * time.Millisecond) {
			told++
		}
	}
	if told != 3*statesPerSecond {
		t.Errorf("%d lines in three seconds", told)
	}
}
