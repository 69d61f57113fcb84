package pg

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// MaxGroups is the most groups a message may name (MAX_GROUPS_PER_MSG).
const MaxGroups = 32

// The groups that exist.
const (
	GroupServices = "a"    // the service engines' messages
	GroupSync     = "sync" // the synchronisation service's
)

// AppendGroup appends the group header that opens a message to one group.
func AppendGroup(b []byte, name string) []byte {
	b = append(b, 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

// Names are the groups a message goes to. They alias the message.
type Names struct {
	bigEndian bool
	lengths   []byte // two bytes each
	text      []byte // the names back to back
}

// Len is how many there are.
func (n Names) Len() int { return len(n.lengths) / 2 }

// All yields each name in turn; the slices alias the message.
func (n Names) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		text := n.text
		for at := 0; at < len(n.lengths); at += 2 {
			l := int(load16(n.lengths[at:], n.bigEndian))
			if !yield(text[:l]) {
				return
			}
			text = text[l:]
		}
	}
}

// Has reports whether name is among them (group_matches).
func (n Names) Has(name string) bool {
	for got := range n.All() {
		if string(got) == name {
			return true
		}
	}
	return false
}

// CutGroup parts a message into the groups it goes to and its payload; both
// alias msg. bigEndian is the byte order of the multicast that carried it. The
// reference checks none of the lengths.
func CutGroup(msg []byte, bigEndian bool) (names Names, payload []byte, err error) {
	if len(msg) < 2 {
		return Names{}, nil, fmt.Errorf("pg: group header: length %d, need 2", len(msg))
	}
	count := int(load16(msg, bigEndian))
	if count > MaxGroups {
		return Names{}, nil, fmt.Errorf("pg: group header: groups %d, at most %d", count, MaxGroups)
	}
	textAt := 2 + 2*count
	if len(msg) < textAt {
		return Names{}, nil, fmt.Errorf("pg: group header: length %d, need %d", len(msg), textAt)
	}
	end := textAt
	for at := 2; at < textAt; at += 2 {
		end += int(load16(msg[at:], bigEndian))
	}
	if len(msg) < end {
		return Names{}, nil, fmt.Errorf("pg: group header: length %d, need %d", len(msg), end)
	}
	return Names{bigEndian: bigEndian, lengths: msg[2:textAt], text: msg[textAt:end]}, msg[end:], nil
}
