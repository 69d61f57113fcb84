// Package hostile attacks this project's own daemon: whole nodes in virtual
// time, and running daemons in network namespaces of its own. It has tests only.
//
// Inside (inside_test.go), three nodes run as the daemon wires them, on knet's
// links over a wire in memory. The second node is in the attacker's hands: what
// it sends is sealed and numbered as a member's packets are, so everything
// behind the links is exposed. Each attack is a generator of packets; a seed says
// which ones run, for how long, and with what numbers. While they run nothing
// may panic, and memory and log lines stay bounded; once the attacker is silent
// the three nodes must be one ring again, whose clients are served.
//
//	go test ./conformance/hostile -run TestInside -seed=17 -v    plays seed 17 again
//
//	world_test.go    time and the wire
//	node_test.go     one node: the daemon's inside, knet's links, clients
//	health_test.go   what a healthy ring is
//	corpus_test.go   sound packets to start from: recorded ones and our own
//	mutate_test.go   what is done to them
//	attacks_test.go  the attacks
//	fuzz_test.go     FuzzNode: the same, led by the fuzzer
//
// The others need root and skip without it (package lab): live_*_test.go floods a
// daemon among stock ones and is hostile to it as a client;
// config_test.go starts it with configurations that are none.
package hostile
