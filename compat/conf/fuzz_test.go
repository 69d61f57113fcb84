package conf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse reads any bytes as a configuration, in the language that they seem
// to have and in the other. Whatever is accepted keeps its keys through TOML
// and back; every refusal of the grammar has file and line; nothing panics.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"accept/*.conf", "reject/*.conf"} {
		files, _ := filepath.Glob(filepath.Join(corpus, pattern))
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			if keys, err := ParseCorosync(bytes.NewReader(b), file); err == nil {
				if text, err := ToTOML(keys); err == nil {
					f.Add(text)
				}
			}
		}
	}
	b, err := os.ReadFile("testdata/example.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzWhole(t, data)
		keys, err := ParseCorosync(bytes.NewReader(data), "f.conf")
		if err != nil {
			e := err.(*Error)
			if e.File != "f.conf" || e.Line == 0 || e.Text == "" && !bytes.Contains(data, []byte("429496729")) {
				t.Fatalf("error without place or text: %+v", e)
			}
		} else {
			fuzzBack(t, keys)
			fuzzRewrite(t, keys)
		}
		fuzzTranslate(t, data)
		keys, errs := ParseTOML(data, "f.toml", tomlHost(""))
		for _, e := range errs {
			if e.File != "f.toml" || e.Line == 0 || e.Text == "" {
				t.Fatalf("error without place or text: %+v", e)
			}
		}
		if errs == nil {
			fuzzBack(t, keys)
		}
	})
}

// fuzzWhole takes the data through everything that a daemon does with it.
func fuzzWhole(t *testing.T, data []byte) {
	e := tomlHost(string(data))
	c, err := Load("node.toml", e)
	refused := false
	for _, p := range Check("node.toml", e) {
		refused = refused || p.Severity > Warning
		_ = p.String()
	}
	if (err != nil) != refused {
		t.Fatalf("load says %v, check refuses: %v", err, refused)
	}
	if err == nil && (c.Self == 0 || len(c.Links) == 0 || c.Nodes[c.LocalPos].ID != c.Self) {
		t.Fatalf("a configuration without own node: %+v", c)
	}
}

// fuzzBack writes keys as TOML and reads them again.
func fuzzBack(t *testing.T, keys []Key) {
	text, err := ToTOML(keys)
	if err != nil {
		return // what no line can carry, or another version
	}
	if strings.Contains(string(text), "\x00") {
		t.Fatalf("zero byte in %q", text)
	}
	back, errs := ParseTOML(text, "back.toml", tomlHost(""))
	if len(errs) > 0 {
		if len(text) > maxTOML {
			return
		}
		t.Fatalf("%v\n%s", errs[0], text)
	}
	if diff := cmp.Diff(withoutLines(keys), withoutLines(back)); diff != "" {
		t.Fatalf("%s\n%s", diff, text)
	}
}

// fuzzRewrite writes what the grammar gave as corosync.conf, which fails only if
// a key that no section holds any more is too long for a line of its own.
func fuzzRewrite(t *testing.T, keys []Key) {
	text, err := ToCorosync(keys)
	if err != nil {
		for _, k := range keys {
			if len(k.Name)+len(k.Text)+2 > lineSize-2 {
				return
			}
		}
		t.Fatal(err)
	}
	back, err := ParseCorosync(bytes.NewReader(text), "b.conf")
	if err != nil || !sameList(keys, back) {
		t.Fatalf("%v: %s\n%s", err, cmp.Diff(keys, withoutLines(back)), text)
	}
}

// fuzzTranslate translates a file into the other language and back: keys and
// comments stay, in either dialect.
func fuzzTranslate(t *testing.T, data []byte) {
	for _, dialect := range []int{0, 2} {
		e := tomlHost("")
		d, err := ReadDocument(data, "f", dialect, e)
		if err != nil {
			continue
		}
		_ = d.Verdict(e)
		out, err := d.Translate(e)
		if err != nil {
			continue
		}
		if isTOML(out) == d.TOML {
			t.Fatalf("still the same language:\n%s", out)
		}
		if d.Dialect == 3 {
			checkComments(t, string(data), string(out))
		}
		back, err := ReadDocument(out, "b", 3, e)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, pair := range DiffKeys(d.Keys, back.Keys) {
			if !pair.Same() && pair.A.Name != dscpKey {
				t.Fatalf("%v became %v\n%s", pair.A, pair.B, out)
			}
		}
		again, err := back.Translate(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		checkComments(t, string(out), string(again))
	}
}
