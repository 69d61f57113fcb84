package conf

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxFile bounds a configuration file. Stock has no bound.
const maxFile = 16 << 20

// ParseCorosync reads the text of a corosync.conf and returns its keys in the
// order of their names. It covers the grammar, the number types and the word
// checks, not whether the values make sense together. file is for messages.
// User and group names are looked up on this host.
//
// An error is an [*Error] with file and line; its Stock method gives the line
// that stock prints. Where stock 3.1.7 crashes the text is that of 3.1.10.
//
// Reference: exec/coroparse.c:read_config_file_into_icmap.
func ParseCorosync(r io.Reader, file string) ([]Key, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, &Error{File: file, Text: err.Error(), Status: statusConfig, round: roundOpen}
	}
	env := hostUsers()
	p := newParser(file, &env, newKeyMap())
	if e := p.parse(data); e != nil {
		return nil, e
	}
	return p.keys.list(), nil
}

// A parser reads one file into a map.
type parser struct {
	file string
	env  *Env
	keys *keyMap
	line int
	// granting is the grammar of uidgid.d: nothing but users and groups.
	granting bool

	node    int // number of the next or current entry of the nodelist
	iface   interfaceSection
	logger  loggerSection
	advice  []Problem
	dropped int // findings beyond maxAdvice
}

// A frame is an open section.
type frame struct {
	path  string
	state state
}

func newParser(file string, env *Env, keys *keyMap) *parser {
	return &parser{file: file, env: env, keys: keys}
}

// fail makes an error at the current line.
func (p *parser) fail(key, format string, args ...any) *Error {
	return &Error{File: p.file, Line: p.line, Key: key, Text: fmt.Sprintf(format, args...),
		Status: statusConfig, round: roundParse}
}

// failKey is fail for an error that a key raises. Those pass through one more
// buffer in the reference, which a long value overflows.
func (p *parser) failKey(key, text string) *Error {
	if len(text) >= parseTextSize {
		text = unformatted
	}
	return p.fail(key, "%s", text)
}

// parse reads a whole file (exec/coroparse.c:parse_section).
func (p *parser) parse(data []byte) *Error {
	if len(data) > maxFile {
		p.line = 1 + bytes.Count(data[:maxFile], []byte{'\n'})
		return p.fail("", "file is larger than %d MiB", maxFile>>20)
	}
	lines := lineReader{rest: data}
	stack := []frame{{}}
	for {
		line, tooLong, ok := lines.next()
		if !ok {
			break
		}
		p.line++
		if tooLong {
			return p.fail("", "Line too long")
		}
		text := strings.TrimRight(string(line), blanks)
		if start := strings.TrimLeft(text, blanks); start == "" || start[0] == '#' {
			continue
		}
		var err *Error
		if stack, err = p.statement(stack, text); err != nil {
			return err
		}
	}
	if len(stack) > 1 {
		return p.fail("", "Missing closing brace")
	}
	return nil
}

const blanks = " \t"

// statement handles one line. What it is, is decided by the first of '{', ':'
// and '}', in this order of preference, that it holds anywhere.
func (p *parser) statement(stack []frame, text string) ([]frame, *Error) {
	top := stack[len(stack)-1]
	if before, after, ok := cutAt(text, '{'); ok {
		next, err := p.open(top, trimName(before), trimBlanks(after))
		if err != nil {
			return nil, err
		}
		return append(stack, next), nil
	}
	if before, after, ok := cutAt(text, ':'); ok {
		return stack, p.item(top, trimName(before), trimBlanks(after))
	}
	if strings.IndexByte(text, '}') < 0 {
		return nil, p.fail("", "Line is not opening or closing section or key value")
	}
	if trimBlanks(text) != "}" {
		return nil, p.fail("", "Extra characters before or after closing bracket '}'")
	}
	if len(stack) == 1 {
		return nil, p.fail("", "Unexpected closing brace")
	}
	return stack[:len(stack)-1], p.closeSection(top)
}

// open begins a section.
func (p *parser) open(parent frame, name, after string) (frame, *Error) {
	switch {
	case name == "":
		return frame{}, p.fail("", "Missing section name before opening bracket '{'")
	case after != "":
		return frame{}, p.fail("", "Extra characters after opening bracket '{'")
	case len(parent.path)+len(name)+1 >= maxName:
		return frame{}, p.fail("", "Start of section makes total cmap path too long")
	}
	path := join(parent.path, name)
	return frame{path, stateOf(path, parent.state)}, p.openSection(parent.state, path)
}

// item stores a key.
func (p *parser) item(f frame, name, value string) *Error {
	if len(f.path)+len(name)+1 >= maxName {
		return p.fail("", "New key makes total cmap path too long")
	}
	path := join(f.path, name)
	if p.granting {
		return p.grantItem(path, value)
	}
	return p.storeItem(f.state, path, name, value)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// cutAt splits text at the first sep (strchr_rs with its callers). The blanks
// behind sep go, but only the last of them is overwritten: sep itself stays at
// the end of before if a blank follows it.
func cutAt(text string, sep byte) (before, after string, ok bool) {
	i := strings.IndexByte(text, sep)
	if i < 0 {
		return "", "", false
	}
	after = strings.TrimLeft(text[i+1:], blanks)
	return text[:len(text)-len(after)-1], after, true
}

// trimName removes blanks in front, and behind the run of blanks, colons and
// braces, of which one character is always left (remove_whitespace).
func trimName(s string) string {
	s = strings.TrimLeft(s, blanks)
	if s == "" {
		return s
	}
	return s[:1] + strings.TrimRight(s[1:], blanks+":{")
}

// trimBlanks removes blanks at both ends.
func trimBlanks(s string) string { return strings.Trim(s, blanks) }
