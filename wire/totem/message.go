package totem

// A Message is any of the six. Decode reads one from the front of b and says
// how many bytes it took; Append encodes it behind b. What Decode accepted,
// Append gives back.
type Message interface {
	Decode(b []byte) (int, error)
	Append(b []byte) []byte
}

var (
	_ Message = (*Token)(nil)
	_ Message = (*Mcast)(nil)
	_ Message = (*MergeDetect)(nil)
	_ Message = (*Join)(nil)
	_ Message = (*CommitToken)(nil)
	_ Message = (*HoldCancel)(nil)
)

// New returns an empty message of type t, or nil if there is no such type. It
// serves callers that look at any packet; the engine decodes into values of its
// own.
func New(t Type) Message {
	switch t {
	case TypeToken:
		return &Token{}
	case TypeMcast:
		return &Mcast{}
	case TypeMergeDetect:
		return &MergeDetect{}
	case TypeJoin:
		return &Join{}
	case TypeCommitToken:
		return &CommitToken{}
	case TypeHoldCancel:
		return &HoldCancel{}
	}
	return nil
}

// Decode reads any message from the front of b into a new value.
func Decode(b []byte) (m Message, n int, err error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nil, 0, err
	}
	m = New(h.Type)
	if n, err = m.Decode(b); err != nil {
		return nil, 0, err
	}
	return m, n, nil
}
