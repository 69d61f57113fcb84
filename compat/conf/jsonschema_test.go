package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// A schemaChecker knows as much of JSON Schema as ours uses.
type schemaChecker struct {
	root     map[string]any
	patterns map[string]*regexp.Regexp
}

func newSchemaChecker(t *testing.T) *schemaChecker {
	t.Helper()
	c := &schemaChecker{patterns: make(map[string]*regexp.Regexp)}
	if err := json.Unmarshal(JSONSchema(), &c.root); err != nil {
		t.Fatal(err)
	}
	return c
}

// document checks a TOML document and returns what is wrong first.
func (c *schemaChecker) document(data []byte) string {
	var doc map[string]any
	if err := toml.Unmarshal(data, &doc); err != nil {
		return err.Error()
	}
	return c.check(c.root, doc, "")
}

func (c *schemaChecker) matches(pattern, text string) bool {
	if c.patterns[pattern] == nil {
		c.patterns[pattern] = regexp.MustCompile(pattern)
	}
	return c.patterns[pattern].MatchString(text)
}

// equal compares a value of JSON with one of TOML.
func equal(a, b any) bool {
	if n, ok := b.(int64); ok {
		return a == float64(n)
	}
	return a == b
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "other"
}

func (c *schemaChecker) check(s map[string]any, v any, at string) string {
	for _, word := range slices.Sorted(maps.Keys(s)) {
		if wrong := c.keyword(s, word, v, at); wrong != "" {
			return wrong
		}
	}
	return ""
}

// keyword checks one word of a schema.
func (c *schemaChecker) keyword(s map[string]any, word string, v any, at string) string {
	n, isNumber := number(v)
	text, isText := v.(string)
	list, _ := v.([]any)
	table, isTable := v.(map[string]any)
	arg := s[word]
	wrong := func(bad bool) string {
		if bad {
			return fmt.Sprintf("%s: %v is against %s %v", at, v, word, arg)
		}
		return ""
	}
	switch word {
	case "$schema", "title", "description", "default", "examples", "definitions", "patternProperties":
	case "type":
		return wrong(typeName(v) != arg)
	case "const":
		return wrong(!equal(arg, v))
	case "enum":
		return wrong(!slices.ContainsFunc(arg.([]any), func(w any) bool { return equal(w, v) }))
	case "minimum":
		return wrong(isNumber && n < arg.(float64))
	case "maximum":
		return wrong(isNumber && n > arg.(float64))
	case "pattern":
		return wrong(isText && !c.matches(arg.(string), text))
	case "maxLength":
		return wrong(isText && float64(len([]rune(text))) > arg.(float64))
	case "minItems":
		return wrong(list != nil && float64(len(list)) < arg.(float64))
	case "required":
		for _, name := range arg.([]any) {
			if _, ok := table[name.(string)]; isTable && !ok {
				return wrong(true)
			}
		}
	case "$ref":
		name := strings.TrimPrefix(arg.(string), "#/definitions/")
		return c.check(c.root["definitions"].(map[string]any)[name].(map[string]any), v, at)
	case "not":
		return wrong(c.check(arg.(map[string]any), v, at) == "")
	case "allOf":
		for _, sub := range arg.([]any) {
			if bad := c.check(sub.(map[string]any), v, at); bad != "" {
				return bad
			}
		}
	case "anyOf":
		return wrong(!slices.ContainsFunc(arg.([]any), func(sub any) bool { return c.check(sub.(map[string]any), v, at) == "" }))
	case "items":
		for i, item := range list {
			if bad := c.check(arg.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); bad != "" {
				return bad
			}
		}
	case "propertyNames":
		for name := range table {
			if bad := c.check(arg.(map[string]any), name, at); bad != "" {
				return bad
			}
		}
	case "properties", "additionalProperties":
		return c.members(s, table, at)
	default:
		panic("the test does not know " + word)
	}
	return ""
}

// members checks a table's values.
func (c *schemaChecker) members(s map[string]any, table map[string]any, at string) string {
	known, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(table)) {
		var sub any = known[name]
		for pattern, of := range patterns {
			if sub == nil && c.matches(pattern, name) {
				sub = of
			}
		}
		if sub == nil {
			return fmt.Sprintf("%s.%s is not known", at, name)
		}
		if bad := c.check(sub.(map[string]any), table[name], at+"."+name); bad != "" {
			return bad
		}
	}
	return ""
}

// TestSchemaAccepts: whatever files the reader takes, the schema takes.
func TestSchemaAccepts(t *testing.T) {
	c := newSchemaChecker(t)
	for _, file := range []string{"testdata/example.toml", exampleFile} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := c.document(b); wrong != "" {
			t.Errorf("%s: %s", file, wrong)
		}
	}
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	for _, file := range files {
		text, err := ToTOML(parseFile(t, file))
		if err != nil {
			continue
		}
		// One has a priority in capitals, the other a provider with which it does not start.
		known := filepath.Base(file) == "logging-subsystems.conf" || filepath.Base(file) == "start-fails-unknown-provider.conf"
		if wrong := c.document(text); (wrong != "") != known || known && !strings.Contains(wrong, "enum") {
			t.Errorf("%s: %s\n%s", file, wrong, text)
		}
	}
}

// schemaValues are values of every kind and range.
var schemaValues = []string{"true", "false", "0", "1", "2", "-1", "63", "64", "255", "256", "65535", "65536", "2147483647",
	"2147483648", "4294967295", "4294967296", "-2147483648", "9223372036854775807", "1.5", `""`, `"x"`, `"yes"`, `"on"`, `"off"`,
	`"3s"`, `"1500ms"`, `"1m30s"`, `"1.5h"`, `".5s"`, `"+3s"`, `"0"`, `"-3s"`, `"3"`, `"3 s"`, `"3d"`, `"12"`, `"007"`, `"knet"`, `"sctp"`, `"zlib"`,
	`"none"`, `"aes256"`, `"md5"`, `"ipv4"`, `"native"`, `"auto"`, `"nss"`, `"a{b"`, `" x"`, `"x "`, `"x\ny"`, `"\u0000"`, `"x\r"`, `"\r"`,
	`{ base64 = "eA==" }`, `{ base64 = 1 }`, `{ x = "y" }`, "{}", "[]", "[1]", "[1, 2]", "[-1]", `["root"]`, `["root", 7]`, "[1.5]", "1979-05-27",
	`"` + strings.Repeat("x", 600) + `"`}

// TestSchemaFields puts every value into every field: schema and reader agree on
// what to take, but for what the schema leaves to the reader.
func TestSchemaFields(t *testing.T) {
	c := newSchemaChecker(t)
	prefixes := map[string]string{"": ""}
	paths := make(map[string]*field)
	for _, f := range documentSchema.fields {
		paths[f.path] = &f
	}
	for prefix, s := range map[string]*schema{"link": linkSchema, "node": nodeSchema, "resources.system.x": monitorSchema,
		"logging.subsystem.X": loggerSchema, "logging.daemon.x": loggerSchema, "logging.daemon.x.subsystem.Y": loggerSchema} {
		for _, f := range s.fields {
			paths[prefix+"."+f.path] = &f
		}
		prefixes[prefix] = ""
	}
	for _, path := range []string{"link.number", "link.members", "node.addresses.0", "node.addresses.8", "node.extra.x", "node.extra.nodeid2",
		"ipc.allow_users", "ipc.allow_groups", "quorum.device.heuristics.exec.x", "extra.x.y", "raw.aaa", "raw.aa", `raw."totem.x"`, `raw."a:b"`,
		"format", "nonsense", "totem.x", "cluster.x", "quorum.device.net.x", "logging.daemon.corosync.debug", "link.x", "node.x",
		`extra."a.b"`, `extra."totem.interface".x`, `logging.subsystem."A.B".debug`, "resources.system.x.y"} {
		paths[path] = nil
	}
	taken, refused, left := 0, 0, 0
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, value := range schemaValues {
			doc := schemaDocument(path, value)
			_, errs := ParseTOML([]byte(doc), "x.toml", tomlHost(""))
			wrong := c.document([]byte(doc))
			switch {
			case (len(errs) == 0) == (wrong == ""):
				if wrong == "" {
					taken++
				} else {
					refused++
				}
			case leftToReader(paths[path], path, value, errs):
				left++
			default:
				t.Errorf("%s: reader %v, schema %q", doc, errs, wrong)
			}
		}
	}
	t.Logf("%d taken, %d refused by both, %d left to the other", taken, refused, left)
	if taken < 1000 || refused < 3000 || left > 600 {
		t.Errorf("%d taken, %d refused by both, %d left to the other", taken, refused, left)
	}
}

// schemaDocument is a document with one field.
func schemaDocument(path, value string) string {
	table, name, nested := strings.Cut(path, ".")
	if nested && (table == "link" || table == "node") {
		number := ""
		if table == "link" && name != "number" {
			number = "number = 0\n"
		}
		return fmt.Sprintf("[[%s]]\n%s%s = %s\n", table, number, name, value)
	}
	return path + " = " + value + "\n"
}

// leftToReader tells what JSONSchema's comment says: bounds and units of
// durations, the spelling of words, and what some tables take.
func leftToReader(f *field, path, value string, errs []*Error) bool {
	if f == nil { // tables whose keys are names, and whose places the schema does not know
		return strings.HasPrefix(path, "extra") || strings.HasPrefix(path, "ipc.allow") || path == "link.number" && value == "0" ||
			strings.HasPrefix(path, "link.number") && len(errs) == 0
	}
	switch f.as {
	case asMillis, asSeconds, asPeriod, asMillisText:
		return len(errs) == 1 && strings.Contains(errs[0].Text, "want whole")
	case asText:
		return len(errs) == 0 && (len(fieldTexts[path].words) > 0 || strings.HasPrefix(path, "logging.subsystem."))
	}
	return false
}

// TestFieldTexts: every field and table has a text, and no text is left over.
func TestFieldTexts(t *testing.T) {
	need := map[string]bool{"format": true, "link.number": true, "link.members": true, "quorum.device.heuristics.exec.NAME": true,
		"ipc.allow_users": true, "ipc.allow_groups": true, "extra.SECTION.KEY": true, "raw.KEY": true}
	for prefix, s := range map[string]*schema{"": documentSchema, "link.": linkSchema, "node.": nodeSchema,
		"resources.system.memory_used.": monitorSchema} {
		for _, f := range s.fields {
			need[prefix+f.path] = true
		}
	}
	for path := range need {
		about := fieldTexts[path]
		if about.text == "" || !strings.HasSuffix(about.text, ".") || about.def == "" && about.value == "" {
			t.Errorf("%s: %+v", path, about)
		}
	}
	for path := range fieldTexts {
		if !need[path] {
			t.Errorf("a text for %s, which is no field", path)
		}
	}
	for table := range documentSchema.tables {
		if tableTexts[table] == "" {
			t.Errorf("no text for table %s", table)
		}
	}
}

// upToDate compares a committed file with what is generated, or writes it.
func upToDate(t *testing.T, file string, want []byte) {
	t.Helper()
	if os.Getenv("CONF_UPDATE") != "" {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the tables say (%v): run CONF_UPDATE=1 go test ./compat/conf", file, err)
	}
}

func TestSchemaFile(t *testing.T) { upToDate(t, "cpgold.schema.json", JSONSchema()) }
