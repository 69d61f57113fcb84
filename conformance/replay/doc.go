// Package replay takes a recorded ring apart and puts it together again.
//
//	pcapng -> frames -> datagrams -> (knet: open, defragment, decompress)
//	       -> totem messages -> history of rings -> one player a node -> CPG events
//
// Every datagram of the ring is decoded with the packages under wire and encoded
// again, which must give the same bytes at every layer. Then what each CPG
// client must have been told is rebuilt from the wire alone and compared with
// what the recorded clients were told.
//
// The history (history.go) knows what was on the wire: which rings there were,
// their members, their ordered messages, and which node came from which ring.
// A player (player.go) is one life of one node's daemon: it goes from ring to
// ring, takes the messages in the order in which that daemon delivered them,
// and runs what the daemon ran on them: reassembly (assembly.go),
// synchronisation (barriers.go) and CPG (cpg.go). It does what stock corosync
// does, defects included, because that is what the clients saw.
//
// A recording is made at a switch, so it shows what nodes sent, not what reached
// them. What a node had received when it lost its ring is told by the commit
// token of its next ring. A node that was cut off alone formed a ring that
// nobody saw; then its last token tells, and of what may have reached it after
// that its clients' records do (doubt.go), which the report says.
//
// What is not on the wire at all cannot be rebuilt: what clients of a lonely
// node said to each other, and clients that came and went there. Such a record
// does not match, as it should not.
//
// Not done: the 2.x dialect (recognised only, status ExitOld), SCTP, a change of
// keys while recording, rings of mixed byte order (stock cannot run them).
package replay
