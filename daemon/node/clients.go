package node

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/ipc"
	"cpgol/compat/ipc/zerocopy"
	"cpgol/daemon/cpg"
	"cpgol/daemon/engine"
	"cpgol/daemon/logs"
	"cpgol/daemon/service"
)

// clients is the door for local programs: who may connect, which requests run
// now, and how fast requests are read (exec/ipc_glue.c).
type clients struct {
	n      *Node
	server *ipc.Server
	all    map[*ipc.Conn]*client
	word   int32  // flow-control word in force for services that wait for sync
	full   bool   // the queue was critical when last looked at
	closed uint64 // connections ended
	answer []byte
}

// A client is a connection's service, and what its process was called when it came.
type client struct {
	*slot
	process  string
	invalid  uint64       // requests that were none
	overload uint64       // requests that came when they could not be served
	cleared  ipc.Counters // what the counters were when statistics were last set to zero
}

func (c *clients) init(n *Node) (err error) {
	c.all = map[*ipc.Conn]*client{}
	opt := ipc.Options{}
	if n.cfg.System.IPCType == "socket" { // cs_get_ipc_type
		opt.Transport = ipc.Sockets
	}
	c.server, err = ipc.NewServer(n.poller, opt)
	return err
}

// listen opens the services' sockets, in the reference's order.
func (c *clients) listen() error {
	c.sweep()
	c.n.After(sweepAgain, c.sweep) // what was too young at a quick restart
	for _, id := range []service.ID{service.CMAP, service.CFG, service.CPG, service.Votequorum, service.Quorum} {
		s := c.n.slot(id)
		if s == nil || len(s.requests) == 0 {
			continue
		}
		if groups, ok := s.Service.(*cpg.Service); ok {
			groups.SetOpener(openZeroCopy)
		}
		if _, err := c.server.Listen(s.Name(), &door{c, s}); err != nil {
			return fmt.Errorf("can't listen for clients of %s: %w", s.Name(), err)
		}
		logs.Subsystem(c.n.log, "QB").Info("server name: " + s.Name())
	}
	return nil
}

// sweepAgain is when all is old enough that died before the start; see
// [ipc.Server.Sweep].
const sweepAgain = 12 * time.Second

func (c *clients) sweep() {
	n, err := c.server.Sweep("cmap", "cfg", "cpg", "quorum", "votequorum")
	if err != nil {
		c.n.log.Warn("can't look for shared memory of dead daemons: " + err.Error())
	} else if n > 0 {
		c.n.log.Info(fmt.Sprintf("removed the shared memory of %d connections to dead daemons", n))
	}
}

// openZeroCopy takes a client's file to send messages from.
func openZeroCopy(path string, uid uint32, size, address uint64) (cpg.Buffer, error) {
	b, err := zerocopy.Stock.Open(path, uid, size, address)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// door is one service's side of the server.
type door struct {
	c *clients
	s *slot
}

var _ ipc.Handler = (*door)(nil)

// Accept decides who may connect (cs_ipcs_connection_accept).
func (d *door) Accept(who ipc.Credentials) syscall.Errno {
	n := d.c.n
	if !n.phase.ever {
		return syscall.EAGAIN
	}
	if who.UID == 0 || who.GID == 0 {
		return 0
	}
	for _, key := range []string{
		fmt.Sprintf("uidgid.uid.%d", who.UID), fmt.Sprintf("uidgid.config.uid.%d", who.UID),
		fmt.Sprintf("uidgid.gid.%d", who.GID), fmt.Sprintf("uidgid.config.gid.%d", who.GID),
	} {
		if v, ok := n.keys.U8(key); ok && v == 1 {
			return 0
		}
	}
	n.dropf("denied client", "denied connection from process %d: user %d, group %d may not use %s", who.PID, who.UID, who.GID, d.s.Name())
	return syscall.EACCES
}

func (d *door) Connected(conn *ipc.Conn) {
	d.c.all[conn] = &client{slot: d.s, process: processName(conn.PID())}
	d.s.Connected(conn)
	d.c.n.tellStats(conn, d.c.n.cmap.StatAdded)
	d.c.n.perform()
}

func (d *door) Closed(conn *ipc.Conn) {
	d.c.n.tellStats(conn, d.c.n.cmap.StatRemoved)
	delete(d.c.all, conn)
	d.c.closed++
	if err := conn.Reason(); err != nil && !errors.Is(err, ipc.ErrHungUp) && !d.c.n.stopping {
		d.c.n.dropf("client", "process %d was disconnected from %s: %v", conn.PID(), d.s.Name(), err)
	}
	d.s.Closed(conn)
	d.c.n.perform()
}

// Request passes a request through the gate (cs_ipcs_msg_process,
// corosync_sending_allowed).
func (d *door) Request(conn *ipc.Conn, msg []byte) {
	c, n := d.c, d.c.n
	id, size, err := abi.CutRequest(msg)
	if err != nil {
		n.drop("request", err)
		conn.Close() // nothing after this can be trusted to be a request
		return
	}
	if id < 0 || int(id) >= len(d.s.requests) || d.s.requests[id].Handle == nil {
		c.refuse(conn, abi.InvalidParam)
		return
	}
	r := &d.s.requests[id]
	switch {
	case size < r.Size || !n.engine.Fits(size):
		c.refuseUnlessAsync(conn, r, abi.InvalidParam)
	case r.Throttled && (n.phase.running || !n.engine.Room(size)):
		c.refuseUnlessAsync(conn, r, abi.TryAgain)
	default:
		r.Handle(conn, msg[:size])
		n.perform()
	}
}

// refuseUnlessAsync answers with an error; a request that has no answer is lost,
// and all there is to do is to say so.
func (c *clients) refuseUnlessAsync(conn *ipc.Conn, r *service.Request, st abi.Status) {
	if r.Async {
		c.count(conn, st)
		c.n.dropf("lost request", "%s of process %d was dropped: %v", r.Name, conn.PID(), st)
		return
	}
	c.refuse(conn, st)
}

func (c *clients) refuse(conn *ipc.Conn, st abi.Status) {
	c.count(conn, st)
	c.answer = abi.AppendResponse(c.answer[:0], 0, abi.ResponseLen, st)
	conn.Respond(c.answer)
}

// Levels of the ring's queue in percent, and requests read per wake-up
// (exec/totempg.c:check_q_level, ipc_glue.c).
const (
	levelCritical = 75
	recheck       = time.Millisecond
)

// level opens or closes the door for requests: closed for all while the queue is
// critical, and for all but votequorum while a synchronisation runs, because a
// quorum device must be able to vote in it.
func (c *clients) level() {
	n := c.n
	if n.engine == nil || c.server == nil {
		return
	}
	level := n.engine.QueueLevel()
	full := level >= levelCritical
	var word int32
	if full || n.phase.running {
		word = 2
	}
	if word == c.word && full == c.full {
		return
	}
	c.word, c.full = word, full
	for conn, s := range c.all {
		w := word
		if s.ID() == service.Votequorum && !full {
			w = 0
		}
		conn.SetFlow(w)
	}
}

// pace follows the queue's level: many requests a wake-up while it is low.
func pace(level int) int {
	switch {
	case level < 30:
		return 50
	case level < 60:
		return 5
	default:
		return 1
	}
}

func (c *clients) tick(now time.Duration) {
	if c.server == nil {
		return
	}
	c.server.SetPace(pace(c.n.engine.QueueLevel()))
	c.level()
	if c.server.Deadline() <= now {
		c.server.Tick(now)
	}
}

func (c *clients) deadline() time.Duration {
	if c.server == nil {
		return engine.Never
	}
	d := c.server.Deadline()
	if c.full {
		d = min(d, c.n.Now()+recheck)
	}
	return d
}

// close ends every connection, so that services hear of it, and the sockets.
func (c *clients) close() {
	if c.server != nil {
		c.server.Close()
	}
}
