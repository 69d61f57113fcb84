package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/compat/ipc/client"
)

// localMap returns the configuration map of the daemon that runs on this host,
// this project's or stock.
func localMap() ([]conf.Key, error) {
	c, err := client.Dial("cmap", client.Options{})
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
			return nil, errors.New("no daemon runs here")
		}
		return nil, err
	}
	defer c.Close()
	return (&cmapReader{c: c}).all()
}

// Bounds of what is read from a daemon.
const (
	cmapPatience = 10 * time.Second // for one answer
	maxCmapKeys  = 1 << 17
	maxCmapValue = 1 << 16
)

// A cmapReader asks the cmap service.
type cmapReader struct {
	c   *client.Conn
	buf []byte
}

// all returns every key of a type that a configuration has, in no order.
func (r *cmapReader) all() ([]conf.Key, error) {
	init := abi.CmapHandleResponse{ID: abi.CmapIterInitID}
	err := r.call((&abi.CmapKeyRequest{ID: abi.CmapIterInitID, Empty: true}).Append(nil), func(b []byte) (abi.Status, error) {
		_, err := init.Decode(b)
		return init.Status, err
	})
	if err != nil {
		return nil, err
	}
	next := (&abi.CmapHandleRequest{ID: abi.CmapIterNextID, Handle: init.Handle}).Append(nil)
	var keys []conf.Key
	for range maxCmapKeys {
		var m abi.CmapIterNextResponse
		err := r.call(next, func(b []byte) (abi.Status, error) {
			_, err := m.Decode(b)
			return m.Status, err
		})
		if m.Status == abi.NoSections {
			return keys, nil
		}
		if err != nil {
			return nil, err
		}
		k, known, err := r.get(m.Key, m.Len)
		if err != nil {
			return nil, err
		}
		if known {
			keys = append(keys, k)
		}
	}
	return nil, fmt.Errorf("cmap: more than %d keys", maxCmapKeys)
}

// get returns a key's value. One that went away meanwhile, or has a type that no
// configuration gives, is not known.
func (r *cmapReader) get(name string, size uint64) (k conf.Key, known bool, err error) {
	if size > maxCmapValue {
		return k, false, nil
	}
	var m abi.CmapGetResponse
	err = r.call((&abi.CmapGetRequest{Key: name, Room: max(size, 8)}).Append(nil), func(b []byte) (abi.Status, error) {
		_, err := m.Decode(b)
		return m.Status, err
	})
	if m.Status == abi.NotExist || m.Status == abi.InvalidParam { // it went, or grew
		return k, false, nil
	}
	if err != nil {
		return k, false, err
	}
	k, known = cmapKey(name, conf.KeyType(m.Type), m.Value[:min(m.Len, uint64(len(m.Value)))])
	return k, known, nil
}

// cmapKey makes a key of a value as it lies in the daemon's memory.
func cmapKey(name string, t conf.KeyType, value []byte) (k conf.Key, known bool) {
	k = conf.Key{Name: name, Type: t}
	if t == conf.TypeString {
		if end := bytes.IndexByte(value, 0); end >= 0 {
			value = value[:end]
		}
		k.Text = string(value)
		return k, true
	}
	var whole [8]byte
	copy(whole[:], value)
	n := binary.LittleEndian.Uint64(whole[:])
	switch t {
	case conf.TypeU8:
		k.Num = n & 0xff
	case conf.TypeU16:
		k.Num = n & 0xffff
	case conf.TypeU32:
		k.Num = n & 0xffffffff
	case conf.TypeI32:
		k.Num = uint64(int64(int32(n)))
	case conf.TypeU64:
		k.Num = n
	default:
		return k, false
	}
	return k, true
}

// call sends a request, again if the daemon is busy, and waits for the answer.
func (r *cmapReader) call(request []byte, decode func([]byte) (abi.Status, error)) error {
	for start := time.Now(); ; {
		err := r.c.Send(request, nil)
		if err == nil {
			if r.buf, err = r.c.Recv(r.buf[:0], cmapPatience); err != nil {
				return err
			}
			st, err := decode(r.buf)
			if err != nil {
				return err
			}
			if st == abi.OK {
				return nil
			}
			if st != abi.TryAgain {
				return fmt.Errorf("cmap: %v", st)
			}
		} else if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		if time.Since(start) > cmapPatience {
			return fmt.Errorf("cmap: %w", client.ErrTimeout)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
