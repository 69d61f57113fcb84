// Package sim plays whole rings of this project's engine in virtual time, on a
// network that delays, reorders, duplicates, drops, cuts and merges, with nodes
// that pause, crash, restart and leave. Everything follows from one seed:
//
//	go test ./conformance/sim -run TestSeeds -seed=17 -v
//
// plays seed 17 again and prints what happened. A world has a stormy part, in
// which faults come as its plan has them, and a calm one, in which the network
// is whole again and all nodes are up.
//
//	plan.go     what a seed stands for: configuration, faults, traffic
//	world.go    time, events, the network
//	node.go     one node: engine, assemblers, synchronisation, an application
//	history.go  what each node was told, in order
//	check.go    what must be true of all histories together
//
// Checked in every run (check.go has the exact words):
//
//   - messages arrive as they were sent, and at most once;
//   - all members see messages in one order;
//   - a member in touch with a sender sees its messages without a gap;
//   - a sender that lives on sees its own messages;
//   - virtual synchrony: members that go together from one configuration to the
//     next have seen the same messages in between, in the same places relative
//     to the transitional configuration and the end of the synchronisation;
//   - members of a ring agree on who they are, ring IDs only grow, and nobody is
//     in a transitional configuration who was not in the previous one;
//   - services that synchronise have, when they are activated, all that their
//     peers said in that round;
//   - once the network is whole, all nodes are one ring and messages flow;
//   - nobody goes round in circles on the way: joins and rings are few.
package sim
