// Package libcpg is the client library for closed process groups, in Go: join a
// group, send to it, and hear in one order, the same for all, what its members
// say and who they are.
//
//	c, err := libcpg.Open(libcpg.Options{})
//	err = c.Join(ctx, "mygroup")
//	err = c.Send(ctx, []byte("hello"))
//	var ev libcpg.Event
//	for c.Next(ctx, &ev) == nil {
//		switch ev.Kind {
//		case libcpg.Message: ... ev.From, ev.Data
//		case libcpg.Change:  ... ev.Members, ev.Joined, ev.Left
//		}
//	}
//
// It works beside any Corosync daemon, over libqb's IPC and without the C
// library. Beside cpgold it offloads: while every process of a group can, messages
// go from library to library, but for small ones that are alone, and the daemons only
// give them their place in the order (package internal/core says how, internal/mesh
// who may do what). The program notices nothing but the speed; Conn.Offload tells.
//
// What is promised: agreed order of messages and changes; every member that a
// change does not take out of the group has the same messages before it (virtual
// synchrony); the messages of one sender come in the order in which it sent them;
// none comes twice.
//
// Memory is bounded: own messages that wait for their place by 16 MiB (then Send
// waits), those of others by 64 MiB beside what the daemon keeps; each counts 256 bytes
// more than it has. Whoever does
// not call Next for a while is sent messages by way of its daemon, which
// disconnects it if it never does.
//
// Who knows the C library finds its calls again as follows.
//
//	cpg_initialize, cpg_model_initialize           Open
//	  CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF      Options.Rings
//	cpg_finalize                                   Conn.Close
//	cpg_join, cpg_leave                            Conn.Join, Conn.Leave
//	cpg_mcast_joined                               Conn.Send (waits), Conn.TrySend (CS_ERR_TRY_AGAIN)
//	cpg_dispatch, cpg_fd_get and the callbacks     Conn.Next in a goroutine of its own
//	cpg_membership_get, cpg_iteration_*            Conn.Members, Conn.Groups
//	cpg_local_get                                  Conn.Node, Conn.Self
//	cpg_context_set, cpg_context_get               Conn.SetContext, Conn.Context
//	cpg_flow_control_state_get                     Conn.Throttled
//	cpg_max_atomic_msgsize_get                     MaxAtomic
//	cpg_zcb_*                                      Conn.Send takes a message in pieces
//
// Three things differ. A message of over MaxAtomic during which the group changes
// is sent anew; the C library gives CS_ERR_INTERRUPT. After Leave the same Conn
// joins again, also beside stock daemons from 3.0.3 on, which let no connection do
// so. And nothing of a group is told after the change that the process left by.
package libcpg
