// Package totem encodes and decodes the messages of the Totem single ring
// protocol as Corosync 3.x puts them on the wire, byte for byte.
//
// Every message starts with the same 13 bytes:
//
//	magic 2 | version 1 | type 1 | encapsulated 1 | nodeid 4 | target 4
//
// All structures are packed, without padding, in the byte order of the node
// that sent them; the magic tells which. Decoded values are native and carry
// the order in [Header.BigEndian], so that appending one gives back the bytes
// that were read. For every type but Mcast bytes behind the message are
// tolerated, as the reference tolerates them; an Mcast ends with its datagram.
//
// Counts are checked against their limit and against the bytes present before
// anything is read. Where the reference is laxer than safe (negative
// retransmit counts, commit tokens of any size, an index beyond the entries)
// this package refuses the message; see each type.
//
// There are six messages and there will be no seventh in version 3. A change
// here needs its spaced hex in the type's test and a seed in FuzzMessages.
//
// Reference: exec/totemsrp.c, include/corosync/totem/totem.h.
package totem
