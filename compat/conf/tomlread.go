package conf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxTOML bounds a TOML configuration: the library's search for duplicates
// takes quadratic time. 384 nodes with 8 addresses each need a quarter of it.
const maxTOML = 512 << 10

// ParseTOML reads the project's TOML and returns the keys it stands for, in
// the order of their names. Unknown fields are errors. file is for messages;
// env is asked for users and groups only. The errors, all that there are, have
// file and line.
func ParseTOML(data []byte, file string, env Env) ([]Key, []*Error) {
	d := newTOMLReader(file, &env, newKeyMap())
	if errs := d.read(data); len(errs) > 0 {
		return nil, errs
	}
	return d.keys.list(), nil
}

// isTOML tells TOML from corosync.conf by the first line that is neither empty
// nor a comment: a table's header, or a TOML key and an equals sign.
func isTOML(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		if i := slices.Index(data, '\n'); i >= 0 {
			line, data = data[:i], data[i+1:]
		} else {
			line, data = data, nil
		}
		text := strings.Trim(string(line[:min(len(line), maxTOML)]), " \t\r")
		if text == "" || text[0] == '#' {
			continue
		}
		if text[0] == '[' {
			return strings.IndexByte(text, '{') < 0
		}
		key, _, ok := strings.Cut(text, "=")
		return ok && isTOMLKey(strings.TrimRight(key, blanks))
	}
	return false
}

// isTOMLKey tells if text looks like a bare, quoted or dotted key.
func isTOMLKey(text string) bool {
	if text == "" {
		return false
	}
	var quote rune
	plain := strings.Map(func(c rune) rune { // quoted parts go, their quotes become letters
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			return 'q'
		case quote == 0:
			return c
		case c == quote:
			quote = 0
		}
		return -1
	}, text)
	for part := range strings.SplitSeq(plain, ".") {
		if part = trimBlanks(part); part == "" || tomlName(part) != part {
			return false
		}
	}
	return quote == 0
}

// A tomlReader turns a document into keys.
type tomlReader struct {
	file   string
	env    *Env
	keys   *keyMap
	fields map[string]string // key to the field it came from
	names  map[string]string // key to the user's or group's name it was given by
	lines  map[place]int
	errs   []*Error
	advice []Problem
}

func newTOMLReader(file string, env *Env, keys *keyMap) *tomlReader {
	return &tomlReader{file: file, env: env, keys: keys, fields: make(map[string]string),
		names: make(map[string]string)}
}

// fail notes an error at a place.
func (d *tomlReader) fail(at place, format string, args ...any) {
	if len(d.errs) >= maxAdvice {
		return
	}
	d.errs = append(d.errs, &Error{File: d.file, Line: d.line(at), Key: at.String(),
		Text: fmt.Sprintf(format, args...), Status: statusConfig, round: roundTOML})
}

// line returns the line of a place, or of the nearest place around it.
func (d *tomlReader) line(at place) int {
	for {
		if l, ok := d.lines[at]; ok {
			return l
		}
		i := strings.LastIndex(string(at), placeSep)
		if i < 0 {
			return 1
		}
		at = at[:i]
	}
}

// read reads a document into the map and returns what is wrong with it.
func (d *tomlReader) read(data []byte) []*Error {
	if len(data) > maxTOML {
		return []*Error{{File: d.file, Line: 1, Text: fmt.Sprintf("file is larger than %d KiB", maxTOML>>10),
			Status: statusConfig, round: roundTOML}}
	}
	var tooLong int
	if d.lines, tooLong = findLines(data); tooLong > 0 {
		return []*Error{{File: d.file, Line: tooLong, Text: fmt.Sprintf("key is longer than %d bytes", maxPlace),
			Status: statusConfig, round: roundTOML}}
	}
	var doc map[string]any
	if err := toml.Unmarshal(data, &doc); err != nil {
		e := &Error{File: d.file, Line: 1, Text: strings.TrimPrefix(err.Error(), "toml: "),
			Status: statusConfig, round: roundTOML}
		var de *toml.DecodeError
		if errors.As(err, &de) {
			e.Line, _ = de.Position()
			e.Key = strings.Join(de.Key(), ".")
		}
		return []*Error{e}
	}
	d.document(doc)
	slices.SortStableFunc(d.errs, func(a, b *Error) int { return a.Line - b.Line })
	return d.errs
}

// document reads the tables of the document.
func (d *tomlReader) document(doc map[string]any) {
	if v, ok := doc["format"]; ok && v != int64(1) {
		d.fail("format", "%s is not allowed: this is format 1", shown(v))
	}
	version := Key{Name: "totem.version", Type: TypeU32, Num: 2, Line: d.line("format")}
	d.keys.set(version) // format stands for it
	for _, name := range sortedNames(doc) {
		at, v := place(name), doc[name]
		switch name {
		case "format":
		case "link":
			d.each(at, v, d.link)
		case "node":
			d.each(at, v, d.node)
		case "extra":
			if t, ok := d.table(at, v); ok {
				d.extra(at, "", t)
			}
		case "raw": // last: it may replace the others' keys
		default:
			d.documentTable(at, name, v)
		}
	}
	if v, ok := doc["raw"]; ok {
		d.raw("raw", v)
	}
}

func sortedNames(t map[string]any) []string { return slices.Sorted(maps.Keys(t)) }

// shown writes a TOML value for a message.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any:
		return "a table"
	case []any:
		return "an array"
	}
	return fmt.Sprint(v)
}

// table demands a table.
func (d *tomlReader) table(at place, v any) (map[string]any, bool) {
	t, ok := v.(map[string]any)
	if !ok {
		d.fail(at, "%s is not allowed: want a table", shown(v))
	}
	return t, ok
}

// each demands an array of tables.
func (d *tomlReader) each(at place, v any, f func(at place, i int, t map[string]any)) {
	list, ok := v.([]any)
	if !ok {
		d.fail(at, "%s is not allowed: want an array of tables, [[%s]]", shown(v), at)
		return
	}
	for i, v := range list {
		if t, ok := d.table(at.element(i), v); ok {
			f(at.element(i), i, t)
		}
	}
}

// documentTable reads one of the tables that the document schema knows, or a
// table in one of them.
func (d *tomlReader) documentTable(at place, path string, v any) {
	if special, ok := specialTables[path]; ok {
		special(d, at, v)
		return
	}
	if !documentSchema.tables[path] {
		d.unknown(at, path, documentSchema)
		return
	}
	t, ok := d.table(at, v)
	if !ok {
		return
	}
	for _, name := range sortedNames(t) {
		below, in := path+"."+name, at.sub(name)
		if f, ok := documentSchema.byPath[below]; ok {
			d.put(in, f.key, &f, t[name])
			continue
		}
		d.documentTable(in, below, t[name])
	}
}

// specialTables are the tables whose keys are not fields.
var specialTables map[string]func(d *tomlReader, at place, v any)

func init() {
	specialTables = map[string]func(d *tomlReader, at place, v any){
		"ipc.allow_users":               (*tomlReader).users,
		"ipc.allow_groups":              (*tomlReader).groups,
		"logging.subsystem":             (*tomlReader).subsystems,
		"logging.daemon":                (*tomlReader).daemons,
		"quorum.device.heuristics.exec": (*tomlReader).exec,
		"resources.system":              (*tomlReader).monitors,
	}
}

// unknown refuses a field, and names one that may be meant.
func (d *tomlReader) unknown(at place, path string, s *schema) {
	table, name := splitName(path)
	best, hint := 3, ""
	for _, f := range s.fields {
		if t, n := splitName(f.path); t == table {
			if dist := distance(n, name); dist < best && len(name) < 64 {
				best, hint = dist, "; did you mean "+n+"?"
			}
		}
	}
	if table == "" && s == documentSchema {
		hint = "; the tables are cluster, transport, crypto, timers, protocol, link, node, quorum, logging, ipc, " +
			"system, resources, nozzle, legacy, extra and raw"
	}
	d.fail(at, "unknown field%s", hint)
}

// put stores the key of a field.
func (d *tomlReader) put(at place, key string, f *field, v any) {
	num, text, want := f.encode(v)
	if want != "" {
		d.fail(at, "%s is not allowed: %s", shown(v), want)
		return
	}
	d.store(at, Key{Name: key, Type: f.typ, Num: num, Text: text})
}

// store puts a key into the map unless corosync.conf could not hold it: there
// is one meaning, and a way back.
func (d *tomlReader) store(at place, k Key) {
	k.Line = d.line(at)
	_, name := splitName(k.Name)
	switch old, twice := d.keys.entries[k.Name]; {
	case !validName(k.Name) || len(k.Name) >= maxName:
		d.fail(at, "key %s cannot be stored: want 3 to %d of the characters a-z A-Z 0-9 . _ - / :",
			shown(k.Name), maxName-1)
	case twice:
		d.fail(at, "%s is already set on line %d", k.Name, old.Line)
	case k.Type == TypeString && !carries(name, k.Text):
		d.fail(at, "%s is not allowed: want text without '{', line ends, zero bytes and blanks around, "+
			"that fits into a line of %d bytes", shown(k.Text), lineSize-2)
	default:
		d.keys.set(k)
		d.fields[k.Name] = at.String()
	}
}

// carries tells if a line of corosync.conf can carry a text under a name.
func carries(name, text string) bool {
	_, ok := coroText(name, text)
	return ok
}
