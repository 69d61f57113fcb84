package conf

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"net/netip"
)

const exampleFile = "cpgold.example.toml"

func TestExampleFile(t *testing.T) { upToDate(t, exampleFile, Example()) }

// exampleHost is the reference host with what the example's lines ask for.
func exampleHost(text string) Env {
	e := tomlHost(text)
	e.LookupUser = func(name string) (uint32, bool) { return 0, name == "root" }
	e.LookupGroup = e.LookupUser
	return e
}

// TestExample: nothing is to be said about the example.
func TestExample(t *testing.T) {
	for _, p := range Check("node.toml", exampleHost(string(Example()))) {
		t.Error(p)
	}
}

// exampleLine is a line that the example only names.
var exampleLine = regexp.MustCompile(`^#("?[a-zA-Z_.]+"? = .*|\[.*\])$`)

// TestExampleLines sets every line that is only named, by itself: it is read,
// and if it shows a default, it changes nothing.
func TestExampleLines(t *testing.T) {
	lines := strings.Split(string(Example()), "\n")
	base, err := Load("node.toml", exampleHost(string(Example())))
	if err != nil {
		t.Fatal(err)
	}
	table, header, defaults, set := "", -1, 0, 0
	for i, line := range lines {
		named := exampleLine.FindStringSubmatch(line)
		if strings.HasPrefix(strings.TrimPrefix(line, "#"), "[") {
			table, header = strings.Trim(line, "#[]"), -1
			if named != nil {
				header = i
			}
			continue
		}
		if named == nil {
			continue
		}
		with := append([]string(nil), lines...)
		with[i] = named[1]
		if header >= 0 {
			with[header] = strings.TrimPrefix(lines[header], "#")
		}
		text := strings.Join(with, "\n")
		if _, errs := ParseTOML([]byte(text), "x.toml", exampleHost("")); len(errs) > 0 {
			t.Errorf("%s: %v", line, errs)
		}
		set++
		name, _, _ := strings.Cut(named[1], " ")
		path := table + "." + name
		if fieldTexts[path].def == "" {
			continue
		}
		defaults++
		c, err := Load("node.toml", exampleHost(text))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		opts := cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Config{}, "Keys", "Warnings"),
			cmpopts.IgnoreFields(System{}, "Priority")}
		if diff := cmp.Diff(base, c, opts); diff != "" {
			t.Errorf("%s.%s is not the default:\n%s", table, line, diff)
		}
	}
	if set < 100 || defaults < 60 {
		t.Errorf("%d lines, %d defaults", set, defaults)
	}
}

// TestExampleWhole sets all lines at once.
func TestExampleWhole(t *testing.T) {
	lines := strings.Split(string(Example()), "\n")
	for i, line := range lines {
		if named := exampleLine.FindStringSubmatch(line); named != nil {
			lines[i] = named[1]
		}
	}
	text := strings.Join(lines, "\n")
	for _, p := range Check("node.toml", exampleHost(text)) {
		if p.Severity == Refused {
			t.Error(p)
		}
	}
	if wrong := newSchemaChecker(t).document([]byte(text)); wrong != "" {
		t.Error(wrong)
	}
	keys, _ := ParseTOML([]byte(text), "x.toml", exampleHost(""))
	have := mapOf(keys)
	for _, f := range documentSchema.fields {
		if _, ok := have.entries[f.key]; !ok {
			t.Errorf("the example lacks %s", f.path)
		}
	}
}
