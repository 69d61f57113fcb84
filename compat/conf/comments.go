package conf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An anchor is what a comment belongs to, in terms of the keys and so the same
// in both languages: a key's name, or "@" and the path of a section, with the
// number of a link or node and the name of a subsystem.
type anchor string

func keyAnchor(key string) anchor      { return anchor(key) }
func sectionAnchor(path string) anchor { return anchor("@" + path) }

// A note is a block of comment lines; "" is an empty line between two of them.
type note struct {
	at    anchor // "" if it stands at the file's head or end
	below bool   // behind it instead of above
	lines []string
	taken bool
}

// comments are a file's comments. A nil one has none. Whoever writes takes
// each once; what found no place comes last, so that nothing is lost.
type comments struct {
	header []string
	notes  []note
	byMark map[anchor][]int
}

// fresh returns the same comments, none of them taken.
func (c *comments) fresh() *comments {
	if c == nil {
		return nil
	}
	f := &comments{header: c.header, notes: slices.Clone(c.notes), byMark: make(map[anchor][]int)}
	for i := range f.notes {
		f.notes[i].taken = false
		f.byMark[f.notes[i].at] = append(f.byMark[f.notes[i].at], i)
	}
	return f
}

func (c *comments) add(at anchor, below bool, lines []string) {
	if len(lines) > 0 {
		c.notes = append(c.notes, note{at: at, below: below, lines: lines})
	}
}

func (c *comments) takeHeader() []string {
	if c == nil || len(c.header) == 0 {
		return nil
	}
	return append(slices.Clone(c.header), "")
}

func (c *comments) take(at anchor, below bool) []string {
	if c == nil || at == "" {
		return nil
	}
	var lines []string
	for _, i := range c.byMark[at] {
		if n := &c.notes[i]; !n.taken && n.below == below {
			n.taken = true
			lines = append(lines, n.lines...)
		}
	}
	return lines
}

func (c *comments) takeAbove(at anchor) []string { return c.take(at, false) }
func (c *comments) takeBelow(at anchor) []string { return c.take(at, true) }

// takeRest returns what is left, in the order of the source.
func (c *comments) takeRest() []string {
	if c == nil {
		return nil
	}
	var lines []string
	for i := range c.notes {
		if n := &c.notes[i]; !n.taken {
			n.taken = true
			lines = append(append(lines, ""), n.lines...)
		}
	}
	return lines
}

// maxComment is the length at which a comment's line is broken: a line of
// corosync.conf has 510 bytes at most.
const maxComment = 480

// write writes comment lines in a form that both languages take.
func (c *comments) write(b *bytes.Buffer, indent string, lines []string) {
	for _, line := range lines {
		if line == "" {
			b.WriteByte('\n')
			continue
		}
		line = printable(line)
		for len(line) > maxComment {
			cut := maxComment
			for !utf8.RuneStart(line[cut]) {
				cut--
			}
			fitted(b, indent, line[:cut])
			line = "# " + line[cut:]
		}
		fitted(b, indent, line)
	}
}

// printable replaces what TOML does not take in a comment: control characters,
// and bytes that are not UTF-8.
func printable(line string) string {
	if utf8.ValidString(line) && !strings.ContainsFunc(line, isControl) {
		return line
	}
	var b strings.Builder
	for len(line) > 0 {
		r, n := utf8.DecodeRuneInString(line)
		if r == utf8.RuneError && n == 1 || isControl(r) {
			fmt.Fprintf(&b, "\\x%02x", line[0])
		} else {
			b.WriteString(line[:n])
		}
		line = line[n:]
	}
	return b.String()
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// A statementKind tells the lines of a file apart.
type statementKind uint8

const (
	statementKey statementKind = iota
	statementOpen
	statementClose // corosync.conf only
	statementEnd   // of the file
)

// A statement is a line that is not a comment, with the comments above it.
type statement struct {
	kind statementKind
	line int
	end  int    // last line of the section, for statementOpen
	path string // of the section or table; in TOML as it is written
	// lines are the comments since the statement before.
	lines []string
	// touches tells that the comments begin on the line after the statement
	// before, and apart that an empty line stands under them.
	touches, apart bool
	parent         int // the section around, -1 for none
	previous       int // the statement before in the same section, or -1
}

// A gatherer collects comments between statements.
type gatherer struct {
	found []statement
	lines []string
	from  int // the first comment's line
	last  int // the last line that is not empty
	gap   bool
}

func (g *gatherer) comment(line int, text string) {
	if len(g.lines) == 0 {
		g.from = line
	} else if g.gap {
		g.lines = append(g.lines, "")
	}
	g.lines, g.gap, g.last = append(g.lines, text), false, line
}

func (g *gatherer) statement(s statement) {
	s.lines, s.apart = g.lines, g.gap
	if n := len(g.found); n > 0 {
		s.touches = g.from == g.found[n-1].line+1
	}
	g.found = append(g.found, s)
	g.lines, g.gap, g.from = nil, false, 0
}

// coroStatements cuts the text of an accepted corosync.conf into statements.
func coroStatements(data []byte) []statement {
	var g gatherer
	open := []int{-1}
	last := map[int]int{-1: -1} // by section, its last statement
	lines := lineReader{rest: data}
	number := 0
	for {
		line, _, ok := lines.next()
		if !ok {
			break
		}
		number++
		text := trimBlanks(string(line))
		top := open[len(open)-1]
		s := statement{line: number, parent: top, previous: last[top]}
		switch {
		case text == "":
			g.gap = true
			continue
		case text[0] == '#':
			g.comment(number, text)
			continue
		case strings.Contains(text, "{"):
			before, _, _ := cutAt(text, '{')
			s.kind, s.path = statementOpen, trimName(before)
			if top >= 0 {
				s.path = join(g.found[top].path, s.path)
			}
			open = append(open, len(g.found))
			last[len(g.found)] = -1
		case !strings.Contains(text, ":") && text == "}" && top >= 0:
			s.kind = statementClose
			g.found[top].end = number
			open = open[:len(open)-1]
		}
		if s.kind != statementClose {
			last[top] = len(g.found)
		}
		g.statement(s)
	}
	g.statement(statement{kind: statementEnd, line: number + 1, parent: -1, previous: last[-1]})
	return g.found
}

// A marker finds the anchors of statements from the lines that the keys have.
type marker struct {
	keys []Key // by line
	toml bool
}

func newMarker(keys []Key, toml bool) *marker {
	m := &marker{toml: toml}
	for _, k := range keys {
		if k.Line > 0 && !(toml && k.Name == "totem.version") { // format has a line of its own
			m.keys = append(m.keys, k)
		}
	}
	slices.SortStableFunc(m.keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return m
}

// within returns the keys on lines from..to.
func (m *marker) within(from, to int) []Key {
	line := func(k Key, line int) int { return cmp.Compare(k.Line, line) }
	i, _ := slices.BinarySearchFunc(m.keys, from, line)
	j, _ := slices.BinarySearchFunc(m.keys, to+1, line)
	return m.keys[i:j]
}

// of returns a statement's anchor, "" if nothing has come of it.
func (m *marker) of(s *statement) anchor {
	switch s.kind {
	case statementKey:
		if m.toml && s.path == "format" {
			return keyAnchor("totem.version")
		}
		if keys := m.within(s.line, s.line); len(keys) > 0 {
			return keyAnchor(keys[0].Name)
		}
	case statementOpen:
		if keys := m.within(s.line, s.end); len(keys) > 0 {
			return m.section(s.path, keys)
		}
	}
	return ""
}

// section returns the anchor of a section or table from the keys in it.
func (m *marker) section(path string, keys []Key) anchor {
	for _, k := range keys {
		name := k.Name
		switch {
		case strings.HasPrefix(name, interfacePrefix):
			number, key, _ := strings.Cut(strings.TrimPrefix(name, interfacePrefix), ".")
			_, numeric := canonical(number, maxFile)
			if numeric && (path == "totem.interface" || m.toml) && (slices.Contains(interfaceKeys, key) || key != "") {
				return sectionAnchor(interfacePrefix + number)
			}
		case strings.HasPrefix(name, nodePrefix) && (path == "nodelist.node" || m.toml):
			number, _, _ := strings.Cut(strings.TrimPrefix(name, nodePrefix), ".")
			return sectionAnchor(nodePrefix + number)
		case strings.HasPrefix(name, subsysPrefix) && strings.HasSuffix(name, ".subsys") && path != "logging":
			return sectionAnchor(strings.TrimSuffix(name, ".subsys"))
		case strings.HasPrefix(name, "logging.logging_daemon.") && strings.HasSuffix(name, ".name") && path != "logging":
			return sectionAnchor(strings.TrimSuffix(name, ".name"))
		}
	}
	first := keyAnchor(keys[0].Name)
	if m.toml {
		return tableAnchor(path, first)
	}
	switch path {
	case "totem.interface.member", "logging.logger_subsys", "logging.logging_daemon":
		return first
	}
	if strings.HasPrefix(path, "nodelist.node.") {
		return first
	}
	return sectionAnchor(path)
}

// tableAnchor returns the section that a TOML table stands for, or the first
// key in it if it stands for none.
func tableAnchor(path string, first anchor) anchor {
	switch top, rest, _ := strings.Cut(path, "."); {
	case path == "cluster":
		return sectionAnchor("totem")
	case top == "extra" && rest != "":
		return sectionAnchor(strings.ReplaceAll(rest, `"`, ""))
	case path == "quorum.device.heuristics.exec":
		return first
	case slices.Contains([]string{"quorum", "logging", "system", "resources", "nozzle"}, top):
		return sectionAnchor(path)
	}
	return first
}

// gather hangs the comments of statements on what became of them.
func gather(found []statement, m *marker) *comments {
	c := &comments{}
	marks := make([]anchor, len(found))
	for i := range found {
		marks[i] = m.of(&found[i])
	}
	var carried []string // from statements of which nothing has come
	for i := range found {
		s := &found[i]
		lines := s.lines
		if i == 0 {
			c.header, lines = cutHeader(lines, s.apart || s.kind == statementEnd)
		}
		if s.kind == statementEnd {
			c.end(found, marks, s, append(carried, lines...))
			break
		}
		if m.toml && s.touches && s.kind == statementOpen && i > 0 && marks[i-1] != "" {
			n := slices.Index(lines, "")
			if n < 0 && s.apart {
				n = len(lines)
			}
			if n > 0 { // this paragraph belongs to what it touches
				c.add(marks[i-1], true, lines[:n])
				lines = lines[min(n+1, len(lines)):]
			}
		}
		if len(carried) > 0 && len(lines) > 0 {
			carried = append(carried, "")
		}
		lines = append(carried, lines...)
		carried = nil
		switch {
		case s.kind == statementClose && s.previous >= 0 && found[s.previous].kind == statementKey && marks[s.previous] != "":
			c.add(marks[s.previous], true, lines)
		case s.kind == statementClose && marks[s.parent] != "":
			c.add(marks[s.parent], true, lines)
		case s.kind != statementClose && marks[i] != "":
			c.add(marks[i], false, lines)
		default:
			carried = lines
		}
	}
	return c
}

// end hangs up the comments at a file's end.
func (c *comments) end(found []statement, marks []anchor, s *statement, lines []string) {
	if n := len(found) - 2; n >= 0 && s.touches && found[n].kind == statementKey && marks[n] != "" {
		c.add(marks[n], true, lines)
		return
	}
	c.add("", false, lines)
}

// cutHeader parts the comments above a file's first statement: the last
// paragraph belongs to it unless an empty line stands between.
func cutHeader(lines []string, apart bool) (header, rest []string) {
	if apart {
		return lines, nil
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i] == "" {
			return lines[:i], lines[i+1:]
		}
	}
	return nil, lines
}
