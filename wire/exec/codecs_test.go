package exec

import "strings"

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
	{"barrier", func() codec { return new(Barrier) },
		"00000000 00000000 20000000 00000000  01000000 0d00000000000000 00000000"},
	{"service build", func() codec { return new(ServiceBuild) },
		"01000000 00000000 28020000 00000000  01000000 0d00000000000000 00000000" +
			"04000000 00000000  00000000 02000000 03000000 05000000" + repeat("00", 496)},
	{"procjoin", func() codec { return new(ProcChange) },
		"00000200 00000000 a8000000 00000000  02000000 00000000 6731" + repeat("00", 126) +
			"e1760000 00000000 01000000 00000000"},
	{"procleave", func() codec { return new(ProcChange) },
		"01000200 aaaaaaaa a8000000 bbbbbbbb  02000000 cccccccc 6731" + repeat("dd", 126) +
			"e1760000 eeeeeeee 05000000 ffffffff"},
	{"joinlist", func() codec { return new(JoinList) },
		"02000200 00000000 38010000 00000000 00000000 00000000" +
			"e1760000 00000000  02000000 00000000 6731" + repeat("00", 126) +
			"e2760000 01020304  80000000 05060708 " + repeat("78", 128)},
	{"mcast", func() codec { return new(Mcast) },
		"03000200 00000000 bd000000 00000000  03000000 00000000 673100" + repeat("ee", 125) +
			"05000000 11111111  e1760000 22222222" +
			"01000000 33333333 100e2e4a55550000  68656c6c6f"},
	{"partial mcast", func() codec { return new(PartialMcast) },
		"06000200 fc7f0000 cd000000 01020304  02000000 00000000 6731" + repeat("00", 126) +
			"07000000 11111111  05000000 22222222  e1760000 33333333  03000000 44444444" +
			"01000000 55555555 100e2e4a55550000  68656c6c6f"},
	{"downlist old", func() codec { return new(DownlistOld) },
		"04000200 00000000 18060000 00000000  00000000 00000000" + repeat("07000000", 384)},
	{"downlist", func() codec { return new(Downlist) },
		"05000200 00000000 20060000 00000000  03000000 00000000  01000000 00000000" +
			"03000000" + repeat("07000000", 383)},
}

// repeat is strings.Repeat, short for fixtures.
func repeat(s string, n int) string { return strings.Repeat(s, n) }
