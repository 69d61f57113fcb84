package cmap

import (
	"cpgol/compat/abi"
	"cpgol/daemon/service"
)

// A client is one connection: the map it chose and what it has open there.
type client struct {
	conn     service.Conn
	stats    bool // looks at the statistics
	next     uint64
	iters    map[uint64]iterator
	trackers map[uint64]*clientTracker
}

// An iterator walks one of the two maps.
type iterator interface {
	Next() (key string, v Value, ok bool)
}

type clientTracker struct {
	handle  uint64   // the client's own
	tracker *Tracker // of the map, or
	stat    *statTracker
}

// Connected gives c the map to look at.
func (s *Service) Connected(c service.Conn) { s.client(c) }

func (s *Service) client(c service.Conn) *client {
	cl := s.conns[c]
	if cl == nil {
		cl = &client{conn: c, iters: make(map[uint64]iterator), trackers: make(map[uint64]*clientTracker)}
		s.conns[c] = cl
	}
	return cl
}

// Closed ends what c has open.
func (s *Service) Closed(c service.Conn) {
	cl := s.conns[c]
	if cl == nil {
		return
	}
	delete(s.conns, c)
	for _, t := range cl.trackers {
		s.endTracker(t)
	}
	for _, it := range cl.iters {
		s.endIterator(it)
	}
}

func (s *Service) endIterator(it iterator) {
	if it, ok := it.(*statIterator); ok {
		s.statKeys -= it.held
	}
}

func (s *Service) endTracker(t *clientTracker) {
	if t.tracker != nil {
		s.m.Untrack(t.tracker)
	} else {
		s.watch.remove(t.stat)
	}
}

func (s *Service) status(c service.Conn, id int32, st abi.Status) {
	s.buf = abi.AppendStatus(s.buf[:0], id, st)
	c.Respond(s.buf)
}

func (s *Service) set(c *client, msg []byte) error {
	var r abi.CmapSetRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	s.status(c.conn, abi.CmapSetID, s.setKey(c, &r))
	return nil
}

func (s *Service) setKey(c *client, r *abi.CmapSetRequest) abi.Status {
	switch {
	case c.stats:
		return s.setStat(r.Key)
	case s.m.ReadOnly(r.Key):
		return abi.Access
	}
	v, st := ParseValue(Type(r.Type), r.Value)
	if st != abi.OK {
		return st
	}
	if s.m.Size()+len(r.Value) > maxClientBytes {
		return abi.NoMemory
	}
	if _, ok := s.m.Get(r.Key); !ok && s.m.Len() >= maxClientKeys {
		return abi.NoMemory
	}
	return s.m.Set(r.Key, v)
}

func (s *Service) delete(c *client, msg []byte) error {
	r := abi.CmapKeyRequest{ID: abi.CmapDeleteID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	var st abi.Status
	switch {
	case c.stats:
		st = refuseStat(r.Key)
	case s.m.ReadOnly(r.Key):
		st = abi.Access
	default:
		st = s.m.Delete(r.Key)
	}
	s.status(c.conn, abi.CmapDeleteID, st)
	return nil
}

func (s *Service) adjust(c *client, msg []byte) error {
	var r abi.CmapAdjustRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	var st abi.Status
	switch {
	case c.stats:
		st = refuseStat(r.Key)
	case s.m.ReadOnly(r.Key):
		st = abi.Access
	default:
		st = s.m.Adjust(r.Key, r.Step)
	}
	s.status(c.conn, abi.CmapAdjustID, st)
	return nil
}

// get answers with as many bytes as the client asked for, zero behind the
// value: its buffer is exactly that large (message_handler_req_lib_cmap_get).
func (s *Service) get(c *client, msg []byte) error {
	var r abi.CmapGetRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	var v Value
	var ok bool
	if c.stats {
		v, ok = s.stats.Get(r.Key)
	} else {
		v, ok = s.m.Get(r.Key)
	}
	answer := abi.CmapGetResponse{Status: abi.OK}
	switch {
	case r.Room > maxRoom:
		answer.Status = abi.NoMemory
	case !ok:
		answer.Status = abi.NotExist
	case r.Room > 0 && r.Room < uint64(v.Len()):
		answer.Status = abi.InvalidParam
	default:
		answer.Type, answer.Len = uint8(v.Type()), uint64(v.Len())
		if r.Room > 0 {
			answer.Value = make([]byte, r.Room)
			v.Append(answer.Value[:0])
		}
	}
	s.buf = answer.Append(s.buf[:0])
	c.conn.Respond(s.buf)
	return nil
}

// setMap changes between the configuration and the statistics, unless the
// client has something open.
func (s *Service) setMap(c *client, msg []byte) error {
	var r abi.CmapSetMapRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := abi.OK
	switch {
	case len(c.iters) > 0 || len(c.trackers) > 0:
		st = abi.Busy
	case r.Map == abi.CmapMapDefault:
		c.stats = false
	case r.Map == abi.CmapMapStats:
		c.stats = true
	default:
		st = abi.NotExist
	}
	s.status(c.conn, abi.CmapSetCurrentMapRes, st)
	return nil
}
