// Package offload is the daemons' part of the offloaded transport: it knows
// who in a group takes payloads where, and gives messages that libraries sent each
// other by themselves their place in the ring's order.
//
//	library            this service                 ring ("cpgol")
//	announce  ------>                -- Announce -->
//	          <------  view on       <- Announce --   every node of ours, same place
//	submit    ------>                -- Order    -->
//	          <------  ordered       <- Order    --
//
// A group is offloaded while every process in it has an endpoint that was
// announced since the ring formed. That is a [offload.View]; it begins and ends
// at one place of the order, on all nodes alike, because it follows from the
// joins, announcements and suspensions in it. Whatever adds a process to the
// group or changes an endpoint ends the view; a process that goes does not, as
// the others hold all that the view may order.
//
// An order is valid if the group's view at its place is the one that it names and
// the number is the sender's next. Otherwise it is void, on all nodes alike, and
// nobody is told: whoever submitted it learns that the view is over and sends
// again. So nothing is delivered that a member lacks, and no payload is ever
// recovered.
//
// The reference's daemons are not in the process group and pass its messages
// over; their processes have no endpoint, so a group with one of them is not
// offloaded.
//
// Beside that the nodes tell each other that they are ours, as theirs is the one
// group that no other node is in. In a ring without others the token rests as soon as
// nothing is left to do (presence.go).
//
// A [Service] keeps no clock and no socket; it belongs to the node's loop.
package offload
