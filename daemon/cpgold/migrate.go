package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cpgol/compat/conf"
)

// Statuses of migrate beside 0 and statusUsage: nothing was translated, or
// --diff found a difference; or it was translated, and needs a hand as the
// findings say: the file may be one of corosync 2 (--from 2 or 3 settles that),
// something has no equal, or a node of this host would not start with it.
const (
	statusUntranslated = 1
	statusNeedsHand    = 3
)

const migrateUsage = "usage: cpgold migrate FILE [-o FILE | --in-place | --diff] [--reverse] [--from 2|3] [--force]"

// A migration is one command line of migrate.
type migration struct {
	file, output                  string
	reverse, diff, inPlace, force bool
	from                          int

	source         source
	stdout, stderr io.Writer
}

// migrate translates a corosync.conf to TOML, or with --reverse TOML to a
// corosync.conf. The text goes to standard output unless -o or --in-place say
// where else; what has no equal is told on standard error, by file and line.
func migrate(args []string, stdout, stderr io.Writer) int {
	m := migration{stdout: stdout, stderr: stderr}
	if err := m.parse(args); err != nil {
		return misused(stderr, "migrate", "%v", err)
	}
	var err error
	if m.source, err = readSource(m.file); err != nil {
		return m.fail(err)
	}
	if toml := conf.IsTOML(m.source.data); toml != m.reverse {
		if toml {
			return m.fail(fmt.Errorf("%s: is TOML already: --reverse translates it to a corosync.conf", m.file))
		}
		return m.fail(fmt.Errorf("%s: is not TOML: leave out --reverse to translate a corosync.conf", m.file))
	}
	env := conf.Host()
	doc, err := conf.ReadDocument(m.source.data, m.file, m.from, env)
	if err != nil {
		return m.fail(err)
	}
	text, err := doc.Translate(env)
	if err != nil {
		return m.fail(fmt.Errorf("%s: %v", m.file, err))
	}
	if m.diff {
		return m.compare(doc, text, env)
	}
	status := m.tell(doc, env)
	if doc.Guessed && m.inPlace {
		return m.fail(fmt.Errorf("%s: left as it is: say --from 2 or --from 3", m.file))
	}
	if err := m.write(text); err != nil {
		return m.fail(err)
	}
	return status
}

// parse reads the command line.
func (m *migration) parse(args []string) error {
	usage := fmt.Errorf("%s", migrateUsage)
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, value, has := strings.Cut(arg, "=")
		if (name == "-o" || name == "--output" || name == "--from") && !has {
			if len(args) == 0 {
				return usage
			}
			value, args = args[0], args[1:]
			has = true
		}
		switch {
		case name == "-o" || name == "--output":
			m.output = value
		case name == "--from" && (value == "2" || value == "3"):
			m.from = int(value[0] - '0')
		case arg == "--reverse":
			m.reverse = true
		case arg == "--diff":
			m.diff = true
		case arg == "--in-place":
			m.inPlace = true
		case arg == "--force":
			m.force = true
		case strings.HasPrefix(arg, "-") || m.file != "" || arg == "":
			return usage
		default:
			m.file = arg
		}
	}
	switch {
	case m.file == "", m.reverse && m.from != 0:
		return usage
	case m.inPlace && (m.output != "" || m.diff):
		return fmt.Errorf("--in-place goes with neither -o nor --diff; %s", migrateUsage)
	}
	return nil
}

func (m *migration) fail(err error) int {
	fmt.Fprintf(m.stderr, "cpgold migrate: %v\n", err)
	return statusUntranslated
}

// tell prints what there is to know about a translation beside its text.
func (m *migration) tell(doc *conf.Document, env conf.Env) (status int) {
	for _, f := range doc.Findings {
		fmt.Fprintln(m.stderr, f)
		if f.Severity == conf.Refused || f.Severity == conf.StartError {
			status = statusNeedsHand
		}
	}
	if doc.Guessed {
		status = statusNeedsHand
	}
	if e := doc.Verdict(env); e != nil {
		fmt.Fprintf(m.stderr, "error: a node would not start with the result on this host: %v\n", e)
		status = statusNeedsHand
	}
	m.tellGrants()
	for _, line := range keyReport(doc, m.source.info, env) {
		fmt.Fprintf(m.stderr, "key: %s\n", line)
	}
	return status
}

// tellGrants reminds of the files in uidgid.d, which are read beside the
// configuration wherever that is.
func (m *migration) tellGrants() {
	from := filepath.Join(filepath.Dir(m.file), "uidgid.d")
	if names, err := os.ReadDir(from); err != nil || len(names) == 0 {
		return
	}
	if m.output != "" && filepath.Dir(m.output) != filepath.Dir(m.file) {
		fmt.Fprintf(m.stderr, "warning: %s: its files are not part of the translation: they are read from the directory beside "+
			"the configuration, so copy them to %s\n", from, filepath.Join(filepath.Dir(m.output), "uidgid.d"))
	}
}

// write puts the translation where the command line says.
func (m *migration) write(text []byte) error {
	switch {
	case m.inPlace:
		r := replacement{path: m.file, text: text, source: m.source}
		if err := r.run(); err != nil {
			return err
		}
		fmt.Fprintf(m.stderr, "%s: translated; the original is %s\n", r.path, r.backup)
		if !m.reverse {
			fmt.Fprintf(m.stderr, "%s: corosync itself cannot read it now: to go back, rename the original or use --reverse\n", r.path)
		}
	case m.output != "":
		if err := writeNew(m.output, text, m.source.info, m.force); err != nil {
			return err
		}
		fmt.Fprintf(m.stderr, "%s: written from %s\n", m.output, m.file)
	default:
		_, err := m.stdout.Write(text)
		return err
	}
	return nil
}

// compare prints how the file is read and how its translation is, key by key;
// with -o how that file is, which must exist.
func (m *migration) compare(doc *conf.Document, text []byte, env conf.Env) int {
	name := m.file + ", translated"
	if m.output != "" {
		other, err := readSource(m.output)
		if err != nil {
			return m.fail(err)
		}
		name, text = m.output, other.data
	}
	right, err := conf.ReadDocument(text, name, 0, env)
	if err != nil {
		return m.fail(err)
	}
	left := doc
	if doc.Dialect != 3 {
		if left, err = conf.ReadDocument(m.source.data, m.file, 3, env); err != nil {
			return m.fail(fmt.Errorf("corosync 3 does not read it: %w", err))
		}
	}
	for _, f := range doc.Findings {
		fmt.Fprintln(m.stderr, f)
	}
	fmt.Fprintf(m.stdout, "--- %s\n+++ %s\n", m.file, name)
	status := 0
	for _, pair := range conf.DiffKeys(left.Keys, right.Keys) {
		if pair.Same() {
			fmt.Fprintf(m.stdout, "  %s\n", keyLine(pair.A))
			continue
		}
		status = statusUntranslated
		if pair.A.Name != "" {
			fmt.Fprintf(m.stdout, "- %s\n", keyLine(pair.A))
		}
		if pair.B.Name != "" {
			fmt.Fprintf(m.stdout, "+ %s\n", keyLine(pair.B))
		}
	}
	return status
}

// keyLine writes a key as corosync-cmapctl does; text that is not printable is
// quoted.
func keyLine(k conf.Key) string {
	value := k.Value()
	if quoted := strconv.Quote(value); quoted[1:len(quoted)-1] != strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), `"`, `\"`) {
		value = quoted
	}
	return fmt.Sprintf("%s (%s) = %s", k.Name, k.Type, value)
}

// A source is a file as it was when it was read.
type source struct {
	data []byte
	info fs.FileInfo
}

// maxSource is more than any configuration may have; what a larger file is
// told, compat/conf knows.
const maxSource = 16<<20 + 1

// readSource reads a regular file, links followed. It does not wait for a pipe
// to be written, and no device is read.
func readSource(path string) (s source, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if s.info, err = f.Stat(); err != nil {
		return s, err
	}
	if !s.info.Mode().IsRegular() {
		return s, fmt.Errorf("%s: not a regular file", path)
	}
	s.data, err = io.ReadAll(io.LimitReader(f, maxSource))
	return s, err
}
