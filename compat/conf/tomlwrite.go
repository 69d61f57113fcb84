package conf

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ToTOML writes keys, as [ParseCorosync] returns them, as TOML that stands for
// exactly these keys. Users and groups become numbers, for the keys have no
// names of them. It fails if a key cannot be written, and if totem.version is
// not 2, for which TOML has no field.
func ToTOML(keys []Key) ([]byte, error) { return writeTOML(keys, nil, nil) }

// writeTOML is ToTOML with the names of users and groups, by key, and with
// comments.
func writeTOML(keys []Key, names map[string]string, notes *comments) ([]byte, error) {
	w := &tomlWriter{keys: mapOf(keys), used: make(map[string]bool), leaves: make(map[string]bool), names: names, notes: notes}
	if v, _ := w.keys.u32("totem.version"); v != 2 {
		return nil, fmt.Errorf("totem.version is %d: only 2 can be written as TOML", v)
	}
	w.used["totem.version"] = true
	w.document()
	if err := w.rest(); err != nil {
		return nil, err
	}
	return w.bytes(), nil
}

// A tomlTable is a table to be written.
type tomlTable struct {
	name   string
	array  bool // [[name]]
	shown  bool // has a header even if empty
	values []tomlLine
	tables []*tomlTable
	named  map[string]*tomlTable // those that are no arrays
	key    string                // the key that the table's name stands for, if it does
}

// A tomlLine is a line of a table and the keys that it stands for.
type tomlLine struct {
	text string
	keys []string
}

// sub returns a table in a table, made on demand.
func (t *tomlTable) sub(name string) *tomlTable {
	if s, ok := t.named[name]; ok {
		return s
	}
	s := &tomlTable{name: name}
	t.tables = append(t.tables, s)
	if t.named == nil {
		t.named = make(map[string]*tomlTable)
	}
	t.named[name] = s
	return s
}

// at returns the table at the end of a dotted path of plain names.
func (t *tomlTable) at(path string) *tomlTable {
	if path != "" {
		for name := range strings.SplitSeq(path, ".") {
			t = t.sub(name)
		}
	}
	return t
}

func (t *tomlTable) add(name, value string, keys ...string) {
	t.values = append(t.values, tomlLine{tomlName(name) + " = " + value, keys})
}

type tomlWriter struct {
	keys *keyMap
	used map[string]bool
	// leaves are the keys that stand in extra.
	leaves map[string]bool
	root   tomlTable
	names  map[string]string
	notes  *comments
}

// field writes a key into a table if it is there and the field can hold it.
func (w *tomlWriter) field(t *tomlTable, name, key string, f *field) bool {
	k, ok := w.keys.entries[key]
	if !ok || w.used[key] {
		return false
	}
	value, ok := f.decode(k)
	if !ok || k.Type == TypeString && !carries(key[strings.LastIndexByte(key, '.')+1:], k.Text) {
		return false
	}
	t.add(name, value, key)
	w.used[key] = true
	return true
}

// fields writes all of a section's keys that have fields.
func (w *tomlWriter) fields(t *tomlTable, s *schema, prefix string) {
	for i := range s.fields {
		table, name := splitName(s.fields[i].path)
		into := t.at(table)
		w.field(into, name, prefix+s.fields[i].key, &s.fields[i])
	}
}

// document writes everything that has a place of its own.
func (w *tomlWriter) document() {
	w.root.add("format", "1", "totem.version")
	for _, name := range strings.Fields("cluster transport crypto timers protocol") {
		w.root.sub(name)
	}
	w.links()
	w.nodes()
	for _, name := range strings.Fields("quorum logging") {
		w.root.sub(name)
	}
	w.fields(&w.root, documentSchema, "")
	w.loggers()
	w.daemons()
	w.grants()
	for _, key := range w.keys.prefix("quorum.device.heuristics.exec_") {
		name := strings.TrimPrefix(key, "quorum.device.heuristics.exec_")
		if isPart(name) && !strings.Contains(name, ":") {
			w.field(w.root.at("quorum.device.heuristics.exec"), name, key, &textField)
		}
	}
	for _, key := range w.keys.prefix("resources.system.") {
		name, rest, _ := strings.Cut(strings.TrimPrefix(key, "resources.system."), ".")
		if f, ok := monitorSchema.byKey[rest]; ok && isPart(name) {
			w.field(w.root.at("resources.system").sub(name), f.path, key, &f)
		}
	}
}

// numbered collects the numbers that stand behind a prefix, in ascending order
// of their text.
func (w *tomlWriter) numbered(prefix string, max uint64) (numbers map[uint32]bool) {
	numbers = make(map[uint32]bool)
	for _, key := range w.keys.prefix(prefix) {
		text, _, ok := strings.Cut(strings.TrimPrefix(key, prefix), ".")
		if n, fits := canonical(text, max); ok && fits && n <= max {
			numbers[uint32(n)] = true
		}
	}
	return numbers
}

func (w *tomlWriter) links() {
	numbers := w.numbered(interfacePrefix, math.MaxUint8)
	for n := range uint32(math.MaxUint8 + 1) {
		if !numbers[n] {
			continue
		}
		t := &tomlTable{name: "link", array: true}
		t.add("number", strconv.Itoa(int(n)))
		w.fields(t, linkSchema, linkKey(n, ""))
		var members, memberKeys []string
		for i := 0; ; i++ {
			key := linkKey(n, "member."+strconv.Itoa(i))
			text, ok := w.keys.text(key)
			if !ok || !carries("memberaddr", text) {
				break
			}
			members, memberKeys = append(members, tomlText(text)), append(memberKeys, key)
			w.used[key] = true
		}
		if members != nil {
			t.add("members", "["+strings.Join(members, ", ")+"]", memberKeys...)
		}
		if len(t.values) > 1 {
			w.root.tables = append(w.root.tables, t)
		}
	}
}

// nodes writes the nodelist; an entry without keys keeps the place of one that
// a strange file has left out.
func (w *tomlWriter) nodes() {
	numbers := w.numbered(nodePrefix, maxMembers-1)
	last := -1
	for n := range numbers {
		last = max(last, int(n))
	}
	for n := range uint32(last + 1) {
		t := &tomlTable{name: "node", array: true, shown: true}
		w.fields(t, nodeSchema, nodeName(n, ""))
		var addresses, extra tomlTable
		for _, key := range w.keys.prefix(nodeName(n, "")) {
			switch name := strings.TrimPrefix(key, nodeName(n, "")); {
			case isAddressName(name):
				w.field(&addresses, name[4:5], key, &textField)
			case isNodeExtra(name):
				w.field(&extra, name, key, &textField)
			}
		}
		addresses.inline(t, "addresses")
		extra.inline(t, "extra")
		w.root.tables = append(w.root.tables, t)
	}
}

// inline writes a table's values on one line of another.
func (t *tomlTable) inline(into *tomlTable, name string) {
	if t.values == nil {
		return
	}
	var texts, keys []string
	for _, l := range t.values {
		texts, keys = append(texts, l.text), append(keys, l.keys...)
	}
	into.add(name, "{ "+strings.Join(texts, ", ")+" }", keys...)
}

// loggers writes the subsystems; the table itself stands for the key subsys.
func (w *tomlWriter) loggers() {
	for _, key := range w.keys.prefix(subsysPrefix) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(key, subsysPrefix), ".")
		if text, ok := w.keys.text(key); !ok || rest != "subsys" || text != name || !isPart(name) {
			continue
		}
		t := w.root.at("logging.subsystem").sub(name)
		t.shown, t.key = true, key
		w.used[key] = true
		w.fields(t, loggerSchema, subsysPrefix+name+".")
	}
}

// daemons writes the log settings of other programs.
func (w *tomlWriter) daemons() {
	const prefix = "logging.logging_daemon."
	text := func(key string) string { s, _ := w.keys.text(key); return s }
	for _, key := range w.keys.prefix(prefix) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(key, prefix), ".")
		if !isPart(name) || name == "corosync" || w.used[key] {
			continue
		}
		own := prefix + name
		sub, last, _ := strings.Cut(rest, ".")
		_, taken := loggerSchema.byKey[sub]
		switch {
		case rest == "name" && text(key) == name:
			w.daemon(own, name, key)
		case last == "subsys" && isPart(sub) && !taken && sub != "name" && text(key) == sub &&
			text(own+"."+sub+".name") == name:
			t := w.root.at("logging.daemon").sub(name).sub("subsystem").sub(sub)
			t.shown, t.key = true, key
			w.used[key], w.used[own+"."+sub+".name"] = true, true
			w.fields(t, loggerSchema, own+"."+sub+".")
		}
	}
}

// daemon writes a daemon's own settings. A table with nothing but subsystems
// stands for no settings of its own, so that a name alone goes there only if
// there are no subsystems; otherwise it stays for raw.
func (w *tomlWriter) daemon(prefix, name, nameKey string) {
	var probe tomlTable
	w.fields(&probe, loggerSchema, prefix+".")
	subsystems := false
	for _, key := range w.keys.prefix(prefix + ".") {
		subsystems = subsystems || strings.HasSuffix(key, ".subsys")
	}
	if probe.values == nil && subsystems {
		return
	}
	t := w.root.at("logging.daemon").sub(name)
	t.shown, t.key = true, nameKey
	t.values = probe.values
	w.used[nameKey] = true
}

func (w *tomlWriter) grants() {
	for _, g := range []struct{ prefix, name string }{
		{"uidgid.config.uid.", "allow_users"}, {"uidgid.config.gid.", "allow_groups"},
	} {
		var ids, keys []string
		for _, id := range granted(w.keys, g.prefix) {
			text := strconv.FormatUint(uint64(id), 10)
			key := g.prefix + text
			if name := w.names[key]; name != "" && utf8.ValidString(name) {
				text = tomlText(name)
			}
			ids, keys = append(ids, text), append(keys, key)
			w.used[key] = true
		}
		if ids != nil {
			w.root.sub("ipc").add(g.name, "["+strings.Join(ids, ", ")+"]", keys...)
		}
	}
}

// rest writes what has no field: to extra where a section would take it, else
// to raw.
func (w *tomlWriter) rest() error {
	for _, k := range w.keys.list() {
		if w.used[k.Name] {
			continue
		}
		if w.extra(k) {
			continue
		}
		_, name := splitName(k.Name)
		if k.Type != TypeString || strings.Contains(name, ":") || len(k.Name) >= maxName-1 ||
			!validName(k.Name) || !carries(name, k.Text) {
			return fmt.Errorf("line %d: %s: %s: no line of a configuration can carry this", k.Line, k.Name, k.Value())
		}
		w.root.sub("raw").add(k.Name, tomlText(k.Text), k.Name)
	}
	return nil
}

func (w *tomlWriter) extra(k Key) bool {
	parts := strings.Split(k.Name, ".")
	for _, p := range parts {
		if !isPart(p) {
			return false
		}
	}
	section, name := splitName(k.Name)
	if extraRefusal(k.Name) != "" || typeOf(stateAt(section), k.Name, name) != k.Type ||
		len(k.Name) >= maxName || section == "" && len(k.Name) >= maxName-1 || !carries(name, k.Text) || name == "base64" {
		return false
	}
	for s := section; s != ""; s, _ = splitName(s) {
		if w.leaves[s] { // a key and a section may have the same name, but not in TOML
			return false
		}
	}
	w.leaves[k.Name] = true
	t := w.root.sub("extra")
	path := parts[:len(parts)-1]
	if len(path) > 1 && path[0] == "totem" && path[1] == "interface" {
		path = append([]string{"totem.interface"}, path[2:]...)
	}
	for _, p := range path {
		t = t.sub(p)
	}
	switch {
	case k.Type == TypeString:
		t.add(name, tomlText(k.Text), k.Name)
	case k.Num > math.MaxInt64:
		t.add(name, strconv.Quote(k.Value()), k.Name)
	default:
		t.add(name, k.Value(), k.Name)
	}
	return true
}

// bytes writes the document.
func (w *tomlWriter) bytes() []byte {
	var b bytes.Buffer
	m := newTableMarks(&w.root)
	w.notes.write(&b, "", w.notes.takeHeader())
	w.write(&b, &w.root, "", m)
	w.notes.write(&b, "", w.notes.takeRest())
	return b.Bytes()
}

// write writes a table's lines and the tables in it, each under the comments
// of its sections and keys.
func (w *tomlWriter) write(b *bytes.Buffer, t *tomlTable, path string, m *tableMarks) {
	for _, l := range t.values {
		for _, key := range l.keys {
			w.notes.write(b, "", w.notes.takeAbove(keyAnchor(key)))
		}
		b.WriteString(l.text)
		b.WriteByte('\n')
		for _, key := range l.keys {
			w.notes.write(b, "", w.notes.takeBelow(keyAnchor(key)))
		}
	}
	for _, mark := range m.last[t] {
		w.notes.write(b, "", w.notes.takeBelow(mark))
	}
	for _, s := range t.tables {
		below := path + tomlName(s.name)
		if s.array || s.values != nil || s.shown {
			b.WriteByte('\n')
			for _, mark := range m.first[s] {
				w.notes.write(b, "", w.notes.takeAbove(mark))
			}
			header := "[" + below + "]"
			if s.array {
				header = "[" + header + "]"
			}
			fmt.Fprintln(b, header)
		}
		w.write(b, s, below+".", m)
	}
}
