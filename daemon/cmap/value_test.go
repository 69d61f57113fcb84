package cmap

import (
	"bytes"
	"strings"
	"testing"

	"cpgol/compat/abi"
)

func TestParseValue(t *testing.T) {
	long := strings.Repeat("x", MaxValueLen)
	for _, c := range []struct {
		name string
		typ  Type
		raw  string
		want Value
		st   abi.Status
	}{
		{"u8", TypeUint8, "\xff", U8(255), abi.OK},
		{"i8", TypeInt8, "\xff", I8(-1), abi.OK},
		{"u16", TypeUint16, "\x01\x02", U16(0x201), abi.OK},
		{"i16", TypeInt16, "\xfe\xff", I16(-2), abi.OK},
		{"u32", TypeUint32, "\x01\x02\x03\x04", U32(0x4030201), abi.OK},
		{"i32", TypeInt32, "\xff\xff\xff\xff", I32(-1), abi.OK},
		{"u64", TypeUint64, "\x01\x00\x00\x00\x00\x00\x00\x80", U64(1<<63 + 1), abi.OK},
		{"i64", TypeInt64, "\xff\xff\xff\xff\xff\xff\xff\xff", I64(-1), abi.OK},
		{"float", TypeFloat32, "\x00\x00\xc0\x3f", F32(1.5), abi.OK},
		{"double", TypeFloat64, "\x00\x00\x00\x00\x00\x00\xf8\x3f", F64(1.5), abi.OK},
		{"text without NUL", TypeString, "abc", String("abc"), abi.OK},
		{"text with NUL", TypeString, "abc\x00", String("abc"), abi.OK},
		{"text with bytes behind the NUL", TypeString, "abc\x00d", Value{}, abi.InvalidParam},
		{"no text", TypeString, "", String(""), abi.OK},
		{"only a NUL", TypeString, "\x00", String(""), abi.OK},
		{"binary", TypeBinary, "\x00a\x00", Binary([]byte("\x00a\x00")), abi.OK},
		{"no binary", TypeBinary, "", Binary(nil), abi.OK},
		{"longest", TypeBinary, long, Binary([]byte(long)), abi.OK},
		{"longest text", TypeString, long, String(long), abi.OK},
		{"too long", TypeBinary, long + "x", Value{}, abi.InvalidParam},
		{"too long text", TypeString, long + "x", Value{}, abi.InvalidParam},
		{"u32 in 3 bytes", TypeUint32, "abc", Value{}, abi.InvalidParam},
		{"u32 in 8 bytes", TypeUint32, "abcdefgh", Value{}, abi.InvalidParam},
		{"u64 in 4 bytes", TypeUint64, "abcd", Value{}, abi.InvalidParam},
		{"unknown type, nothing", 77, "", Value{typ: 77}, abi.OK},
		{"unknown type, something", 77, "a", Value{}, abi.InvalidParam},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, st := ParseValue(c.typ, []byte(c.raw))
			if v != c.want || st != c.st {
				t.Fatalf("= %v, %v; want %v, %v", v, st, c.want, c.st)
			}
			if st != abi.OK {
				return
			}
			b := v.Append(nil)
			if len(b) != v.Len() {
				t.Errorf("Len %d, %d bytes appended", v.Len(), len(b))
			}
			want := []byte(c.raw)
			if c.typ == TypeString {
				want = append(bytes.TrimRight(want, "\x00"), 0)
			}
			if !bytes.Equal(b, want) {
				t.Errorf("bytes %x, want %x", b, want)
			}
		})
	}
}

func TestValueStrings(t *testing.T) {
	for want, v := range map[string]Value{
		"none": {}, "-1": I8(-1), "255": U8(255), "-300": I16(-300), "65535": U16(65535),
		"-70000": I32(-70000), "70000": U32(70000), "-5": I64(-5), "18446744073709551615": U64(1<<64 - 1),
		"1.5": F32(1.5), "2.25": F64(2.25), `"a"`: String("a\x00b"), "0061": Binary([]byte("\x00a")),
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
