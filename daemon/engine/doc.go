// Package engine is the Totem single ring protocol as a state machine without
// IO: packets, messages and the time go in, effects and a deadline come out.
//
//	         join, merge detect, foreign message, token lost
//	   ┌────────────────────────────────────────────────────────┐
//	   ▼           all agree            round once        old ring's messages
//	gather ───────────────────▶ commit ───────────▶ recovery ───────────▶ operational
//	   ▲                          │                    │
//	   └──────────────────────────┴────────────────────┘ token lost, join
//
// One file per concern: gather.go, join.go, commit.go, recovery.go and
// operational.go hold the states, token.go a visit of the token, flow.go,
// retransmit.go and delivery.go its parts, hold.go what keeps an idle token,
// timers.go all deadlines. A ring's messages are in a sortQueue, what this node
// wants to say in a sendQueue. enterGather and its like are the only writers of
// the state.
//
// An engine is used by one goroutine. Receive and Tick must not be called while
// their previous effects are being performed; Send, SyncDone and CancelHold may.
//
// # Where it differs from the reference
//
// Everything on the wire is the reference's. Behind it, these differences make
// the engine keep the order's promises where the reference breaks them:
//
//   - Messages are filed by their ring. The reference files by the encapsulated
//     flag: a message of the new ring that comes while a node still recovers, or
//     has fallen back to gather, lands among the old ring's messages under a
//     number that is not its own, and is delivered as one of them. Here a node in
//     recovery keeps it for the new ring, and a node that is in neither ring
//     drops it.
//   - A new ring's delivery starts behind what its recovery had everybody
//     receive, not behind the highest message present, which steps over holes.
//   - Messages are released only by tokens of the own ring that are no
//     duplicates. The reference releases before it checks either.
//   - The counters that end a recovery start at zero. In the reference a failed
//     recovery leaves them behind, and the next one may end before the others'.
//   - Commit tokens are compared with the whole ring ID, must be filled in at the
//     place of this node, and the one that starts the first token must belong to
//     the ring. The ring ID is stored before the commit token is passed on.
//   - A join that ends a commit or a recovery is merged into the candidates, but
//     never answered with a commit token that the same step makes void.
//   - A join that adds nothing to the own candidates and failed nodes is not
//     answered with a join (see mergeJoin).
//   - A node that has installed a ring takes no notice of strangers until the
//     token has come again, and one that is called away from a recovery by a
//     member that has installed the ring forgets whom it gave up for it. In the
//     reference two rings that meet while they form can exclude each other for as
//     long as their timing repeats itself (see receiveJoin, catchUp).
//   - A node with new members starts a message over that it has sent in part. In
//     the reference those members that know its beginning deliver it, and the
//     others do not (see startOver).
//   - In recovery a message that somebody has sent again already is not sent once
//     more; in the reference every holder sends every message.
//   - If all members agreed on it (RestEarly), the token rests once nothing is
//     left to do. Then the representative goes on with its visit when it has work;
//     others ask for the token as ever, and again if it does not come.
//   - Messages and merge announcements from a ring that their sender, a member of
//     this one, has left for it are dropped as late; the reference gathers. (It
//     has the same rule for joins.)
//   - A join in this node's own name that is not its own coming back is refused,
//     and so are messages on a ring from others than its members, each in its own
//     name. Those a member gives up count towards the largest membership.
//   - Tokens of both kinds are taken only from the member whose turn is before.
//   - Only configured nodes are candidates, whoever names others.
//   - What a token says that cannot be is put right (repair.go).
//   - Claims of a ring sequence near the end of its 64 bits are believed slowly
//     (ringseq.go).
//   - Limits are checked where the reference asserts: sequence numbers out of the
//     window, more candidates than nodes, a token whose numbers make no sense.
//   - What waits in the synchronisation's queue when it ends is sent as ordinary
//     messages; in the reference some of it is and some waits for the next
//     synchronisation.
//
// Reference: exec/totemsrp.c; Amir, Moser, Melliar-Smith, Agarwal, Ciarfella:
// "The Totem Single-Ring Ordering and Membership Protocol".
package engine
