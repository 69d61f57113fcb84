package libcpg

import "context"

type payload interface{ Release() }

type offloader struct{}

func newOffloader(context.Context, *Conn) (*offloader, error) { return nil, nil }

func (o *offloader) close()                   {}
func (o *offloader) take(int32, []byte) error { return nil }
func (o *offloader) left([]Member)            {}
func (o *offloader) inside()                  {}
func (o *offloader) outside()                 {}
func (o *offloader) told(item)                {}
func (o *offloader) giveBack()                {}
func (o *offloader) direct(int) bool          { return true }
func (o *offloader) send([][]byte, int) error { return nil }
func (o *offloader) waiting() int             { return 0 }
