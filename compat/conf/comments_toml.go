package conf

import (
	"bytes"
	"strings"
)

// tomlStatements cuts the text of an accepted TOML configuration into
// statements: tables' headers and keys. A comment behind one counts as if it
// stood above.
func tomlStatements(data []byte) []statement {
	var g gatherer
	s := tomlScanner{rest: data, line: 1}
	header := -1
	for len(s.rest) > 0 {
		line, _, _ := bytes.Cut(s.rest, []byte{'\n'})
		text := strings.Trim(string(line), " \t\r")
		number := s.line
		switch {
		case text == "":
			g.gap = true
			s.skip(len(line) + 1)
			continue
		case text[0] == '#':
			g.comment(number, text)
			s.skip(len(line) + 1)
			continue
		}
		st := statement{line: number, parent: header, previous: -1}
		if text[0] == '[' {
			st.kind, st.path = statementOpen, headerName(text)
			if header >= 0 {
				g.found[header].end = number - 1
			}
			header = len(g.found)
		} else {
			name, _, _ := strings.Cut(text, "=")
			st.path = strings.TrimRight(name, blanks)
		}
		behind := s.statement()
		g.statement(st)
		last := &g.found[len(g.found)-1]
		last.lines = append(last.lines, behind...)
	}
	if header >= 0 {
		g.found[header].end = s.line
	}
	g.statement(statement{kind: statementEnd, line: s.line + 1, parent: -1, previous: -1})
	return g.found
}

// headerName returns the name in a table's header.
func headerName(text string) string {
	if i := strings.IndexByte(text, ']'); i >= 0 && !strings.Contains(text[:i], `"`) {
		text = text[:i]
	} else if i := strings.LastIndex(text, `"]`); i >= 0 {
		text = text[:i+1]
	}
	return strings.Trim(text, "[] \t")
}

// A tomlScanner finds the ends of statements, which may have several lines.
type tomlScanner struct {
	rest []byte
	line int
}

// skip goes over n bytes, or as many as there are.
func (s *tomlScanner) skip(n int) {
	n = min(n, len(s.rest))
	s.line += bytes.Count(s.rest[:n], []byte{'\n'})
	s.rest = s.rest[n:]
}

// statement goes to the line behind a statement and returns the comments in it.
func (s *tomlScanner) statement() (comments []string) {
	depth := 0
	for len(s.rest) > 0 {
		switch c := s.rest[0]; c {
		case '#':
			line, _, _ := bytes.Cut(s.rest, []byte{'\n'})
			comments = append(comments, strings.TrimRight(string(line), " \t\r"))
			s.skip(len(line))
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '"', '\'':
			s.text(c)
			continue
		case '\n':
			s.skip(1)
			if depth <= 0 {
				return comments
			}
			continue
		}
		s.skip(1)
	}
	return comments
}

// text goes behind a string.
func (s *tomlScanner) text(quote byte) {
	end := []byte{quote}
	if long := bytes.Repeat(end, 3); bytes.HasPrefix(s.rest, long) {
		end = long
	}
	s.skip(len(end))
	for len(s.rest) > 0 && !bytes.HasPrefix(s.rest, end) {
		if s.rest[0] == '\\' && quote == '"' {
			s.skip(1)
		}
		s.skip(1)
	}
	s.skip(len(end))
	for len(end) == 3 && len(s.rest) > 0 && s.rest[0] == quote { // up to two quotes may end such a text
		s.skip(1)
	}
}

// tableMarks say at which table the comments of a section stand: above the one
// that bears its name, else above the first that holds a key of it; those at
// its end behind the last.
type tableMarks struct {
	first, last map[*tomlTable][]anchor
}

func newTableMarks(root *tomlTable) *tableMarks {
	first, last := make(map[anchor]*tomlTable), make(map[anchor]*tomlTable)
	var order []anchor
	named := make(map[anchor]bool)
	note := func(t *tomlTable, path, key string) {
		for i := range len(key) {
			if key[i] != '.' {
				continue
			}
			at := sectionAnchor(key[:i])
			if _, known := first[at]; !known {
				order = append(order, at)
				first[at] = t
			} else if key[:i] == path && !named[at] {
				first[at] = t
			}
			named[at] = named[at] || key[:i] == path
			last[at] = t
		}
	}
	var visit func(t *tomlTable, path string)
	visit = func(t *tomlTable, path string) {
		if t.key != "" {
			note(t, path, t.key)
		}
		for _, l := range t.values {
			for _, key := range l.keys {
				if t != root { // format has comments of its own
					note(t, path, key)
				}
			}
		}
		for _, s := range t.tables {
			visit(s, join(path, s.name))
		}
	}
	visit(root, "")
	m := &tableMarks{make(map[*tomlTable][]anchor), make(map[*tomlTable][]anchor)}
	for _, at := range order {
		m.first[first[at]] = append(m.first[first[at]], at)
		m.last[last[at]] = append(m.last[last[at]], at)
	}
	return m
}
