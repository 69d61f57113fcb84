package conf

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ToCorosync writes keys as a corosync.conf that stock reads as exactly these
// keys: [ParseCorosync] of the result gives them back. Sections have the order
// in which a person writes them; text that no section would keep as text stands
// in dotted lines at the end. It fails, naming the key, if no line can carry one.
//
// totem.ip_dscp may be a number, as TOML has it, and is written although 3.1.7
// takes it for text without effect; 3.1.10 reads the number.
//
// Reference: exec/coroparse.c:parse_section, main_config_parser_cb.
func ToCorosync(keys []Key) ([]byte, error) {
	env := hostUsers()
	return (&Document{Keys: keys}).Corosync(env)
}

// A coroSection is a section to be written.
type coroSection struct {
	name  string
	mark  anchor // where its comments hang
	lines []coroLine
	subs  []*coroSection
	named map[string]*coroSection // the subs that every key of the name shares
}

// A coroLine is a name and its value, and the key that they make.
type coroLine struct{ name, value, key string }

// sub returns the section of a name that is written once, made on demand.
func (s *coroSection) sub(path, name string) *coroSection {
	if n, ok := s.named[name]; ok {
		return n
	}
	n := s.append(name, sectionAnchor(path))
	if s.named == nil {
		s.named = make(map[string]*coroSection)
	}
	s.named[name] = n
	return n
}

// append adds a section that may have others of its name beside it.
func (s *coroSection) append(name string, mark anchor) *coroSection {
	n := &coroSection{name: name, mark: mark}
	s.subs = append(s.subs, n)
	return n
}

// at returns the section at the end of a path, or nil if no lines can open it.
func (s *coroSection) at(path string) *coroSection {
	names := sectionNames(path)
	if names == nil {
		return nil
	}
	for to := 0; len(names) > 0; names = names[1:] {
		to += len(names[0])
		s = s.sub(path[:to], names[0])
		to++
	}
	return s
}

// sectionNames splits a path into the names of sections within each other, as many
// as there can be, or gives nil. A part that would not be read as it is written,
// as it is empty or ends in a colon, shares a name with what stands beside it: a
// dot in a name makes the same path as a section in another.
func sectionNames(path string) []string {
	at := make([][]string, len(path)+1) // of what begins there
	for from := len(path); from >= 0; from-- {
		if from > 0 && path[from-1] != '.' {
			continue
		}
		for to := from; to <= len(path) && at[from] == nil; to++ {
			switch {
			case to < len(path) && path[to] != '.' || !opens(path[from:to]):
			case to == len(path):
				at[from] = []string{path[from:]}
			case at[to+1] != nil:
				at[from] = append([]string{path[from:to]}, at[to+1]...)
			}
		}
	}
	return at[0]
}

// opens reports whether a section can have this name.
func opens(name string) bool { return name != "" && trimName(name+" ") == name }

type coroWriter struct {
	keys   *keyMap
	used   map[string]bool
	names  map[string]string // how users and groups are called, by key
	root   coroSection
	dotted []coroLine // at top level, behind all sections
	notes  *comments
}

// document distributes the keys.
func (w *coroWriter) document() error {
	w.links()
	if err := w.nodes(); err != nil {
		return err
	}
	w.loggers()
	w.daemons()
	w.grants()
	for _, k := range w.keys.list() {
		if w.used[k.Name] {
			continue
		}
		if !validName(k.Name) || !w.plain(k) && !w.dot(k) {
			return unwritable(k)
		}
	}
	return nil
}

func unwritable(k Key) error {
	return fmt.Errorf("line %d: %s: %s: no line of a configuration can carry this", k.Line, k.Name, k.Value())
}

// put takes a key into a section unless its line would not give it back.
func (w *coroWriter) put(into *coroSection, name, key string) bool {
	k, ok := w.keys.entries[key]
	if !ok || w.used[key] || !carries(name, k.Value()) {
		return false
	}
	into.lines = append(into.lines, coroLine{name, k.Value(), key})
	w.used[key] = true
	return true
}

// plain puts a key into the section that its name says.
func (w *coroWriter) plain(k Key) bool {
	section, name := splitName(k.Name)
	if section == "" {
		return false
	}
	s := stateAt(section)
	switch s {
	case stateMember, stateSubsys, stateDaemon, stateUIDGID, stateNode:
		return false
	case stateInterface:
		if section == "totem.interface" && (name == "linknumber" || slices.Contains(interfaceKeys, name)) {
			return false
		}
	}
	t := typeOf(s, k.Name, name)
	if dscp := k.Name == dscpKey && k.Type == TypeU8; t != k.Type && !dscp || checkWord(s, k.Name, k.Value()) != "" {
		return false
	}
	if !carries(name, k.Value()) {
		return false
	}
	into := w.root.at(section)
	return into != nil && w.put(into, name, k.Name)
}

// dscpKey is text for 3.1.7 and a number from 3.1.10 on.
const dscpKey = "totem.ip_dscp"

// dot puts text on a line of its own at top level, where it stays text.
func (w *coroWriter) dot(k Key) bool {
	if k.Type != TypeString || !carries(k.Name, k.Text) || len(k.Name) >= maxName-1 || len(k.Name) < minName {
		return false
	}
	w.dotted = append(w.dotted, coroLine{k.Name, k.Text, k.Name})
	w.used[k.Name] = true
	return true
}

// links writes an interface section for each link that has keys.
func (w *coroWriter) links() {
	numbers := make(map[uint32]bool)
	for _, key := range w.keys.prefix(interfacePrefix) {
		text, _, _ := strings.Cut(strings.TrimPrefix(key, interfacePrefix), ".")
		if n, ok := canonical(text, math.MaxUint8); ok {
			numbers[uint32(n)] = true
		}
	}
	for n := range uint32(math.MaxUint8 + 1) {
		if !numbers[n] {
			continue
		}
		s := coroSection{name: "interface", mark: sectionAnchor(interfacePrefix + strconv.Itoa(int(n)))}
		s.lines = []coroLine{{name: "linknumber", value: strconv.Itoa(int(n))}}
		for _, name := range interfaceKeys {
			k, ok := w.keys.entries[linkKey(n, name)]
			if ok && k.Type == typeOf(stateInterface, "totem.interface."+name, name) && (k.Type != TypeU32 || k.Num <= maxPing) {
				w.put(&s, name, k.Name)
			}
		}
		w.members(&s, n)
		if len(s.lines) > 1 || s.subs != nil {
			w.root.at("totem").subs = append(w.root.at("totem").subs, &s)
		}
	}
}

// members writes a link's members. Stock numbers them from the last in the file.
func (w *coroWriter) members(s *coroSection, link uint32) {
	for i := 0; ; i++ {
		key := linkKey(link, "member."+strconv.Itoa(i))
		if _, ok := w.keys.text(key); !ok {
			break
		}
		var m coroSection
		if !w.put(&m, "memberaddr", key) {
			break
		}
		m.name = "member"
		s.subs = append(s.subs, &m)
	}
	slices.Reverse(s.subs)
}

// nodes writes the nodelist. An entry without keys keeps the number of one that
// is missing.
func (w *coroWriter) nodes() error {
	entries := make(map[uint64][]string)
	last := uint64(0)
	for _, key := range w.keys.prefix(nodePrefix) {
		text, _, _ := strings.Cut(strings.TrimPrefix(key, nodePrefix), ".")
		n, ok := canonical(text, maxFile)
		if !ok {
			continue
		}
		if n >= maxMembers && w.keys.entries[key].Type == TypeString {
			continue // a dotted line does
		}
		entries[n] = append(entries[n], key)
		last = max(last, n+1)
	}
	for n := range last {
		var s coroSection
		for _, key := range entries[n] {
			k := w.keys.entries[key]
			_, name, _ := strings.Cut(strings.TrimPrefix(key, nodePrefix), ".")
			if typeOf(stateNode, "", name) == k.Type {
				w.put(&s, name, key)
			}
		}
		s.name, s.mark = "node", sectionAnchor(nodePrefix+strconv.FormatUint(n, 10))
		w.root.at("nodelist").subs = append(w.root.at("nodelist").subs, &s)
	}
	return nil
}

// owners returns the prefixes under which a section stored its own name in the
// key last, longest first.
func (w *coroWriter) owners(prefix, last string) []string {
	var owners []string
	for _, key := range w.keys.prefix(prefix) {
		if owner, ok := strings.CutSuffix(key, "."+last); ok && len(owner) >= len(prefix) {
			owners = append(owners, owner)
		}
	}
	slices.SortStableFunc(owners, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return owners
}

// items takes all that stands under a prefix into a section that stores texts
// under the name that it has in itself.
func (w *coroWriter) items(s *coroSection, prefix string, reserved ...string) {
	for _, key := range w.keys.prefix(prefix + ".") {
		name := strings.TrimPrefix(key, prefix+".")
		if w.keys.entries[key].Type == TypeString && !slices.Contains(reserved, name) {
			w.put(s, name, key)
		}
	}
}

func (w *coroWriter) loggers() {
	for _, owner := range w.owners(subsysPrefix, "subsys") {
		name := strings.TrimPrefix(owner, subsysPrefix)
		if text, ok := w.keys.text(owner + ".subsys"); !ok || text != name {
			continue
		}
		s := coroSection{name: "logger_subsys", mark: sectionAnchor(owner)}
		if w.put(&s, "subsys", owner+".subsys") {
			w.items(&s, owner, "subsys")
			w.root.at("logging").subs = append(w.root.at("logging").subs, &s)
		}
	}
}

// daemons writes the log settings of other programs, and of their subsystems.
func (w *coroWriter) daemons() {
	const prefix = "logging.logging_daemon."
	for _, owner := range w.owners(prefix, "name") {
		path := strings.TrimPrefix(owner, prefix)
		name, ok := w.keys.text(owner + ".name")
		sub, below := strings.CutPrefix(path, name+".")
		if text, has := w.keys.text(owner + ".subsys"); below && (!has || text != sub) {
			below = false
		}
		if !ok || name == "corosync" || name != path && !below {
			continue
		}
		s := coroSection{name: "logging_daemon", mark: sectionAnchor(owner)}
		if !w.put(&s, "name", owner+".name") {
			continue
		}
		if below && !w.put(&s, "subsys", owner+".subsys") {
			w.used[owner+".name"] = false
			continue
		}
		w.items(&s, owner, "name", "subsys")
		w.root.at("logging").subs = append(w.root.at("logging").subs, &s)
	}
}

func (w *coroWriter) grants() {
	for _, kind := range []string{"uid", "gid"} {
		prefix := "uidgid.config." + kind + "."
		for _, id := range granted(w.keys, prefix) {
			text := strconv.FormatUint(uint64(id), 10)
			key := prefix + text
			if name := w.names[key]; carries(kind, name) && name != "" {
				text = name
			}
			if id == math.MaxUint32 || w.used[key] {
				continue
			}
			s := w.root.at("uidgid")
			s.lines = append(s.lines, coroLine{kind, text, key})
			w.used[key] = true
		}
	}
}

// bytes writes the file.
func (w *coroWriter) bytes() []byte {
	var b bytes.Buffer
	w.notes.write(&b, "", w.notes.takeHeader())
	sortSections(&w.root, "")
	for i, s := range w.root.subs {
		if i > 0 {
			b.WriteByte('\n')
		}
		w.section(&b, s, "")
	}
	if len(w.dotted) > 0 {
		b.WriteByte('\n')
		w.lines(&b, w.dotted, "")
	}
	w.notes.write(&b, "", w.notes.takeRest())
	return b.Bytes()
}

const coroIndent = "    "

func (w *coroWriter) section(b *bytes.Buffer, s *coroSection, indent string) {
	w.notes.write(b, indent, w.notes.takeAbove(s.mark))
	fitted(b, indent, s.name+" {")
	w.lines(b, s.lines, indent+coroIndent)
	for i, sub := range s.subs {
		if i > 0 || len(s.lines) > 0 {
			b.WriteByte('\n')
		}
		w.section(b, sub, indent+coroIndent)
	}
	w.notes.write(b, indent+coroIndent, w.notes.takeBelow(s.mark))
	fitted(b, indent, "}")
}

func (w *coroWriter) lines(b *bytes.Buffer, lines []coroLine, indent string) {
	for _, l := range lines {
		mark := keyAnchor(l.key)
		w.notes.write(b, indent, w.notes.takeAbove(mark))
		text, _ := coroText(l.name, l.value)
		fitted(b, indent, text)
		w.notes.write(b, indent, w.notes.takeBelow(mark))
	}
}

// fitted writes a line, without its indentation if the two are too long for
// stock's buffer.
func fitted(b *bytes.Buffer, indent, text string) {
	if len(indent)+len(text) <= lineSize-2 {
		b.WriteString(indent)
	}
	b.WriteString(text)
	b.WriteByte('\n')
}

// coroText returns the line that stock reads as this name and value.
func coroText(name, value string) (text string, ok bool) {
	end := ""
	if strings.HasSuffix(value, "\r") {
		end = "\r" // one of them goes with the line's end
	}
	for _, text := range []string{name + ": " + value, name + ":" + value, " " + name + " " + value} {
		if value == "" {
			text = strings.TrimRight(text, blanks)
		}
		if text += end; len(text) > lineSize-2 || strings.ContainsAny(text, "{\n\x00") {
			continue
		}
		read := strings.TrimRight(strings.TrimSuffix(text, "\r"), blanks)
		before, after, ok := cutAt(read, ':')
		if ok && trimName(before) == name && trimBlanks(after) == value && !strings.HasPrefix(name, "#") {
			return text, true
		}
	}
	return "", false
}

// sortSections brings lines and sections into the order of use.
func sortSections(s *coroSection, path string) {
	slices.SortStableFunc(s.lines, func(a, b coroLine) int {
		if a.name == b.name {
			return 0 // users and groups, in the order of their numbers
		}
		return cmp.Or(cmp.Compare(lineRank(a), lineRank(b)), cmp.Compare(a.key, b.key))
	})
	if path == "" || path != "nodelist" && path != "totem.interface" {
		slices.SortStableFunc(s.subs, func(a, b *coroSection) int {
			return cmp.Or(cmp.Compare(sectionRank(a.name), sectionRank(b.name)), cmp.Compare(a.name, b.name))
		})
	}
	for _, sub := range s.subs {
		sortSections(sub, join(path, sub.name))
	}
}

// sectionOrder is that of most files.
var sectionOrder = strings.Fields("totem nodelist quorum logging uidgid system resources nozzle interface " +
	"logger_subsys logging_daemon")

func sectionRank(name string) int {
	if i := slices.Index(sectionOrder, name); i >= 0 {
		return i
	}
	return len(sectionOrder)
}

// lineOrder is the order of names within their sections.
var lineOrder = func() map[string]int {
	order := make(map[string]int)
	add := func(name string) { order[name] = len(order) }
	for name := range strings.FieldsSeq("totem.version linknumber memberaddr ring0_addr ring1_addr " +
		"ring2_addr ring3_addr ring4_addr ring5_addr ring6_addr ring7_addr name subsys nodeid quorum_votes uid gid") {
		add(name)
	}
	for _, f := range slices.Concat(documentFields, under("logging", loggerFields)) {
		add(f.key)
	}
	for _, f := range slices.Concat(linkFields, loggerFields, monitorFields) {
		add(f.key)
	}
	return order
}()

func lineRank(l coroLine) int {
	if i, ok := lineOrder[l.key]; ok {
		return i
	}
	if i, ok := lineOrder[l.name]; ok {
		return i
	}
	return len(lineOrder)
}
