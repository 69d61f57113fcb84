package conf

import "fmt"

// A Document is a configuration file as far as a translation needs it: what it
// says, and what it has besides.
type Document struct {
	File     string
	TOML     bool      // else corosync.conf
	Dialect  int       // 2 or 3: the major version of corosync that it was written for
	Keys     []Key     // in the order of their names
	Guessed  bool      // Dialect was told by the keys, and is not 3
	Findings []Problem // what has no equal, no effect or another meaning, by line

	names map[string]string // how users and groups are called, by key
	notes *comments
}

// IsTOML tells if a file's text is taken for TOML rather than for a
// corosync.conf.
func IsTOML(data []byte) bool { return isTOML(data) }

// ReadDocument reads a configuration in either language. dialect is the major
// version of corosync for which a corosync.conf was written: 2, 3, or 0 to tell
// by its keys. An error is an [*Error], the first if there are several; env is
// asked for users and groups only.
func ReadDocument(data []byte, file string, dialect int, env Env) (*Document, error) {
	d := &Document{File: file, TOML: isTOML(data), Dialect: 3, names: make(map[string]string)}
	if d.TOML {
		r := newTOMLReader(file, &env, newKeyMap())
		if errs := r.read(data); len(errs) > 0 {
			return nil, errs[0]
		}
		d.Keys, d.names, d.Findings = r.keys.list(), r.names, r.advice
		d.notes = gather(tomlStatements(data), newMarker(d.Keys, true))
		d.reversed()
		sortProblems(d.Findings)
		return d, nil
	}
	if d.Dialect = dialect; dialect == 0 {
		d.Dialect = d.recognise(data)
		d.Guessed = d.Dialect != 3
	}
	text := data
	if d.Dialect == 2 {
		text = d.modern(data)
	}
	p := newParser(file, &env, newKeyMap())
	if e := p.parse(text); e != nil {
		return nil, e
	}
	d.Findings = append(d.Findings, p.advice...)
	d.notes = gather(coroStatements(text), newMarker(p.keys.list(), false))
	d.grantNames(text, p.keys)
	if d.Dialect == 2 {
		d.as24(p.keys)
	}
	d.Keys = p.keys.list()
	d.unequal(p.keys)
	r := reading{keys: p.keys}
	for _, f := range d.Findings { // what is missing has the line of what would stand beside it
		if f.Line == 0 {
			f.Line = r.lineOf(f.Key)
		}
	}
	sortProblems(d.Findings)
	return d, nil
}

// find keeps a finding.
func (d *Document) find(s Severity, line int, key, format string, args ...any) {
	if len(d.Findings) < maxAdvice {
		d.Findings = append(d.Findings, Problem{s, &Error{File: d.File, Line: line, Key: key,
			Text: fmt.Sprintf(format, args...), round: roundParse}})
	}
}

// grantNames remembers the names of users and groups, of which the keys have
// only numbers.
func (d *Document) grantNames(text []byte, keys *keyMap) {
	byLine := make(map[int]string)
	for _, kind := range []string{"uid", "gid"} {
		for _, key := range keys.prefix("uidgid.config." + kind + ".") {
			byLine[keys.line(key)] = key
		}
	}
	lines := lineReader{rest: text}
	for number := 1; len(byLine) > 0; number++ {
		line, _, ok := lines.next()
		if !ok {
			break
		}
		if key, granted := byLine[number]; granted {
			_, value, _ := cutAt(string(line), ':')
			if _, _, _, rest, ok := cutNumber(trimBlanks(value)); !ok || rest != "" {
				d.names[key] = trimBlanks(value)
			}
		}
	}
}

// Translate writes the document in the other language, TOML or corosync.conf,
// and makes sure that it is read there as the same keys. Comments come along.
// An error names the key that cannot be written.
func (d *Document) Translate(env Env) ([]byte, error) {
	if d.TOML {
		return d.Corosync(env)
	}
	return d.ToTOML(env)
}

// Corosync writes the document as [ToCorosync] does, with its comments.
func (d *Document) Corosync(env Env) ([]byte, error) {
	w := &coroWriter{keys: mapOf(d.Keys), used: make(map[string]bool), names: d.names, notes: d.notes.fresh()}
	if err := w.document(); err != nil {
		return nil, err
	}
	text := w.bytes()
	p := newParser(d.File, &env, newKeyMap())
	if e := p.parse(text); e != nil {
		return nil, fmt.Errorf("the result would not be read: %v", e)
	}
	return text, sameKeys(d.Keys, p.keys, w.keys)
}

// ToTOML writes the document as [ToTOML] does, with its comments.
func (d *Document) ToTOML(env Env) ([]byte, error) {
	size := 0 // of the result at least
	for _, k := range d.Keys {
		size += len(k.Text) + len(", ")
	}
	if size > maxTOML {
		return nil, fmt.Errorf("%d keys, too many for a TOML configuration of at most %d KiB", len(d.Keys), maxTOML>>10)
	}
	text, err := writeTOML(d.Keys, d.names, d.notes.fresh())
	if err != nil {
		return nil, err
	}
	r := newTOMLReader(d.File, &env, newKeyMap())
	if errs := r.read(text); len(errs) > 0 {
		return nil, fmt.Errorf("the result would not be read: %s", errs[0].Text)
	}
	return text, sameKeys(d.Keys, r.keys, mapOf(d.Keys))
}

// sameKeys tells the first key of a document that did not come back.
func sameKeys(want []Key, got, had *keyMap) error {
	for _, k := range want {
		back, ok := got.entries[k.Name]
		if k.Name == dscpKey && k.Type != back.Type && k.Value() == back.Value() {
			continue
		}
		if back.Line = k.Line; !ok || back != k {
			return unwritable(k)
		}
	}
	for _, k := range got.list() {
		if _, ok := had.entries[k.Name]; !ok {
			return unwritable(k)
		}
	}
	return nil
}

// A KeyDifference is a key as two configurations have it, alike or not. The
// zero Key stands for one that is missing.
type KeyDifference struct{ A, B Key }

// DiffKeys pairs two lists of keys, both in the order of their names; Same
// tells if a pair is one.
func DiffKeys(a, b []Key) []KeyDifference {
	var pairs []KeyDifference
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			pairs, a = append(pairs, KeyDifference{A: a[0]}), a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			pairs, b = append(pairs, KeyDifference{B: b[0]}), b[1:]
		default:
			pairs, a, b = append(pairs, KeyDifference{a[0], b[0]}), a[1:], b[1:]
		}
	}
	return pairs
}

// Same tells if both have the key with the same type and value.
func (d KeyDifference) Same() bool {
	d.A.Line, d.B.Line = 0, 0
	return d.A == d.B
}

// Verdict validates a document's keys as [Load] would, without the file: nil,
// or the first reason why a node would not start with them. The lines are the
// document's.
func (d *Document) Verdict(env Env) *Error {
	r := &reading{file: d.File, toml: false, keys: mapOf(d.Keys)}
	if e := r.validate(&env); e != nil {
		r.place(e)
		return e
	}
	for _, p := range startProblems(r.totem) {
		if p.Severity == StartError {
			r.place(p.Error)
			return p.Error
		}
	}
	return nil
}

// KeySource tells where the secret key comes from that a configuration names:
// a file, or its own text, to which the zero byte at its end belongs. used is
// false if neither cipher nor hash asks for one; Stock then looks at none.
func KeySource(keys []Key, env Env) (file string, inline []byte, used bool) {
	m := mapOf(keys)
	t := totem{keys: m, env: &Env{}}
	_ = t.readCrypto() // the key's bytes are not wanted here
	used = !t.crypto.none() && t.crypto.cipher != ""
	if name, ok := m.text("totem.keyfile"); ok {
		return name, nil, used
	}
	if text, ok := m.text("totem.key"); ok {
		return "", append([]byte(text), 0), used
	}
	return env.keyFile(), nil, used
}
