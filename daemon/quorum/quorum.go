// Package quorum tells clients whether this partition may act, and who is in
// it. It decides nothing: a provider, votequorum, does, and without one the
// answer is always yes. It has no messages between nodes.
//
//	membership change   -> nodelist to trackers of model 1, when this service activates
//	provider calls Set  -> quorum notification to all trackers, changed or not
//
// Reference: services.md section 5, ipc.md section 5.4; exec/vsf_quorum.c.
package quorum

import (
	"context"
	"log/slog"
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/totem"
)

// Versions of the events that a client understands (enum lib_quorum_model).
const (
	model0 = 0
	model1 = 1
)

// A Service is the quorum engine of one node. Its methods are called from the
// node's loop only.
type Service struct {
	// Log takes the lines that administrators look for; nil for none.
	Log *slog.Logger

	provider bool
	quorate  bool
	view     []totem.NodeID // as of the provider's last word
	viewRing totem.RingID

	members    []totem.NodeID // of the last synchronisation begun
	ring       totem.RingID
	joined     []totem.NodeID // against oldMembers
	left       []totem.NodeID
	oldMembers []totem.NodeID // of the last synchronisation completed

	clients  map[service.Conn]*client
	trackers []*client // in the order they began
	buf      []byte
}

var (
	_ service.Service = (*Service)(nil)
	_ service.Syncer  = (*Service)(nil)
)

// A client is one connection (struct quorum_pd).
type client struct {
	conn     service.Conn
	model    uint32
	tracking bool
}

// New makes the service. With a provider the node is not quorate before the
// provider says so; without, it always is.
func New(_ service.Host, provider bool) *Service {
	return &Service{
		provider: provider,
		quorate:  !provider,
		clients:  make(map[service.Conn]*client),
	}
}

// ID returns service.Quorum.
func (s *Service) ID() service.ID { return service.Quorum }

// Name returns the name of the socket.
func (s *Service) Name() string { return "quorum" }

// Quorate reports whether this partition may act.
func (s *Service) Quorate() bool { return s.quorate }

// Messages returns nothing: the service sends none.
func (s *Service) Messages() []service.Message { return nil }

// Requests is the table of what clients ask (quorum_lib_service).
func (s *Service) Requests() []service.Request {
	return []service.Request{
		abi.QuorumGetQuorateID: {Name: "getquorate", Size: abi.RequestLen, Handle: s.getQuorate},
		abi.QuorumTrackStartID: {Name: "trackstart", Size: abi.QuorumWordLen, Handle: s.trackStart},
		abi.QuorumTrackStopID:  {Name: "trackstop", Size: abi.RequestLen, Handle: s.trackStop},
		abi.QuorumGetTypeID:    {Name: "gettype", Size: abi.RequestLen, Handle: s.getType},
		abi.QuorumModelID:      {Name: "model_gettype", Size: abi.QuorumWordLen, Handle: s.modelGetType},
	}
}

// Connected takes a new connection, which understands model 0 until it says
// otherwise.
func (s *Service) Connected(c service.Conn) { s.clients[c] = &client{conn: c, model: model0} }

// Closed takes the end of a connection.
func (s *Service) Closed(c service.Conn) {
	if cl := s.clients[c]; cl != nil {
		s.untrack(cl)
		delete(s.clients, c)
	}
}

func (s *Service) untrack(c *client) {
	c.tracking = false
	s.trackers = slices.DeleteFunc(s.trackers, func(d *client) bool { return d == c })
}

// Set is the provider's word: whether this partition may act, and the members
// and the ring it judged. All trackers are told, also if nothing changed
// (quorum_api_set_quorum). The list is copied.
func (s *Service) Set(members []totem.NodeID, quorate bool, ring totem.RingID) {
	if quorate != s.quorate {
		if quorate {
			s.log("This node is within the primary component and will provide service.")
		} else {
			s.log("This node is within the non-primary component and will NOT provide any services.")
		}
	}
	s.quorate = quorate
	s.view = append(s.view[:0], members...)
	s.viewRing = ring
	s.logNodes("Members", s.view)
	for _, c := range slices.Backward(s.trackers) {
		s.tellQuorum(c)
	}
}

// tellQuorum sends the provider's last word in the client's layout.
func (s *Service) tellQuorum(c *client) {
	m := abi.QuorumChange{V1: c.model == model1, Quorate: s.quorate, Ring: s.viewRing, Members: s.view}
	s.buf = m.Append(s.buf[:0])
	c.conn.Event(s.buf, nil)
}

// tellNodes sends the membership to a client of model 1.
func (s *Service) tellNodes(c *client, joined, left []totem.NodeID) {
	if c.model != model1 {
		return
	}
	m := abi.QuorumNodes{Ring: s.ring, Members: s.members, Joined: joined, Left: left}
	s.buf = m.Append(s.buf[:0])
	c.conn.Event(s.buf, nil)
}

// levelNotice is the syslog level between info and warning, which these lines
// have.
const levelNotice = slog.Level(2)

func (s *Service) log(text string) {
	if s.Log != nil {
		s.Log.Log(context.Background(), levelNotice, text)
	}
}
