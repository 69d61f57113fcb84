package cmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cpgol/compat/abi"
)

// A Type is the type of a value (icmap_value_types_t).
type Type uint8

// The types of values. TypeNone is not the type of a value: it stands for the
// value that is not there in a change and for a key that does not exist in a
// message between nodes.
const (
	TypeNone    Type = 0
	TypeInt8    Type = 1
	TypeUint8   Type = 2
	TypeInt16   Type = 3
	TypeUint16  Type = 4
	TypeInt32   Type = 5
	TypeUint32  Type = 6
	TypeInt64   Type = 7
	TypeUint64  Type = 8
	TypeFloat32 Type = 9
	TypeFloat64 Type = 10
	TypeString  Type = 11
	TypeBinary  Type = 12
)

// MaxValueLen is the largest value in bytes (ICMAP_MAX_VALUE_LEN).
const MaxValueLen = 16384

var le = binary.LittleEndian

// size is the length that a number of type t has; 0 for every other type, the
// unknown ones included (icmap_get_valuetype_len).
func (t Type) size() int {
	switch t {
	case TypeInt8, TypeUint8:
		return 1
	case TypeInt16, TypeUint16:
		return 2
	case TypeInt32, TypeUint32, TypeFloat32:
		return 4
	case TypeInt64, TypeUint64, TypeFloat64:
		return 8
	}
	return 0
}

// integer reports whether a value of type t can be adjusted.
func (t Type) integer() bool { return t >= TypeInt8 && t <= TypeUint64 }

// A Value is what a key holds. Values never change, and are equal with == if
// type and contents are. The zero Value stands for no value.
type Value struct {
	typ  Type
	num  uint64 // numbers: the bits, in the low size bytes
	text string // TypeString: without the NUL; TypeBinary: the bytes
}

// U8 makes an unsigned number of 8 bits.
func U8(v uint8) Value { return Value{typ: TypeUint8, num: uint64(v)} }

// U16 makes an unsigned number of 16 bits.
func U16(v uint16) Value { return Value{typ: TypeUint16, num: uint64(v)} }

// U32 makes an unsigned number of 32 bits.
func U32(v uint32) Value { return Value{typ: TypeUint32, num: uint64(v)} }

// U64 makes an unsigned number of 64 bits.
func U64(v uint64) Value { return Value{typ: TypeUint64, num: v} }

// I8 makes a signed number of 8 bits.
func I8(v int8) Value { return Value{typ: TypeInt8, num: uint64(uint8(v))} }

// I16 makes a signed number of 16 bits.
func I16(v int16) Value { return Value{typ: TypeInt16, num: uint64(uint16(v))} }

// I32 makes a signed number of 32 bits.
func I32(v int32) Value { return Value{typ: TypeInt32, num: uint64(uint32(v))} }

// I64 makes a signed number of 64 bits.
func I64(v int64) Value { return Value{typ: TypeInt64, num: uint64(v)} }

// F32 makes a floating-point number of 32 bits.
func F32(v float32) Value { return Value{typ: TypeFloat32, num: uint64(math.Float32bits(v))} }

// F64 makes a floating-point number of 64 bits.
func F64(v float64) Value { return Value{typ: TypeFloat64, num: math.Float64bits(v)} }

// String makes a text of s up to its first NUL.
func String(s string) Value {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return Value{typ: TypeString, text: s}
}

// Binary makes a value of b's bytes, which are copied.
func Binary(b []byte) Value { return Value{typ: TypeBinary, text: string(b)} }

// ParseValue makes a value of bytes as a client or a node sends them, which
// are copied. The result is abi.InvalidParam if there are too many, if a number
// does not have its type's size, or if a text is longer than its NUL allows: it
// may be cut short, but hold nothing behind a NUL. A type that nobody knows has
// the size 0 (icmap_check_value_len, icmap_set_r).
func ParseValue(t Type, raw []byte) (Value, abi.Status) {
	if len(raw) > MaxValueLen {
		return Value{}, abi.InvalidParam
	}
	switch t {
	case TypeString:
		end := bytes.IndexByte(raw, 0)
		if end >= 0 && len(raw) > end+1 {
			return Value{}, abi.InvalidParam
		}
		if end >= 0 {
			raw = raw[:end]
		}
		return Value{typ: t, text: string(raw)}, abi.OK
	case TypeBinary:
		return Value{typ: t, text: string(raw)}, abi.OK
	}
	if len(raw) != t.size() {
		return Value{}, abi.InvalidParam
	}
	var word [8]byte
	copy(word[:], raw)
	return Value{typ: t, num: le.Uint64(word[:])}, abi.OK
}

// Type is the value's type; TypeNone for the zero Value.
func (v Value) Type() Type { return v.typ }

// Len is the number of bytes that Append appends: a text's NUL counts.
func (v Value) Len() int {
	switch v.typ {
	case TypeString:
		return len(v.text) + 1
	case TypeBinary:
		return len(v.text)
	}
	return v.typ.size()
}

// Append appends the value's bytes as clients get them: numbers little-endian,
// texts with their NUL.
func (v Value) Append(b []byte) []byte {
	switch v.typ {
	case TypeString:
		return append(append(b, v.text...), 0)
	case TypeBinary:
		return append(b, v.text...)
	}
	var word [8]byte
	le.PutUint64(word[:], v.num)
	return append(b, word[:v.typ.size()]...)
}

// Uint returns the bits of a number, zero-extended, and 0 for anything else.
func (v Value) Uint() uint64 { return v.num }

// Text returns the text of a TypeString, the bytes of a TypeBinary, and
// nothing for anything else.
func (v Value) Text() string { return v.text }

// add returns an integer moved by step, wrapping at its type's width.
func (v Value) add(step int32) Value {
	v.num += uint64(int64(step))
	if n := v.typ.size(); n < 8 {
		v.num &= 1<<(8*n) - 1
	}
	return v
}

// String shows the value to people.
func (v Value) String() string {
	switch v.typ {
	case TypeNone:
		return "none"
	case TypeString:
		return strconv.Quote(v.text)
	case TypeBinary:
		return fmt.Sprintf("%x", v.text)
	case TypeInt8:
		return strconv.FormatInt(int64(int8(v.num)), 10)
	case TypeInt16:
		return strconv.FormatInt(int64(int16(v.num)), 10)
	case TypeInt32:
		return strconv.FormatInt(int64(int32(v.num)), 10)
	case TypeInt64:
		return strconv.FormatInt(int64(v.num), 10)
	case TypeFloat32:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.num))), 'g', -1, 32)
	case TypeFloat64:
		return strconv.FormatFloat(math.Float64frombits(v.num), 'g', -1, 64)
	}
	return strconv.FormatUint(v.num, 10)
}
