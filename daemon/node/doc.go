// Package node is the running daemon: one goroutine, locked to its thread, that
// owns the engine, the links and the services, and alone knows sockets and time.
//
//	       ┌──────────────────────────── Wait (epoll) ───────────────────────────┐
//	datagrams            clients' requests             deadlines           Do(f), signals
//	       │                     │                         │                      │
//	  transport             gate, service           engine, links, timers         │
//	       └── engine.Receive ───┴── engine.Send ──────────┴── Tick ──────────────┘
//	                             │
//	                 effects, performed in their order:
//	   store the ring id · send · deliver to sync and services · answer clients
//
// A message's way in: a client's request passes the gate (clients.go), its
// service hands it to [Node.Multicast], the engine packs it and sends it when
// the token comes. Its way out: the engine delivers a frame in the ring's order,
// the assembler of the present phase cuts messages from it (deliver.go), and the
// group's prefix says whether sync or a service gets it.
//
// A membership change: the transitional configuration starts the phase in which
// only sync's messages are sent (phase.go); the regular one starts sync's round;
// when the round is over both ends go back to the normal queue at the same point
// of the order, clients are let in again, and systemd is told.
//
// A reload: the file is read aside and judged whole (conf.Reload); the transport
// takes nodes, links and keys over or refuses, and then nothing has changed; engine,
// map and log follow, none of which can fail (reload.go). Keys of packets change in
// three phases (rekey.go). What clients set in the map goes the same way (adjust.go).
//
// What the host sees of it: how the process is scheduled and its memory kept
// (sched_linux.go), what systemd hears (notify.go), a warning when the loop was not
// run in time (schedmiss.go), and lines in the reference's words (trace.go,
// linklog.go, describe.go), because programs look for those.
//
// Reference: exec/main.c (main_service_ready, confchg_fn, deliver_fn,
// corosync_sync_completed), exec/ipc_glue.c.
package node
