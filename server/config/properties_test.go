package config

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseProperties(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"a=1", "1 a=1"},
		{"a = 1 \nb:2\nc 3\r\nd\t=\t4", "1 a=1 |2 b=2|3 c=3|4 d=4"},
		{"# no=1\n  ! no=2\n\n   \na=1", "5 a=1"},
		{"a\nb=\nc:", "1 a=|2 b=|3 c="},
		{"a = b = c", "1 a=b = c"},
		{"a==b", "1 a==b"},
		{`a\=b\:c\ d=e`, "1 a=b:c d=e"},
		{`a=\t\n\r\f\q\\`, "1 a=\t\n\r\fq\\"},
		{`a=\u0041\u00e9\ud83d\ude00`, "1 a=Aé😀"},
		{`a=\ud83dx`, "1 a=\uFFFDx"},
		{"a=1,\\\n   2,\\\n\t3\nb=4", "1 a=1,2,3|4 b=4"},
		{"a=1\\\\\nb=2", `1 a=1\|2 b=2`},
		{"a=\\\n\nb=2", "1 a=|3 b=2"},
		{"# not continued \\\nb=2", "2 b=2"},
		{"a=1\\", "1 a=1"},
		{"a=1\rb=2\r\n\r\nc=3", "1 a=1|2 b=2|4 c=3"},
		{"\\\n#a=1", "1 #a=1"},
		{"=x", "1 =x"},
		{"a=x#y", "1 a=x#y"},
		{"ключ=значение", "1 ключ=значение"},
	} {
		properties, faults := ParseProperties("f", []byte(test.text))
		if got := format(properties); got != test.want || faults != nil {
			t.Errorf("%q\n got %q %v\nwant %q", test.text, got, faults, test.want)
		}
	}
}

func format(properties []Property) string {
	lines := make([]string, len(properties))
	for i, p := range properties {
		lines[i] = fmt.Sprintf("%d %s=%s", p.Line, p.Key, p.Value)
	}
	return strings.Join(lines, "|")
}

func TestParseProperties_GoesOnAfterFaults(t *testing.T) {
	properties, faults := ParseProperties("f", []byte("a=\\u00\nb=2\n\\uXYZW=3\n"))
	if format(properties) != "2 b=2" {
		t.Errorf("%v", properties)
	}
	if want := "f:1: malformed \\u escape: \"\\\\u00\"\nf:3: malformed \\u escape: \"\\\\uXYZW\""; faults.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", faults, want)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("a=1\\\n b", "key", "value")
	f.Add("a=\\ud83d\\ude00\\u12", "k y=:", " \t\\x\n#")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		properties, faults := ParseProperties("f", []byte(text))
		last := 0
		for _, p := range properties {
			if p.Line <= last || p.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
				t.Fatalf("line %d after %d", p.Line, last)
			}
			last = p.Line
		}
		if len(properties)+len(faults) > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Fatal("more properties than lines")
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) || key == "" {
			return
		}
		properties, faults = ParseProperties("f", []byte(escaped(key)+"="+escaped(value)))
		if len(properties) != 1 || faults != nil || properties[0].Key != key || properties[0].Value != value {
			t.Fatalf("%q=%q came back as %+v %v", key, value, properties, faults)
		}
	})
}

// escaped writes text so that it means itself anywhere in a properties file.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' && r != '\n':
			fmt.Fprintf(&out, `\u%04x`, r)
		case r == '\n':
			out.WriteString(`\n`)
		case strings.ContainsRune(`\=:#! `, r):
			out.WriteString(`\` + string(r))
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
