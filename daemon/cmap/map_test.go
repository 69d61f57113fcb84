package cmap

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cpgol/compat/abi"
)

func TestSetRules(t *testing.T) {
	m := NewMap()
	var events []Event
	m.Track("", AllEvents|Prefix, func(c Change) { events = append(events, c.Event) })
	for _, c := range []struct {
		name  string
		key   string
		v     Value
		st    abi.Status
		event Event // 0: none
	}{
		{"new", "a.b", U32(1), abi.OK, Added},
		{"equal", "a.b", U32(1), abi.OK, 0},
		{"other", "a.b", U32(2), abi.OK, Modified},
		{"other type, same bits", "a.b", I32(2), abi.OK, Modified},
		{"text", "a.b", String("x"), abi.OK, Modified},
		{"equal text", "a.b", String("x\x00y"), abi.OK, 0},
		{"two letters", "ab", U8(1), abi.NameTooLong, 0},
		{"256 letters", strings.Repeat("a", 256), U8(1), abi.NameTooLong, 0},
		{"255 letters", strings.Repeat("a", 255), U8(1), abi.OK, Added},
		{"space", "a b", U8(1), abi.NameTooLong, 0},
		{"no ASCII", "ab\xe9", U8(1), abi.NameTooLong, 0},
		{"every kind of character", "aZ09._-/:", U8(1), abi.OK, Added},
		{"too long, bad key", "a b", Binary(make([]byte, MaxValueLen+1)), abi.InvalidParam, 0},
		{"longest text", "long", String(strings.Repeat("x", MaxValueLen)), abi.OK, Added},
		{"too long text", "long", String(strings.Repeat("x", MaxValueLen+1)), abi.InvalidParam, 0},
	} {
		events = nil
		if st := m.Set(c.key, c.v); st != c.st {
			t.Errorf("%s: %v, want %v", c.name, st, c.st)
		}
		var want []Event
		if c.event != 0 {
			want = []Event{c.event}
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("%s: events (-want +got)\n%s", c.name, diff)
		}
	}
}

func TestGetters(t *testing.T) {
	m := NewMap()
	m.Set("u8.", U8(1))
	m.Set("u32", U32(2))
	m.Set("i32", I32(-3))
	m.Set("u64", U64(4))
	m.Set("str", String("five"))
	u8, ok8 := m.U8("u8.")
	u32, ok32 := m.U32("u32")
	i32, oki32 := m.I32("i32")
	u64, ok64 := m.U64("u64")
	str, oks := m.Text("str")
	if u8 != 1 || u32 != 2 || i32 != -3 || u64 != 4 || str != "five" || !ok8 || !ok32 || !oki32 || !ok64 || !oks {
		t.Error(u8, u32, i32, u64, str, ok8, ok32, oki32, ok64, oks)
	}
	if _, ok := m.U32("i32"); ok {
		t.Error("a u32 from an i32")
	}
	if _, ok := m.Get("none"); ok {
		t.Error("got a key that is not there")
	}
}

func TestAdjust(t *testing.T) {
	for _, c := range []struct {
		from Value
		step int32
		want Value
		st   abi.Status
	}{
		{U8(255), 1, U8(0), abi.OK},
		{U8(0), -1, U8(255), abi.OK},
		{I8(127), 1, I8(-128), abi.OK},
		{U16(65535), 2, U16(1), abi.OK},
		{I16(-32768), -1, I16(32767), abi.OK},
		{U32(0), -1, U32(1<<32 - 1), abi.OK},
		{I32(5), -7, I32(-2), abi.OK},
		{U64(0), -1, U64(1<<64 - 1), abi.OK},
		{I64(-1), 1, I64(0), abi.OK},
		{U32(7), 0, U32(7), abi.OK},
		{F32(1), 1, F32(1), abi.InvalidParam},
		{F64(1), 1, F64(1), abi.InvalidParam},
		{String("1"), 1, String("1"), abi.InvalidParam},
		{Binary([]byte{1}), 1, Binary([]byte{1}), abi.InvalidParam},
		{Value{typ: 77}, 1, Value{typ: 77}, abi.OK},
	} {
		m := NewMap()
		m.Set("key", c.from)
		if st := m.Adjust("key", c.step); st != c.st {
			t.Errorf("%v %+d: %v, want %v", c.from, c.step, st, c.st)
		}
		if v, _ := m.Get("key"); v != c.want {
			t.Errorf("%v %+d = %v, want %v", c.from, c.step, v, c.want)
		}
	}
	if st := NewMap().Adjust("key", 1); st != abi.NotExist {
		t.Errorf("without a key: %v", st)
	}
}

func TestReadOnly(t *testing.T) {
	m := NewMap()
	protectDaemonKeys(m)
	m.Protect("one.key", false)
	for key, want := range map[string]bool{
		"nodelist.node.0.name": true, "nodelist.": true, "nodelist": false,
		"totem.version": true, "totem.version.x": false, "totem.token": false,
		"one.key": true, "one.keys": false, "runtime.members.1.status": false,
		"runtime.services.cpg.0.tx": true, "config.reload_status": false,
	} {
		if got := m.ReadOnly(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	m.Unprotect("one.key", false)
	if m.ReadOnly("one.key") {
		t.Error("still protected")
	}
	if st := m.Set("nodelist.local_node_pos", U32(0)); st != abi.OK {
		t.Errorf("the daemon's own set: %v", st)
	}
}

// TestMapModel holds the map against a plain Go map and a copy that follows
// the events.
func TestMapModel(t *testing.T) {
	key := rapid.StringMatching(`[ab.]{3,5}`)
	rapid.Check(t, func(t *rapid.T) {
		m, model, copied := NewMap(), map[string]Value{}, map[string]Value{}
		m.Track("", AllEvents|Prefix, func(c Change) {
			if copied[c.Key] != c.Old {
				t.Fatalf("%+v: old value was %v", c, copied[c.Key])
			}
			copied[c.Key] = c.New
			if c.Event == Deleted {
				delete(copied, c.Key)
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), U8(rapid.Uint8Range(0, 3).Draw(t, "value"))
				m.Set(k, v)
				model[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				_, ok := model[k]
				if got := m.Delete(k) == abi.OK; got != ok {
					t.Fatalf("deleted %v, want %v", got, ok)
				}
				delete(model, k)
			},
			"": func(t *rapid.T) {
				got := maps.Collect(m.All(""))
				if !maps.Equal(got, model) || !maps.Equal(copied, model) || !slices.IsSorted(m.keys) {
					t.Fatalf("map %v, copy %v, model %v", got, copied, model)
				}
				size := 0
				for k, v := range model {
					size += len(k) + v.Len()
				}
				if m.Size() != size || m.Len() != len(model) {
					t.Fatalf("size %d of %d keys, want %d of %d", m.Size(), m.Len(), size, len(model))
				}
			},
		})
	})
}
