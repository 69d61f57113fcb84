package conf

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// encode turns a TOML value into a key's. want says what is allowed if it
// cannot.
func (f *field) encode(value any) (num uint64, text string, want string) {
	max := f.max
	if max == 0 {
		max = math.MaxUint32
	}
	switch f.as {
	case asText:
		return f.encodeText(value)
	case asNumber:
		return f.encodeNumber(value)
	case asVersion:
		return encodeVersion(value)
	case asMillis, asSeconds, asPeriod:
		num, want = encodeDuration(value, f.as.unit(), max)
		return num, "", want
	case asMillisText:
		num, want = encodeDuration(value, time.Millisecond, max)
		return 0, strconv.FormatUint(num, 10), want
	case asFlag:
		if b, ok := value.(bool); ok {
			return bit(b), "", ""
		}
		if n, ok := value.(int64); ok && 0 <= n && n <= math.MaxUint8 {
			return uint64(n), "", ""
		}
		return 0, "", "want true, false or a number in 0..255"
	case asYesNo:
		text, want = encodeBool(value, "yes", "no")
	case asOnOff:
		text, want = encodeBool(value, "on", "off")
	case asSwitch:
		if value == "on" || value == "off" {
			return 0, value.(string), ""
		}
		text, want = encodeBool(value, "yes", "no")
	case asNumberText, asNumberOrText:
		if n, ok := value.(int64); ok {
			return 0, strconv.FormatInt(n, 10), ""
		}
		if f.as == asNumberText {
			return 0, "", "want an integer"
		}
		return f.encodeText(value)
	case asIDs:
		return f.encodeIDs(value)
	}
	return 0, text, want
}

// unit is what one of a number stands for.
func (c codec) unit() time.Duration {
	if c == asSeconds {
		return time.Second
	}
	return time.Millisecond
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (f *field) encodeText(value any) (uint64, string, string) {
	text, ok := textOf(value)
	switch {
	case ok && (f.words == nil || slices.Contains(f.words, text)):
		return 0, text, ""
	case f.words != nil:
		return 0, "", "want " + quotedList(f.words)
	}
	return 0, "", "want a string"
}

// textOf returns a TOML string, or what { base64 = "..." } stands for: text
// that is not UTF-8.
func textOf(value any) (string, bool) {
	if t, ok := value.(map[string]any); ok && len(t) == 1 {
		coded, ok := t["base64"].(string)
		if !ok {
			return "", false
		}
		b, err := base64.StdEncoding.DecodeString(coded)
		return string(b), err == nil
	}
	text, ok := value.(string)
	return text, ok
}

func quotedList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return orList(quoted)
}

func (f *field) encodeNumber(value any) (uint64, string, string) {
	min, max := bounds(f.typ)
	if f.max != 0 {
		max = int64(f.max)
	}
	n, ok := value.(int64)
	if !ok || n < min || n > max {
		return 0, "", fmt.Sprintf("want a number in %d..%d", min, max)
	}
	return uint64(n), "", ""
}

func encodeVersion(value any) (uint64, string, string) {
	switch v := value.(type) {
	case int64:
		if v >= 0 {
			return uint64(v), "", ""
		}
	case string:
		if n, ok := canonical(v, math.MaxUint64); ok {
			return n, "", ""
		}
	}
	return 0, "", fmt.Sprintf("want a number in 0..%d (as a string above %d)", uint64(math.MaxUint64), math.MaxInt64)
}

func encodeBool(value any, yes, no string) (text, want string) {
	switch value {
	case true:
		return yes, ""
	case false:
		return no, ""
	}
	return "", "want true or false"
}

// encodeDuration counts the units in a duration, which must be whole.
func encodeDuration(value any, unit time.Duration, max uint64) (n uint64, want string) {
	text, ok := value.(string)
	if !ok {
		return 0, `want a duration such as "3s" or "650ms"`
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, `want a duration such as "3s" or "650ms"`
	case d < 0 || d%unit != 0 || uint64(d/unit) > max:
		return 0, fmt.Sprintf("want whole %s, at most %d of them", unitName(unit), max)
	}
	return uint64(d / unit), ""
}

func unitName(unit time.Duration) string {
	if unit == time.Second {
		return "seconds"
	}
	return "milliseconds"
}

// encodeIDs takes the node list of the tie breaker, as text or as numbers.
func (f *field) encodeIDs(value any) (uint64, string, string) {
	list, ok := value.([]any)
	if !ok {
		return f.encodeText(value)
	}
	var ids []string
	for _, v := range list {
		id, ok := v.(int64)
		if !ok || id < 0 || id > math.MaxUint32 {
			return 0, "", fmt.Sprintf("want node ids in 0..%d", math.MaxUint32)
		}
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	if len(ids) == 0 {
		return 0, "", "want at least one node id"
	}
	return 0, strings.Join(ids, " "), ""
}

// decode writes a key's value as TOML. It fails if the value has a form that
// encode would not give back.
func (f *field) decode(k Key) (string, bool) {
	if k.Type != f.typ {
		return "", false
	}
	switch f.as {
	case asNumber:
		return k.Value(), f.max == 0 || k.Num <= f.max
	case asVersion:
		if k.Num > math.MaxInt64 {
			return strconv.Quote(k.Value()), true
		}
		return k.Value(), true
	case asMillis, asSeconds, asPeriod:
		max := f.max
		if max == 0 {
			max = math.MaxUint32
		}
		return durationText(k.Num, f.as.unit()), k.Num <= max
	case asMillisText:
		n, ok := canonical(k.Text, math.MaxUint32)
		return durationText(n, time.Millisecond), ok
	case asFlag:
		if k.Num > 1 {
			return k.Value(), true
		}
		return strconv.FormatBool(k.Num == 1), true
	case asYesNo, asOnOff, asSwitch:
		return f.decodeBool(k.Text)
	case asNumberText, asNumberOrText:
		_, ok := canonical(k.Text, math.MaxInt64)
		if !ok && f.as == asNumberOrText {
			return tomlText(k.Text), true
		}
		return k.Text, ok
	case asIDs:
		return decodeIDs(k.Text), true
	}
	return tomlText(k.Text), f.words == nil || slices.Contains(f.words, k.Text)
}

func (f *field) decodeBool(text string) (string, bool) {
	switch {
	case f.as == asSwitch && (text == "on" || text == "off"):
		return strconv.Quote(text), true
	case text == "yes" && f.as != asOnOff, text == "on" && f.as == asOnOff:
		return "true", true
	case text == "no" && f.as != asOnOff, text == "off" && f.as == asOnOff:
		return "false", true
	}
	return "", false
}

// durationText writes a count of units in seconds if they are whole.
func durationText(n uint64, unit time.Duration) string {
	switch {
	case unit == time.Second:
		return fmt.Sprintf("\"%ds\"", n)
	case n%1000 == 0:
		return fmt.Sprintf("\"%ds\"", n/1000)
	}
	return fmt.Sprintf("\"%dms\"", n)
}

// decodeIDs writes a list of numbers if the text is exactly that.
func decodeIDs(text string) string {
	ids := strings.Split(text, " ")
	for _, id := range ids {
		if _, ok := canonical(id, math.MaxUint32); !ok {
			return tomlText(text)
		}
	}
	return "[" + strings.Join(ids, ", ") + "]"
}

// tomlText writes text as a TOML string, or as base64 if it is not UTF-8.
func tomlText(text string) string {
	if !utf8.ValidString(text) {
		return `{ base64 = "` + base64.StdEncoding.EncodeToString([]byte(text)) + `" }`
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
