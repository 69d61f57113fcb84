package conf

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A place is a path in a TOML document: its parts joined by a zero byte, an
// array's elements as "#0", "#1", ...
type place string

const placeSep = "\x00"

func (p place) sub(name string) place {
	if p == "" {
		return place(name)
	}
	return p + placeSep + place(name)
}

func (p place) element(i int) place { return p.sub("#" + strconv.Itoa(i)) }

// String returns the path as TOML writes it, with indices in brackets.
func (p place) String() string {
	var b strings.Builder
	for i, part := range strings.Split(string(p), placeSep) {
		if n, ok := strings.CutPrefix(part, "#"); ok {
			b.WriteString("[" + n + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(tomlName(part))
	}
	return b.String()
}

// tomlName quotes a key's part where TOML wants it.
func tomlName(name string) string {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return tomlText(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// maxPlace bounds a place's length in bytes. A key's path has half of it.
const maxPlace = 512

// A lineFinder notes on which line each key and table of a document stands.
type lineFinder struct {
	parser  unstable.Parser
	starts  []int // offset of each line
	lines   map[place]int
	counts  map[place]int // elements of arrays of tables so far
	tooLong int           // line of the first place that is too long, or 0
}

// findLines returns the lines of a document's places, or in tooLong the line
// of one that is longer than maxPlace. Where the syntax is wrong it stops.
func findLines(data []byte) (lines map[place]int, tooLong int) {
	f := &lineFinder{lines: make(map[place]int), counts: make(map[place]int), starts: []int{0}}
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
		f.starts = append(f.starts, at)
	}
	f.parser.Reset(data)
	var table place
	for f.tooLong == 0 && f.parser.NextExpression() {
		switch e := f.parser.Expression(); e.Kind {
		case unstable.Table:
			table = f.key("", e.Key())
		case unstable.ArrayTable:
			table = f.key("", e.Key())
			n := f.counts[table]
			f.counts[table]++
			element := table.element(n)
			f.lines[element] = f.lines[table]
			if it := e.Key(); it.Next() {
				f.lines[element] = f.line(it.Node())
			}
			table = element
		case unstable.KeyValue:
			f.value(f.key(table, e.Key()), e.Value())
		}
	}
	return f.lines, f.tooLong
}

// line returns the line of a node.
func (f *lineFinder) line(n *unstable.Node) int {
	lo, hi := 0, len(f.starts)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; f.starts[mid] <= int(n.Raw.Offset) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + 1
}

// key goes down the parts of a key and notes the line of each part that is
// new. A part that names an array of tables means its last element.
func (f *lineFinder) key(at place, it unstable.Iterator) place {
	for it.Next() {
		if n := f.counts[at]; n > 0 {
			at = at.element(n - 1)
		}
		if f.tooLong > 0 {
			return at
		}
		if len(at)+len(it.Node().Data) >= maxPlace {
			f.tooLong = f.line(it.Node())
			return at
		}
		at = at.sub(string(it.Node().Data))
		if _, ok := f.lines[at]; !ok {
			f.lines[at] = f.line(it.Node())
		}
	}
	return at
}

// value notes the keys inside a value.
func (f *lineFinder) value(at place, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if kv := it.Node(); kv.Kind == unstable.KeyValue {
				f.value(f.key(at, kv.Key()), kv.Value())
			}
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			e := it.Node()
			if e.Kind != unstable.InlineTable && e.Kind != unstable.Array {
				continue // nothing in it has a name
			}
			if len(at) >= maxPlace {
				f.tooLong = max(f.tooLong, 1)
				return
			}
			f.value(at.element(i), e)
		}
	}
}
