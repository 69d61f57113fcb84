package conf

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Load reads the configuration in a file, TOML or corosync.conf, told apart by
// content, and validates it whole, start rules included. A refusal is an
// [*Error]; the first in stock's order if there are several ([Check] has all).
func Load(path string, env Env) (*Config, error) {
	r := read(path, &env)
	if len(r.refusals) > 0 {
		return nil, r.refusals[0]
	}
	var warnings []Problem
	for _, p := range startProblems(r.totem) {
		r.place(p.Error)
		if p.Severity == StartError {
			return nil, p.Error
		}
		warnings = append(warnings, p)
	}
	c := r.config()
	c.Warnings = append(warnings, r.advise()...)
	sortProblems(c.Warnings)
	return c, nil
}

// Test gives the verdict of `corosync -t -c path`: nil, or the first error,
// whose Stock method returns the line that stock prints.
func Test(path string, env Env) *Error {
	if r := read(path, &env); len(r.refusals) > 0 {
		return r.refusals[0]
	}
	return nil
}

// Check returns everything there is to say about a configuration file, by
// line. The file is refused by `corosync -t` if and only if one of the
// findings is [Refused], and by [Load] if one is Refused or [StartError].
func Check(path string, env Env) []Problem {
	r := read(path, &env)
	var found []Problem
	for _, e := range r.refusals {
		found = append(found, Problem{Refused, e})
	}
	if len(r.refusals) == 0 {
		for _, p := range startProblems(r.totem) {
			r.place(p.Error)
			found = append(found, p)
		}
	}
	found = append(found, r.advise()...)
	found = append(found, r.counsel()...)
	sortProblems(found)
	return found
}

// A reading is a file on its way to a Config, as far as it came.
type reading struct {
	file     string
	toml     bool
	fields   map[string]string // TOML's name of a key
	keys     *keyMap           // the file's and uidgid.d's keys
	advice   []Problem         // findings of the file's reader
	log      Logging
	stateDir string
	totem    *totem // nil if the reading did not come so far
	refusals []*Error
}

// read goes through all that `corosync -t` looks at.
func read(path string, env *Env) *reading {
	r := readKeys(path, env)
	if len(r.refusals) > 0 {
		return r
	}
	return r.refuse(r.validate(env))
}

// readKeys reads the keys of the file and of uidgid.d.
func readKeys(path string, env *Env) *reading {
	r := &reading{file: path, keys: newKeyMap()}
	data, err := env.readFile(path, maxFile+1)
	if err != nil && !errors.Is(err, syscall.EISDIR) { // a directory reads as empty
		return r.refuse(&Error{Text: fmt.Sprintf("Can't read file %s: %s", path, strerror(err)),
			Status: statusConfig, round: roundOpen})
	}
	if r.toml = isTOML(data); r.toml {
		d := newTOMLReader(path, env, r.keys)
		r.refusals = d.read(data)
		r.fields, r.advice = d.fields, d.advice
	} else {
		p := newParser(path, env, r.keys)
		r.refuse(p.parse(data))
		r.advice = p.advice
	}
	if len(r.refusals) > 0 {
		return r
	}
	return r.refuse(readGrants(path, env, r.keys))
}

// validate applies the rounds that work on the keys, in stock's order.
func (r *reading) validate(env *Env) (e *Error) {
	if r.log, e = readLogging(r.keys, env); e != nil {
		return e
	}
	r.stateDir = env.stateDir()
	if dir, ok := r.keys.text("system.state_dir"); ok {
		r.stateDir = dir
	}
	if err := env.tryDir(r.stateDir); err != nil {
		e = refuse(roundTotem, "system.state_dir", "Cannot chdir to state directory %s. %s", r.stateDir, strerror(err))
		e.Status = statusStateDir
		return e
	}
	t := newTotem(r.keys.clone(), env)
	if e = t.read(); e != nil {
		return e
	}
	if e = t.validate(); e != nil {
		return e
	}
	r.totem = t
	return nil
}

func (r *reading) refuse(e *Error) *reading {
	if e != nil {
		r.place(e)
		r.refusals = append(r.refusals, e)
	}
	return r
}

// place completes an error with the file and, as near as possible, the line,
// and speaks of TOML's fields where the file is TOML.
func (r *reading) place(e *Error) {
	if e.File == "" {
		e.File = r.file
	}
	if e.Line == 0 && e.File == r.file {
		e.Line = r.lineOf(e.Key)
	}
	if r.toml && e.round != roundTOML {
		e.Key = r.fieldOf(e.Key)
	}
}

// fieldOf returns TOML's name of a key, also of one that the file lacks.
func (r *reading) fieldOf(key string) string {
	if field, ok := r.fields[key]; ok {
		return field
	}
	if f, ok := documentSchema.byKey[key]; ok {
		return f.path
	}
	if k, _, ok := cutNodeKey(key); ok && strings.HasPrefix(key, nodePrefix) {
		at := place("node").element(int(k.position))
		if f, ok := nodeSchema.byKey[k.name]; ok {
			return at.sub(f.path).String()
		}
	}
	return key
}

// lineOf returns where a key stands. One that is missing is given the place of
// the first key beside it, or of the first around it.
func (r *reading) lineOf(key string) int {
	for key != "" {
		if line := r.keys.line(key); line > 0 {
			return line
		}
		dot := strings.LastIndexByte(key, '.')
		if dot < 0 {
			return 0
		}
		line := 0
		for _, name := range r.keys.prefix(key[:dot+1]) {
			if l := r.keys.line(name); l > 0 && (line == 0 || l < line) {
				line = l
			}
		}
		if line > 0 {
			return line
		}
		key = key[:dot]
	}
	return 0
}
