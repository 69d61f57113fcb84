package conf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// exampleHead explains the example.
const exampleHead = `# Configuration of a cpgold node, with every field that there is. Lines that begin with "#name =" show what leaving
# the field out means, or an example where it says so. The words are those of "cpgold schema", for editors.
#
# This one is a cluster of two nodes with two links and encryption. Make a key with "cpgold keygen", copy file and key
# to all nodes, and ask "cpgold check FILE" what it thinks.
`

// Example returns a commented TOML configuration with every field, made of the
// same tables as the reader. It is that of a sane cluster of two nodes.
func Example() []byte {
	var w exampleWriter
	w.b.WriteString(exampleHead)
	w.b.WriteByte('\n')
	w.field("format", "format")
	last := ""
	for _, f := range exampleOrder() {
		if table, _ := splitName(f.path); table != last {
			w.leave(last)
			w.enter(table)
			last = table
		}
		w.field(lastPart(f.path), f.path)
	}
	w.leave(last)
	w.enter("extra")
	w.b.WriteString("#[extra.SECTION]\n")
	w.field("KEY", "extra.SECTION.KEY")
	w.enter("raw")
	w.b.WriteString("#[raw]\n")
	w.field(`"totem.KEY"`, "raw.KEY")
	return append(bytes.TrimRight(w.b.Bytes(), "\n"), '\n')
}

// exampleOrder returns the fields with the logging before what is rarely set.
func exampleOrder() []field {
	order := []string{"cluster", "transport", "crypto", "timers", "protocol", "quorum", "logging", "ipc", "system", "resources",
		"nozzle", "legacy"}
	place := func(f field) int {
		table, _, _ := strings.Cut(f.path, ".")
		return slices.Index(order, table)
	}
	return slices.SortedStableFunc(slices.Values(documentSchema.fields), func(a, b field) int { return place(a) - place(b) })
}

type exampleWriter struct{ b bytes.Buffer }

// exampleWidth bounds the comments' lines.
const exampleWidth = 116

// say writes a comment.
func (w *exampleWriter) say(text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > exampleWidth {
			w.b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	w.b.WriteString(line + "\n")
}

// enter writes a table's header, commented if no field in it is shown.
func (w *exampleWriter) enter(table string) {
	w.b.WriteByte('\n')
	w.say(tableTexts[table])
	if table == "extra" || table == "raw" {
		return
	}
	mark := "#"
	for path, about := range fieldTexts {
		if in, _ := splitName(path); in == table && about.shown {
			mark = ""
		}
	}
	fmt.Fprintf(&w.b, "%s[%s]\n", mark, table)
}

// leave writes what comes behind a table's fields: the tables that are no
// document fields.
func (w *exampleWriter) leave(table string) {
	switch table {
	case "protocol":
		w.links()
		w.nodes()
	case "quorum.device.heuristics":
		w.named("quorum.device.heuristics.exec", "quorum.device.heuristics.exec")
		w.field("gateway", "quorum.device.heuristics.exec.NAME")
	case "logging":
		w.named("logging.subsystem", "logging.subsystem.QUORUM")
		w.setting("debug", `"on"`, false)
		w.named("logging.daemon", "logging.daemon.pacemaker")
		w.setting("debug", `"on"`, false)
		w.named("logging.daemon.subsystem", "logging.daemon.pacemaker.subsystem.X")
		w.setting("debug", `"on"`, false)
	case "ipc":
		w.field("allow_users", "ipc.allow_users")
		w.field("allow_groups", "ipc.allow_groups")
	case "resources":
		w.named("resources.system", "resources.system.memory_used")
		for _, f := range monitorFields {
			w.field(f.path, "resources.system.memory_used."+f.path)
		}
	}
}

// named writes the header of a table that nothing is shown in.
func (w *exampleWriter) named(text, table string) {
	w.b.WriteByte('\n')
	w.say(tableTexts[text])
	fmt.Fprintf(&w.b, "#[%s]\n", table)
}

// field writes a field with its text.
func (w *exampleWriter) field(name, path string) {
	about := fieldTexts[path]
	text := about.text
	if words := exampleWords(path); len(words) > 1 {
		text += " One of " + orList(words) + "."
	}
	value, example := about.def, about.def == ""
	if about.shown && about.value != "" || value == "" {
		value = about.value
	}
	if about.shown && about.def != "" && about.def != value {
		text += " Default: " + strings.Trim(about.def, `"`) + "."
	}
	if example && !about.shown && !strings.Contains(text, "Default") {
		text += " Example:"
	}
	w.say(text)
	w.setting(name, value, about.shown)
}

func (w *exampleWriter) setting(name, value string, shown bool) {
	mark := "#"
	if shown {
		mark = ""
	}
	fmt.Fprintf(&w.b, "%s%s = %s\n", mark, name, value)
}

// exampleWords are what a field may be, if it is one of some words.
func exampleWords(path string) []string {
	f := documentSchema.byPath[path]
	if name, ok := strings.CutPrefix(path, "link."); ok {
		f = linkSchema.byPath[name]
	}
	if f.as == asText && f.words != nil {
		return f.words
	}
	return fieldTexts[path].words
}

// links writes two links, one with all that a link can have.
func (w *exampleWriter) links() {
	w.b.WriteByte('\n')
	w.say(tableTexts["link"])
	w.b.WriteString("[[link]]\n")
	w.field("number", "link.number")
	for _, f := range linkFields {
		w.field(f.path, "link."+f.path)
	}
	w.field("members", "link.members")
	w.b.WriteString("\n[[link]]\nnumber = 1\n")
}

// nodes writes two nodes, one with all that a node can have.
func (w *exampleWriter) nodes() {
	w.b.WriteByte('\n')
	w.say(tableTexts["node"])
	w.b.WriteString("[[node]]\n")
	for _, f := range nodeFields {
		w.field(f.path, "node."+f.path)
	}
	w.say(tableTexts["node.addresses"])
	w.b.WriteString("addresses = { 0 = \"192.0.2.1\", 1 = \"198.51.100.1\" }\n")
	w.say(tableTexts["node.extra"])
	w.b.WriteString("#extra = { rack = \"r12\" }\n")
	w.b.WriteString("\n[[node]]\nid = 2\nname = \"node2\"\naddresses = { 0 = \"192.0.2.2\", 1 = \"198.51.100.2\" }\n")
}
