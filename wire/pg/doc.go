// Package pg frames the messages of process groups for the ring: many small
// messages packed into one multicast, large ones cut into several, and the
// group names in front of each message.
//
// A frame is the payload of an ordinary totem.Mcast:
//
//	version 2 | type 2 | fragmented 1 | continuation 1 | count 2 | count x length 2 | data
//
// in the byte order of the multicast. If fragmented is not zero the last
// message goes on in the sender's next frame, whose continuation carries the
// same number. A message, once whole, is
//
//	groups 2 | groups x length 2 | names | payload
//
// A [Packer] makes frames, an [Assembler] takes them apart. Both ends keep two
// of each: one pair for ordinary messages and one for the messages of the
// synchronisation that follows a membership change; they change over at the
// same points of the ring's order. (The reference shares one packing buffer
// between its two queues, so that a fragment can end up in the wrong one when
// its queue is full. Receivers here take such frames like any broken fragment.)
//
// Reference: exec/totempg.c.
package pg
