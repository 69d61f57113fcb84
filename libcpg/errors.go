package libcpg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
)

// A Status is a daemon's result code, with the C library's number
// (cs_error_t). Errors of this package hold one if the daemon gave one:
//
//	errors.Is(err, libcpg.ErrNotExist)
type Status abi.Status

// Result codes that a caller may want to tell apart.
const (
	ErrTryAgain    = Status(abi.TryAgain) // the daemon is busy: later
	ErrInvalid     = Status(abi.InvalidParam)
	ErrNoResources = Status(abi.NoResources) // the group is full
	ErrAccess      = Status(abi.Access)      // this user may not use the daemon
	ErrNotExist    = Status(abi.NotExist)    // not in the group
	ErrExist       = Status(abi.Exist)       // in a group already
	ErrBusy        = Status(abi.Busy)        // joining or leaving
	ErrNameTooLong = Status(abi.NameTooLong)
	ErrTooBig      = Status(abi.TooBig)
)

// Error gives the C name without CS_ERR_.
func (s Status) Error() string { return "cpg: " + abi.Status(s).String() }

var (
	// ErrDisconnected says that the daemon is gone, or dropped the connection.
	// Open another one.
	ErrDisconnected = errors.New("cpg: disconnected from the daemon")
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("cpg: connection closed")
	// ErrBroken says that another member had a message ordered that it never
	// sent here. This process can't follow the group any more; its connection is
	// closed, which the others are told as its end.
	ErrBroken = errors.New("cpg: a member broke the protocol")
)

// An OpError says what was being done when an error occurred.
type OpError struct {
	Op  string // the method, in lower case
	Err error
}

// Error tells both.
func (e *OpError) Error() string {
	return "cpg " + e.Op + ": " + strings.TrimPrefix(e.Err.Error(), "cpg: ")
}

// Unwrap gives the error itself, for errors.Is and errors.As.
func (e *OpError) Unwrap() error { return e.Err }

// opError says what failed. The end of a context, and that a call would wait, is
// no failure.
func opError(op string, err error) error {
	switch err {
	case nil, context.Canceled, context.DeadlineExceeded, error(ErrTryAgain):
		return err
	}
	return &OpError{op, err}
}

// check is the error for a daemon's result.
func check(st abi.Status) error {
	if st == abi.OK {
		return nil
	}
	return Status(st)
}

// ipcError translates an error of the IPC's.
func ipcError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrClosed):
		return ErrClosed
	case errors.Is(err, client.ErrDisconnected):
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	case errors.Is(err, syscall.EAGAIN):
		return ErrTryAgain
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: %w", ErrAccess, err)
	case errors.Is(err, syscall.EMSGSIZE):
		return ErrTooBig
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return fmt.Errorf("cpg: %w", err)
}
