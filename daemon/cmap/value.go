package cmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"cpgol/compat/abi"
)

// A Type is the type of a value (icmap_value_types_t).
type Type uint8

// The types of values. None is not the type of a value: it stands for the
// value that is not there in a change and for a key that does not exist in a
// message between nodes.
const (
	None    Type = 0
	Int8    Type = 1
	Uint8   Type = 2
	Int16   Type = 3
	Uint16  Type = 4
	Int32   Type = 5
	Uint32  Type = 6
	Int64   Type = 7
	Uint64  Type = 8
	Float32 Type = 9
	Float64 Type = 10
	String  Type = 11
	Binary  Type = 12
)

// MaxValueLen is the largest value in bytes (ICMAP_MAX_VALUE_LEN).
const MaxValueLen = 16384

var le = binary.LittleEndian

// size is the length that a number of type t has; 0 for every other type, the
// unknown ones included (icmap_get_valuetype_len).
func (t Type) size() int {
	switch t {
	case Int8, Uint8:
		return 1
	case Int16, Uint16:
		return 2
	case Int32, Uint32, Float32:
		return 4
	case Int64, Uint64, Float64:
		return 8
	}
	return 0
}

// integer reports whether a value of type t can be adjusted.
func (t Type) integer() bool { return t >= Int8 && t <= Uint64 }

// A Value is what a key holds. Values never change, and are equal with == if
// type and contents are. The zero Value stands for no value.
type Value struct {
	typ  Type
	num  uint64 // numbers: the bits, in the low size bytes
	text string // String: without the NUL; Binary: the bytes
}

// Values of each type.

func U8(v uint8) Value    { return Value{typ: Uint8, num: uint64(v)} }
func U16(v uint16) Value  { return Value{typ: Uint16, num: uint64(v)} }
func U32(v uint32) Value  { return Value{typ: Uint32, num: uint64(v)} }
func U64(v uint64) Value  { return Value{typ: Uint64, num: v} }
func I8(v int8) Value     { return Value{typ: Int8, num: uint64(uint8(v))} }
func I16(v int16) Value   { return Value{typ: Int16, num: uint64(uint16(v))} }
func I32(v int32) Value   { return Value{typ: Int32, num: uint64(uint32(v))} }
func I64(v int64) Value   { return Value{typ: Int64, num: uint64(v)} }
func F32(v float32) Value { return Value{typ: Float32, num: uint64(math.Float32bits(v))} }
func F64(v float64) Value { return Value{typ: Float64, num: math.Float64bits(v)} }

// Str makes a text of s up to its first NUL.
func Str(s string) Value {
	if i := indexNUL(s); i >= 0 {
		s = s[:i]
	}
	return Value{typ: String, text: s}
}

// Bin makes a value of b's bytes, which are copied.
func Bin(b []byte) Value { return Value{typ: Binary, text: string(b)} }

func indexNUL(s string) int {
	for i := range len(s) {
		if s[i] == 0 {
			return i
		}
	}
	return -1
}

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
	case String:
		end := bytes.IndexByte(raw, 0)
		if end >= 0 && len(raw) > end+1 {
			return Value{}, abi.InvalidParam
		}
		if end >= 0 {
			raw = raw[:end]
		}
		return Value{typ: t, text: string(raw)}, abi.OK
	case Binary:
		return Value{typ: t, text: string(raw)}, abi.OK
	}
	if len(raw) != t.size() {
		return Value{}, abi.InvalidParam
	}
	var word [8]byte
	copy(word[:], raw)
	return Value{typ: t, num: le.Uint64(word[:])}, abi.OK
}

// Type is the value's type; None for the zero Value.
func (v Value) Type() Type { return v.typ }

// Len is the number of bytes that Append appends: a text's NUL counts.
func (v Value) Len() int {
	switch v.typ {
	case String:
		return len(v.text) + 1
	case Binary:
		return len(v.text)
	}
	return v.typ.size()
}

// Append appends the value's bytes as clients get them: numbers little-endian,
// texts with their NUL.
func (v Value) Append(b []byte) []byte {
	switch v.typ {
	case String:
		return append(append(b, v.text...), 0)
	case Binary:
		return append(b, v.text...)
	}
	var word [8]byte
	le.PutUint64(word[:], v.num)
	return append(b, word[:v.typ.size()]...)
}

// Uint returns the bits of a number, zero-extended, and 0 for anything else.
func (v Value) Uint() uint64 { return v.num }

// Text returns the text of a String, the bytes of a Binary, and nothing for
// anything else.
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
	case None:
		return "none"
	case String:
		return strconv.Quote(v.text)
	case Binary:
		return fmt.Sprintf("%x", v.text)
	case Int8:
		return strconv.FormatInt(int64(int8(v.num)), 10)
	case Int16:
		return strconv.FormatInt(int64(int16(v.num)), 10)
	case Int32:
		return strconv.FormatInt(int64(int32(v.num)), 10)
	case Int64:
		return strconv.FormatInt(int64(v.num), 10)
	case Float32:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.num))), 'g', -1, 32)
	case Float64:
		return strconv.FormatFloat(math.Float64frombits(v.num), 'g', -1, 64)
	}
	return strconv.FormatUint(v.num, 10)
}
