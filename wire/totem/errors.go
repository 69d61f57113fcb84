package totem

import "fmt"

// A Cause says in one word why a packet was refused. Causes index counters.
type Cause uint8

// The causes, in the order of the checks.
const (
	CauseShort   Cause = iota // fewer bytes than the message needs
	CauseLong                 // more bytes than any peer may send
	CauseMagic                // not a Totem 3.x packet
	CauseVersion              // a Totem packet of another version
	CauseType                 // no such message, or not the one asked for
	CauseCount                // a count out of its range
	NumCauses    = iota
)

var causeNames = [NumCauses]string{"short", "long", "magic", "version", "type", "count"}

// String gives the cause's name as statistics print it.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// An Error is what every decoder of this package returns: which message, why,
// what was found and what the limit was.
type Error struct {
	Message string // "token", "mcast", ...
	Field   string // what was checked: "length", "retransmits", ...
	Cause   Cause
	Got     int64 // the value found
	Limit   int64 // the value it had to reach, or not to exceed
}

// Error describes the refusal in one line.
func (e *Error) Error() string {
	relation := "need"
	switch e.Cause {
	case CauseLong, CauseCount:
		relation = "at most"
	case CauseMagic, CauseVersion, CauseType:
		relation = "want"
	}
	return fmt.Sprintf("totem: %s: %s %d, %s %d", e.Message, e.Field, e.Got, relation, e.Limit)
}

func shortError(message string, got, need int) error {
	return &Error{Message: message, Field: "length", Cause: CauseShort, Got: int64(got), Limit: int64(need)}
}

func longError(message string, got, most int) error {
	return &Error{Message: message, Field: "length", Cause: CauseLong, Got: int64(got), Limit: int64(most)}
}

func countError(message, field string, got int64, most int) error {
	return &Error{Message: message, Field: field, Cause: CauseCount, Got: got, Limit: int64(most)}
}
