// Package offloadsim plays the offloaded transport in virtual time: whole nodes
// of ours over a network that loses, delays, cuts and merges, with the daemons'
// ring, synchronisation, process groups and ordering as they run in a daemon; and
// on each node clients, each with libcpg's protocol core, an IPC to its daemon
// and payload connections to other clients. Everything follows from one seed:
//
//	go test ./conformance/offloadsim -seed=17 -v
//
// plays seed 17 again and prints what happened.
//
// A world has a stormy part and a calm one. In the storm the network loses,
// delays and duplicates packets and is cut; nodes are killed and start again,
// with and without their clients; clients come, leave, are killed and stopped;
// some cannot offload, as stock's; payload connections are slow, stall, and are
// reset with all that is on its way; certificates are renewed, and nodes' addresses
// change. In the calm everything is mended, and must
// come together.
//
//	plan.go     what a seed stands for
//	world.go    time, events
//	node.go     one host: the daemon's inside, and the door of its IPC
//	conn.go     one client's IPC: requests, answers and events, each in order
//	process.go  one client: its application
//	library.go  libcpg without its sockets: what is between core, IPC and mesh
//	mesh.go     payload connections
//	payload.go  messages, whose every byte follows from their sender and number
//	faults.go   the storm, and what the calm must bring
//	history.go  what each application was told, in order
//	check.go    what must be true of all histories together
//
// Checked in every run (check.go and faults.go have the exact words):
//
//   - agreed order: any two applications that hear several messages hear them in
//     the same order, and a group's changes and messages in one order;
//   - virtual synchrony: members that go together from one configuration to the
//     next have been told the same in between, messages and changes;
//   - each message once, each sender's in its order, without a gap while it is a
//     member;
//   - a sender that lives on has heard all that it sent;
//   - every byte of a message is its sender's, also if its buffer was used again;
//   - nothing is ordered that a member does not hold;
//   - a process keeps no more of others' messages than it granted, and takes no
//     more of its own than its window;
//   - a stopped member costs its group the offload, not its progress;
//   - in the calm all nodes are one ring, every group of processes that can is
//     offloaded, messages of all sizes travel past the ring and reach everybody.
//
// What libcpg does beside its core is played after it, not by it: its locks and
// goroutines, and the mesh's handshakes and seals, are not here.
package offloadsim
