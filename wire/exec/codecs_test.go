package exec

// A codec is what every message type of this package is.
type codec interface {
	Decode(b []byte) (n int, err error)
	Append(b []byte) []byte
}

// codecs lists every message type once: FuzzMessages and the tests of the
// common properties run over it. Add rows at the end: the fuzz corpus names
// them by index.
var codecs = []struct {
	name   string
	new    func() codec
	sample string // one valid message in hexadecimal, spaces as you like
}{
	{"header", func() codec { return new(Header) }, "00000200 fc7f0000 a8000000 01020304"},
	{"response header", func() codec { return new(ResponseHeader) },
		"02000200 fc7f0000 a8000000 01020304 00000000 05060708"},
}
