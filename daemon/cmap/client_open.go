package cmap

import "cpgol/compat/abi"

// open reports whether c may open another iterator or tracker, and gives it a
// handle.
func (c *client) open() (handle uint64, st abi.Status) {
	if len(c.iters)+len(c.trackers) >= maxHandles {
		return 0, abi.NoResources
	}
	c.next++
	return c.next, abi.OK
}

func (s *Service) handle(c *client, id int32, st abi.Status, handle uint64) {
	answer := abi.CmapHandleResponse{ID: id, Status: st, Handle: handle}
	s.buf = answer.Append(s.buf[:0])
	c.conn.Respond(s.buf)
}

func (s *Service) iterInit(c *client, msg []byte) error {
	r := abi.CmapKeyRequest{ID: abi.CmapIterInitID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	if r.Empty {
		r.Key = ""
	}
	handle, st := c.open()
	if st == abi.OK {
		if c.stats {
			if it := s.iterateStats(r.Key); s.statKeys+it.held > maxStatKeys {
				handle, st = 0, abi.NoResources
			} else {
				s.statKeys += it.held
				c.iters[handle] = it
			}
		} else {
			c.iters[handle] = s.m.Iterate(r.Key)
		}
	}
	s.handle(c, abi.CmapIterInitID, st, handle)
	return nil
}

func (s *Service) iterNext(c *client, msg []byte) error {
	r := abi.CmapHandleRequest{ID: abi.CmapIterNextID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	answer := abi.CmapIterNextResponse{Status: abi.BadHandle}
	if it := c.iters[r.Handle]; it != nil {
		answer.Status = abi.NoSections
		if key, v, ok := it.Next(); ok {
			answer = abi.CmapIterNextResponse{
				Status: abi.OK, Key: key, Len: uint64(v.Len()), Type: uint8(v.Type()),
			}
		}
	}
	s.buf = answer.Append(s.buf[:0])
	c.conn.Respond(s.buf)
	return nil
}

func (s *Service) iterFinalize(c *client, msg []byte) error {
	r := abi.CmapHandleRequest{ID: abi.CmapIterFinalizeID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := abi.BadHandle
	if it, ok := c.iters[r.Handle]; ok {
		s.endIterator(it)
		delete(c.iters, r.Handle)
		st = abi.OK
	}
	s.status(c.conn, abi.CmapIterFinalizeID, st)
	return nil
}

func (s *Service) trackAdd(c *client, msg []byte) error {
	var r abi.CmapTrackAddRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	if r.Empty {
		r.Key = ""
	}
	handle, st := c.open()
	if st == abi.OK {
		t := &clientTracker{handle: r.Handle}
		tell := func(ch Change) { s.tell(c, t.handle, ch) }
		if c.stats {
			t.stat, st = s.trackStat(r.Key, Event(r.Events), tell)
		} else {
			t.tracker, st = s.m.Track(r.Key, Event(r.Events), tell)
		}
		if st == abi.OK {
			c.trackers[handle] = t
		} else {
			handle = 0
		}
	}
	s.handle(c, abi.CmapTrackAddID, st, handle)
	return nil
}

// tell sends a change to a client (cmap_notify_fn).
func (s *Service) tell(c *client, handle uint64, ch Change) {
	event := abi.CmapNotify{
		Handle: handle, Key: ch.Key, Event: int32(ch.Event),
		NewType: uint8(ch.New.Type()), OldType: uint8(ch.Old.Type()),
		New: ch.New.Append(nil), Old: ch.Old.Append(nil),
	}
	c.conn.Event(event.Append(nil), nil)
}

// trackDelete answers with the client's own handle, which its library frees.
func (s *Service) trackDelete(c *client, msg []byte) error {
	r := abi.CmapHandleRequest{ID: abi.CmapTrackDeleteID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	t := c.trackers[r.Handle]
	if t == nil {
		s.handle(c, abi.CmapTrackDeleteID, abi.BadHandle, 0)
		return nil
	}
	delete(c.trackers, r.Handle)
	s.endTracker(t)
	s.handle(c, abi.CmapTrackDeleteID, abi.OK, t.handle)
	return nil
}
