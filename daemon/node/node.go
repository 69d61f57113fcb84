package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/cfg"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cpg"
	"cpgol/daemon/engine"
	"cpgol/daemon/logs"
	"cpgol/daemon/net"
	"cpgol/daemon/offload"
	"cpgol/daemon/quorum"
	"cpgol/daemon/resources"
	"cpgol/daemon/service"
	"cpgol/daemon/sync"
	"cpgol/daemon/votequorum"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// A Node is one daemon. Its methods, but for [Node.Do], are called from the
// loop only.
type Node struct {
	cfg    *conf.Config
	log    *slog.Logger // MAIN
	totem  *slog.Logger // TOTEM
	ready  *slog.Logger // MAIN, for what comes with each membership
	knet   *slog.Logger // KNET
	serv   *slog.Logger // SERV
	limit  logs.Limiter // of what was refused
	other  logs.Limiter // of other lines that peers can cause
	states stateLog
	clock  func() time.Duration // the loop's time since an arbitrary origin
	ring   ringFile

	poller    *net.Poller
	transport net.Transport
	engine    *engine.Engine
	out       engine.Output
	busy      bool     // perform is running: it takes what is appended meanwhile
	looped    [][]byte // packets to oneself, received after the present effects
	relooped  [][]byte // looped's array in the next turn
	timers    timers
	missed    schedmiss
	tasks     tasks

	phase     phase
	assembler *pg.Assembler // of the present phase
	normal    pg.Assembler
	trans     pg.Assembler
	from      totem.NodeID // originator of the frame being cut up
	deliver   func(msg []byte)

	keys     *cmap.Map
	cmap     *cmap.Service
	services [8]*slot // by service.ID
	sync     *sync.Sync
	offload  *offload.Service
	orders   *orders
	clients  clients

	stopping bool
	exitCode int
	failure  error // ends the loop
}

// A slot is a service in its place, with what the node keeps for it.
type slot struct {
	service.Service
	requests []service.Request
	messages []service.Message
	rx, tx   []*cmap.Counter // by function
}

// New builds the node that c describes. Sockets are opened here; nothing is
// sent before Run. Close must be called in any case.
func New(c *conf.Config, log *slog.Logger) (n *Node, err error) {
	start := time.Now()
	n = newNode(c, log, func() time.Duration { return time.Since(start) })
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if n.poller, err = net.NewPoller(); err != nil {
		return n, err
	}
	if err := n.openEngine(); err != nil {
		return n, err
	}
	n.tellTransport()
	t, err := n.openTransportSoon()
	if err != nil {
		return n, startError{err, exitSocket}
	}
	n.transport = t // not before: what came with an error is no transport
	if err := n.clients.init(n); err != nil {
		return n, err
	}
	if err := n.addServices(); err != nil {
		return n, startError{err, exitService}
	}
	n.tellLinks()
	return n, nil
}

// A startError is why a node cannot be built, with the daemon's exit status for that.
type startError struct {
	error
	status int
}

// ExitStatus is the daemon's exit status for an error of [New].
func ExitStatus(err error) int {
	if e, ok := errors.AsType[startError](err); ok {
		return e.status
	}
	return exitFatal
}

// newNode is a node that nothing is opened for yet.
func newNode(c *conf.Config, log *slog.Logger, clock func() time.Duration) *Node {
	n := &Node{cfg: c, log: log, knet: logs.Subsystem(log, "KNET"), clock: clock}
	n.totem, n.ready = n.damped("TOTEM"), n.damped("MAIN")
	n.serv = logs.Subsystem(log, "SERV")
	n.ring = ringFileOf(c.StateDir, c.Self)
	n.deliver = n.message
	n.phase.n = n
	n.clients.n = n
	n.assembler = &n.trans // sync is thought to run until the first round is over
	return n
}

// openEngine makes the engine, which goes on from the ring that is on disk.
func (n *Node) openEngine() error {
	seq, err := n.ring.load()
	if err != nil {
		return startError{err, exitRingID}
	}
	n.engine = engine.New(engineConfig(n.cfg), seq)
	return nil
}

// engineConfig picks the engine's part of the configuration.
func engineConfig(c *conf.Config) engine.Config {
	t := c.Totem
	var nodes []totem.NodeID
	for _, n := range c.Nodes {
		nodes = append(nodes, totem.NodeID(n.ID))
	}
	return engine.Config{
		Node: totem.NodeID(c.Self), Nodes: nodes,
		Token: t.Token, TokenRetransmit: t.TokenRetransmit, Hold: t.Hold, Join: t.Join, SendJoin: t.SendJoin,
		Consensus: t.Consensus, Merge: t.Merge, MaxNetworkDelay: t.MaxNetworkDelay, TokenWarning: t.TokenWarning,
		HeartbeatFailures: t.HeartbeatFailures, FailToReceive: t.FailToReceive, SeqUnchanged: t.SeqUnchanged,
		WindowSize: t.WindowSize, MaxMessages: t.MaxMessages, MissCount: t.MissCount,
		CancelHoldOnRetransmit: t.CancelHoldOnRetransmit,
		NetMTU:                 c.NetMTU,
		Rand:                   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
}

// addServices builds the engines in the reference's order (exec/service.c).
func (n *Node) addServices() error {
	n.keys = cmap.NewMap()
	n.setKeys()
	provider, _ := n.keys.Text("quorum.provider")
	if provider != "" && provider != "corosync_votequorum" {
		return fmt.Errorf("quorum.provider: %q is no provider; corosync_votequorum is", provider)
	}
	q := quorum.New(n, provider != "")
	q.Log = n.damped("QUORUM")
	if provider != "" {
		q.Log.Log(context.Background(), levelNotice, "Using quorum provider "+provider)
	}
	c := cfg.New(n, n.keys, links{n})
	c.Log = n.limited("CFG")
	n.cmap = cmap.New(n, n.keys, stats{n})
	n.cmap.Log = n.limited("CMAP")
	groups := cpg.New(n)
	n.addOffload(groups)
	all := []service.Service{
		n.cmap,
		c,
		groups,
		pload{},
	}
	mon, wd := resources.NewMonitor(n, n.keys, machine{}), resources.NewWatchdog(n, n.keys, machine{})
	mon.Log, wd.Log = n.damped("MON"), n.damped("WD")
	all = append(all, mon, wd)
	if provider != "" {
		v, err := votequorum.New(n, n.keys, q, votequorum.Options{
			Tracking: votequorum.TrackingFile(n.cfg.StateDir), Log: n.limited("VOTEQ"),
		})
		if err != nil {
			return fmt.Errorf("quorum: %w", err)
		}
		all = append(all, v)
	}
	all = append(all, q)
	var syncers []service.Syncer
	for _, s := range all {
		n.add(s)
	}
	for _, s := range n.services {
		if s == nil {
			continue
		}
		if y, ok := s.Service.(service.Syncer); ok {
			syncers = append(syncers, y)
		}
	}
	n.sync = sync.New(n.Self(), syncers, n.sendSync, n.phase.done)
	return nil
}

// Run runs the loop until the node stops; the result is the exit status.
func (n *Node) Run() int {
	runtime.LockOSThread()
	urgent(n.log, n.cfg.System)
	if err := n.clients.listen(); err != nil {
		n.log.Error(err.Error())
		return exitService
	}
	for _, s := range n.services {
		if st, ok := slotAs[starter](s); ok {
			st.Start()
		}
	}
	n.startSoon()
	n.keepAlive()
	n.watchSchedule()
	for n.failure == nil && !n.stopping {
		if err := n.turn(); err != nil {
			n.fail(exitFatal, err)
		}
	}
	return n.leave()
}

// A starter does something to its host from the start of the daemon on.
type starter interface{ Start() }

// startSoon lets the engine begin once the links have had time to come up
// (totemknet.c, totemudpu.c).
func (n *Node) startSoon() {
	n.timers.after(n.Now()+100*time.Millisecond, func() {
		n.engine.Start(n.Now(), &n.out)
		n.perform()
	})
}

// turn lets everything happen that is due and waits for the next event or deadline.
func (n *Node) turn() error {
	n.tasks.run()
	n.step()
	return n.poller.Wait(n.wait())
}

// step lets everything happen that is due.
func (n *Node) step() {
	now := n.Now()
	n.timers.run(now)
	if n.engine.Deadline() <= now {
		n.engine.Tick(now, &n.out)
	}
	n.perform()
	if n.transport.Deadline() <= now {
		n.transport.Tick(now)
	}
	n.clients.tick(now)
	n.offload.Flush()
	n.perform()
	n.receiveLooped()
	n.transport.Flush(n.Now())
}

// deadline is when step must be called next.
func (n *Node) deadline() time.Duration {
	if n.stopping || n.failure != nil || len(n.looped) > 0 {
		return 0
	}
	return min(n.engine.Deadline(), n.transport.Deadline(), n.timers.deadline(), n.clients.deadline())
}

// wait is how long the poller may sleep.
func (n *Node) wait() time.Duration {
	next := n.deadline()
	if next == engine.Never {
		return -1
	}
	return max(0, next-n.Now())
}

// receive is what the transport calls with each packet.
func (n *Node) receive(packet []byte) {
	n.engine.Receive(n.Now(), packet, &n.out)
	n.perform()
}

// receiveLooped takes the packets that this node sent to itself. What they cause
// is looped again and waits for the next turn, so that a token that only ever
// goes round on this node does not keep the loop from its other work.
func (n *Node) receiveLooped() {
	now := n.looped
	n.looped = n.relooped[:0]
	for _, p := range now {
		n.receive(p)
	}
	clear(now)
	n.relooped = now
}

// Self is this node's ID.
func (n *Node) Self() totem.NodeID { return totem.NodeID(n.cfg.Self) }

// Now is the loop's time since an arbitrary origin.
func (n *Node) Now() time.Duration { return n.clock() }

// After calls f from the loop once d has passed.
func (n *Node) After(d time.Duration, f func()) (cancel func()) {
	return n.timers.after(n.Now()+d, func() {
		f()
		n.perform()
	})
}

// Shutdown stops the node in good order after the present event. Whoever calls it
// has told why.
func (n *Node) Shutdown(reason string) {
	if !n.stopping {
		n.log.Debug("Shutting down: " + reason)
	}
	n.stopping = true
}

// ShutdownBySignal is Shutdown for whoever has the process's signals.
func (n *Node) ShutdownBySignal() {
	n.log.Log(context.Background(), levelNotice, "Node was shut down by a signal")
	n.Shutdown("signal")
}

// Exit ends the node at once, without a word to its peers. Whoever calls it has
// told why.
func (n *Node) Exit(code int, reason string) {
	n.log.Debug("Exiting: " + reason)
	n.fail(code, errTold)
}

// errTold is a failure that is in the log already.
var errTold = errors.New("told")

func (n *Node) fail(code int, err error) {
	if n.failure == nil {
		n.failure, n.exitCode = err, code
	}
}

// OnReopenLogs makes f what a client's request to reopen log files does; without
// one it is not supported.
func (n *Node) OnReopenLogs(f func() error) {
	if s, ok := slotAs[*cfg.Service](n.slot(service.CFG)); ok {
		s.ReopenLogs = f
	}
}

// Close releases what New opened. It can be called in any state.
func (n *Node) Close() {
	n.clients.close()
	if n.transport != nil {
		n.transport.Close()
	}
	if n.poller != nil {
		n.poller.Close()
	}
}
