package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// JSONSchema returns a JSON Schema (draft 7) of the TOML configuration, for
// editors that complete and check TOML. It is made of the same tables as the
// reader.
//
// It takes what the reader takes, with these differences: words stand in their
// usual spelling only; that durations are whole milliseconds (or seconds) and
// below their bound, that keys are not given twice, and which keys have their
// place elsewhere than in extra and raw, is left to `cpgold check`.
func JSONSchema() []byte {
	root := schemaTable("", "Configuration of a node of a Corosync cluster, for cpgold.")
	format := schemaOf(&field{as: asNumber, typ: TypeU8}, fieldTexts["format"])
	root.properties().set("format", append(object{{"const", 1}}, format.without("type", "minimum", "maximum")...))
	for _, f := range documentSchema.fields {
		root.at(f.path).set(lastPart(f.path), schemaOf(&f, fieldTexts[f.path]))
	}
	root.at("ipc.allow_users").set("allow_users", schemaIDs("ipc.allow_users"))
	root.at("ipc.allow_groups").set("allow_groups", schemaIDs("ipc.allow_groups"))
	root.at("quorum.device.heuristics.exec").set("exec", schemaNamed("quorum.device.heuristics.exec", `^[A-Za-z0-9_/-]+$`,
		schemaOf(&textField, fieldTexts["quorum.device.heuristics.exec.NAME"])))
	root.at("logging.subsystem").set("subsystem", schemaNamed("logging.subsystem", partPattern, schemaFields(loggerFields, "logging.")))
	root.at("logging.daemon").set("daemon", schemaDaemons())
	root.at("resources.system").set("system", schemaNamed("resources.system", partPattern, schemaFields(monitorFields, "resources.system.memory_used.")))
	root.properties().set("link", schemaLinks())
	root.properties().set("node", schemaNodes())
	root.properties().set("extra", object{{"description", tableTexts["extra"]}, {"$ref", "#/definitions/extra"}})
	root.properties().set("raw", schemaNamed("raw", rawPattern, ref("text")))
	root = append(object{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "cpgold"}}, root...)
	root = append(root, property{"definitions", schemaDefinitions()})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // of our own making only
	}
	return b.Bytes()
}

// Patterns are of the kind that every engine of regular expressions has.
const (
	rawPattern      = `^([A-Za-z0-9._/:-]{0,252}[.][A-Za-z0-9_/-]{0,252}|[A-Za-z0-9_/-]{3,253})$` // the length is the reader's to check
	partPattern     = `^[A-Za-z0-9_/:-]+$`
	textPattern     = `^([^ \t{\n\x00]([^{\n\x00]*[^ \t{\n\x00])?)?$`
	durationPattern = `^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+)$`
	versionPattern  = `^(0|[1-9][0-9]{0,19})$`
)

// An object is one of JSON whose members keep their order.
type object []property

type property struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", m.name)
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o *object) set(name string, value any) { *o = append(*o, property{name, value}) }

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o object) without(names ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m property) bool { return slices.Contains(names, m.name) })
}

// schemaTable is a table without fields.
func schemaTable(path, text string) object {
	if text == "" {
		text = tableTexts[path]
	}
	return object{{"description", text}, {"type", "object"}, {"additionalProperties", false}, {"properties", &object{}}}
}

// properties returns a table's properties, to add some.
func (o object) properties() *object { return o.get("properties").(*object) }

// at returns the properties of the table that a path is in, which are made if
// there are none.
func (o object) at(path string) *object {
	table, _ := splitName(path)
	if table == "" {
		return o.properties()
	}
	parent, name := o.at(table), lastPart(table)
	sub, _ := parent.get(name).(object)
	if sub == nil {
		sub = schemaTable(table, "")
		parent.set(name, sub)
	}
	return sub.properties()
}

func lastPart(path string) string {
	_, name := splitName(path)
	return name
}

func ref(name string) object { return object{{"$ref", "#/definitions/" + name}} }

// schemaOf is the schema of a field's value (field.encode).
func schemaOf(f *field, about about) object {
	o := object{{"description", about.text}}
	words := f.words
	if words == nil {
		words = about.words
	}
	switch f.as {
	case asText:
		if words != nil {
			o = append(o, property{"enum", words})
		} else {
			o = append(o, ref("text")...)
		}
	case asNumber:
		min, max := bounds(f.typ)
		if f.max != 0 {
			max = int64(f.max)
		}
		o = append(o, object{{"type", "integer"}, {"minimum", min}, {"maximum", max}}...)
	case asVersion:
		o.set("anyOf", []object{{{"type", "integer"}, {"minimum", 0}, {"maximum", math.MaxInt64}},
			{{"type", "string"}, {"pattern", versionPattern}}})
	case asMillis, asSeconds, asPeriod, asMillisText:
		o = append(o, ref("duration")...)
	case asFlag:
		o.set("anyOf", []object{{{"type", "boolean"}}, {{"type", "integer"}, {"minimum", 0}, {"maximum", math.MaxUint8}}})
	case asYesNo, asOnOff:
		o.set("type", "boolean")
	case asSwitch:
		o.set("anyOf", []object{{{"type", "boolean"}}, {{"enum", []string{"on", "off"}}}})
	case asNumberText:
		o.set("type", "integer")
	case asNumberOrText:
		o.set("anyOf", []object{{{"type", "integer"}}, ref("text")})
	case asIDs:
		o.set("anyOf", []object{ref("text"), {{"type", "array"}, {"minItems", 1},
			{"items", object{{"type", "integer"}, {"minimum", 0}, {"maximum", math.MaxUint32}}}}})
	}
	return schemaDefault(o, about)
}

// schemaDefault adds what a field is if it is left out. Beside $ref nothing
// else counts in draft 7, which is why references are wrapped.
func schemaDefault(o object, about about) object {
	if r, ok := o.get("$ref").(string); ok {
		o = append(o.without("$ref"), property{"allOf", []object{{{"$ref", r}}}})
	}
	if about.def != "" {
		o.set("default", json.RawMessage(about.def)) // strings, numbers and booleans are alike in TOML and JSON
	} else if about.value != "" {
		o.set("examples", []json.RawMessage{json.RawMessage(about.value)})
	}
	return o
}

// schemaFields is a table of fields whose texts stand behind prefix.
func schemaFields(fields []field, prefix string) object {
	o := schemaTable("", "")
	for _, f := range newSchema(fields).fields {
		o.properties().set(f.path, schemaOf(&f, fieldTexts[prefix+f.path]))
	}
	return o.without("description")
}

// schemaNamed is a table whose keys are names.
func schemaNamed(path, pattern string, value any) object {
	return object{{"description", tableTexts[path]}, {"type", "object"}, {"additionalProperties", false},
		{"patternProperties", object{{pattern, value}}}}
}

func schemaIDs(path string) object {
	about := fieldTexts[path]
	id := object{{"anyOf", []object{{{"type", "string"}},
		{{"type", "integer"}, {"minimum", 0}, {"maximum", math.MaxUint32 - 1}}}}}
	return schemaDefault(object{{"description", about.text}, {"type", "array"}, {"items", id}}, about)
}

// schemaDaemons is the settings of other daemons, who look at the words
// themselves.
func schemaDaemons() object {
	settings := func() object {
		o := schemaTable("", "").without("description")
		for _, f := range newSchema(loggerFields).fields {
			about := fieldTexts["logging."+f.path]
			about.words = nil
			o.properties().set(f.path, schemaOf(&f, about))
		}
		return o
	}
	daemon := settings()
	daemon.properties().set("subsystem", schemaNamed("logging.daemon.subsystem", partPattern, settings()))
	o := schemaNamed("logging.daemon", partPattern, daemon)
	return append(o, property{"propertyNames", object{{"not", object{{"const", "corosync"}}}}})
}

func schemaLinks() object {
	o := schemaFields(linkFields, "link.")
	*o.properties() = append(object{{"number", schemaDefault(object{{"description", fieldTexts["link.number"].text},
		{"type", "integer"}, {"minimum", 0}, {"maximum", maxLinks - 1}}, fieldTexts["link.number"])}}, *o.properties()...)
	o.properties().set("members", schemaDefault(object{{"description", fieldTexts["link.members"].text}, {"type", "array"},
		{"items", ref("text")}}, fieldTexts["link.members"]))
	o.set("required", []string{"number"})
	return object{{"description", tableTexts["link"]}, {"type", "array"}, {"items", o}}
}

func schemaNodes() object {
	o := schemaFields(nodeFields, "node.")
	o.properties().set("addresses", schemaNamed("node.addresses", `^[0-7]$`, ref("text")))
	o.properties().set("extra", schemaNamed("node.extra", `^[A-Za-z0-9._/-]+$`, ref("text")))
	return object{{"description", tableTexts["node"]}, {"type", "array"}, {"items", o}}
}

func schemaDefinitions() object {
	base64 := object{{"type", "object"}, {"additionalProperties", false}, {"required", []string{"base64"}},
		{"properties", object{{"base64", object{{"type", "string"}, {"pattern", `^[A-Za-z0-9+/]*={0,2}$`}}}}}}
	return object{
		{"text", object{{"description", "Text that a line of corosync.conf can carry; as base64 if it is not UTF-8."},
			{"anyOf", []object{{{"type", "string"}, {"pattern", textPattern}, {"maxLength", lineSize - 2}}, base64}}}},
		{"duration", object{{"description", "A number with its unit: ms, s, m or h."}, {"type", "string"}, {"pattern", durationPattern}}},
		{"extra", object{{"type", "object"}, {"additionalProperties", false}, {"patternProperties", object{
			{`^([A-Za-z0-9_/:-]+|totem[.]interface)$`, object{{"anyOf", []object{ref("text"), {{"type", "integer"}}, ref("extra")}}}}}}}},
	}
}
