package abi

import "strconv"

// A Status is the result code of a request (cs_error_t,
// include/corosync/corotypes.h). Success is 1, not 0.
type Status int32

// The result codes.
const (
	OK                Status = 1
	Library           Status = 2
	Version           Status = 3
	Init              Status = 4
	Timeout           Status = 5
	TryAgain          Status = 6
	InvalidParam      Status = 7
	NoMemory          Status = 8
	BadHandle         Status = 9
	Busy              Status = 10
	Access            Status = 11
	NotExist          Status = 12
	NameTooLong       Status = 13
	Exist             Status = 14
	NoSpace           Status = 15
	Interrupt         Status = 16
	NameNotFound      Status = 17
	NoResources       Status = 18
	NotSupported      Status = 19
	BadOperation      Status = 20
	FailedOperation   Status = 21
	MessageError      Status = 22
	QueueFull         Status = 23
	QueueNotAvailable Status = 24
	BadFlags          Status = 25
	TooBig            Status = 26
	NoSections        Status = 27
	ContextNotFound   Status = 28
	TooManyGroups     Status = 30
	Security          Status = 100
)

var statusNames = map[Status]string{
	OK: "OK", Library: "LIBRARY", Version: "VERSION", Init: "INIT", Timeout: "TIMEOUT",
	TryAgain: "TRY_AGAIN", InvalidParam: "INVALID_PARAM", NoMemory: "NO_MEMORY",
	BadHandle: "BAD_HANDLE", Busy: "BUSY", Access: "ACCESS", NotExist: "NOT_EXIST",
	NameTooLong: "NAME_TOO_LONG", Exist: "EXIST", NoSpace: "NO_SPACE",
	Interrupt: "INTERRUPT", NameNotFound: "NAME_NOT_FOUND", NoResources: "NO_RESOURCES",
	NotSupported: "NOT_SUPPORTED", BadOperation: "BAD_OPERATION",
	FailedOperation: "FAILED_OPERATION", MessageError: "MESSAGE_ERROR",
	QueueFull: "QUEUE_FULL", QueueNotAvailable: "QUEUE_NOT_AVAILABLE",
	BadFlags: "BAD_FLAGS", TooBig: "TOO_BIG", NoSections: "NO_SECTIONS",
	ContextNotFound: "CONTEXT_NOT_FOUND", TooManyGroups: "TOO_MANY_GROUPS",
	Security: "SECURITY",
}

// String returns the C name without CS_ERR_.
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return "status " + strconv.Itoa(int(s))
}
