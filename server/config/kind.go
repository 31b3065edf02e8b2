package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a setting's value. Its numbers are those of DescribeConfigs (KIP-569).
type Kind int8

// The kinds, with Kafka's wire codes.
const (
	Boolean  Kind = 1 // true or false
	String   Kind = 2
	Int      Kind = 3 // 32 bits, signed
	Short    Kind = 4 // 16 bits, signed
	Long     Kind = 5 // 64 bits, signed
	Double   Kind = 6
	List     Kind = 7 // separated by commas
	Class    Kind = 8 // the name of a Java class
	Password Kind = 9 // never shown
)

// String returns Kafka's name of the kind, such as "INT".
func (k Kind) String() string {
	names := [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	if k < 0 || int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// bits is the size of an integer kind, 0 for the others.
func (k Kind) bits() int {
	switch k {
	case Short:
		return 16
	case Int:
		return 32
	case Long:
		return 64
	default:
		return 0
	}
}

// value is a parsed value: text is its canonical form, and the field of its kind holds what it says.
type value struct {
	text    string
	integer int64
	number  float64
	yes     bool
	list    []string
	null    bool
}

// textPointer is the value as DescribeConfigs carries it: nil for null.
func (v value) textPointer() *string {
	if v.null {
		return nil
	}
	return &v.text
}

// parse reads raw as Kafka does: spaces around it do not count. The reason is empty when raw is good.
func (k Kind) parse(raw string) (v value, reason string) {
	trimmed := strings.TrimSpace(raw)
	switch k {
	case Boolean:
		if !strings.EqualFold(trimmed, "true") && !strings.EqualFold(trimmed, "false") {
			return value{}, "Expected value to be either true or false"
		}
		yes := strings.EqualFold(trimmed, "true")
		return value{yes: yes, text: strconv.FormatBool(yes)}, ""
	case Short, Int, Long:
		n, err := strconv.ParseInt(trimmed, 10, k.bits())
		if err != nil {
			return value{}, "Not a number of type " + k.String()
		}
		return value{integer: n, text: strconv.FormatInt(n, 10)}, ""
	case Double:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || math.IsNaN(f) {
			return value{}, "Not a number of type " + k.String()
		}
		return value{number: f, text: formatDouble(f)}, ""
	case List:
		list := splitList(trimmed)
		return value{list: list, text: strings.Join(list, ",")}, ""
	case Password:
		return value{text: raw}, ""
	default:
		return value{text: trimmed}, ""
	}
}

// splitList splits at commas, drops spaces around the items, and keeps the first of equal items.
func splitList(text string) []string {
	list := []string{}
	if strings.TrimSpace(text) == "" {
		return list
	}
	seen := make(map[string]bool)
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if !seen[item] {
			seen[item] = true
			list = append(list, item)
		}
	}
	return slices.Clip(list)
}

// formatDouble writes f as Java does, which is what clients of DescribeConfigs compare with: always with a
// fraction, and with an exponent from ten millions on and below a thousandth.
func formatDouble(f float64) string {
	if math.IsInf(f, 0) {
		return strings.Trim(strings.Replace(strconv.FormatFloat(f, 'g', -1, 64), "Inf", "Infinity", 1), "+")
	}
	if size := math.Abs(f); size != 0 && (size < 1e-3 || size >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return mantissa + "E" + exponent
		}
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
