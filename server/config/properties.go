package config

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Property is one line of a properties file.
type Property struct {
	Key   string
	Value string
	Line  int // where the logical line begins, from 1
}

// ParseProperties reads the syntax of Java's .properties files: comments begin with # or !, key and value are
// separated by =, : or spaces, a backslash escapes (\t \n \r \f \uXXXX, anything else stands for itself), and
// one at the end of a line continues it. Text is UTF-8. It goes on after a fault and returns all of them,
// located by line; file is their origin.
func ParseProperties(file string, data []byte) ([]Property, Faults) {
	var properties []Property
	var faults Faults
	number := 0
	for len(data) > 0 {
		first := number + 1
		var logical string
		logical, data, number = logicalLine(data, number)
		if logical == "" {
			continue
		}
		rawKey, rawValue := splitProperty(logical)
		key, err := unescape(rawKey)
		value, valueErr := unescape(rawValue)
		if err == nil {
			err = valueErr
		}
		if err != nil {
			faults = append(faults, Fault{fmt.Sprintf("%s:%d", file, first), err})
			continue
		}
		properties = append(properties, Property{key, value, first})
	}
	return properties, faults
}

const propertySpace = " \t\f"

// logicalLine cuts one line with its continuations off data, leading spaces removed. It is empty for blank lines
// and comments, which do not continue.
func logicalLine(data []byte, number int) (line string, rest []byte, last int) {
	var joined strings.Builder
	for first := true; ; first = false {
		var natural []byte
		natural, data = naturalLine(data)
		number++
		natural = bytes.TrimLeft(natural, propertySpace)
		if first && len(natural) > 0 && (natural[0] == '#' || natural[0] == '!') {
			return "", data, number
		}
		if !continues(natural) {
			joined.Write(natural)
			return joined.String(), data, number
		}
		joined.Write(natural[:len(natural)-1])
		if len(data) == 0 {
			return joined.String(), data, number
		}
	}
}

// naturalLine cuts off one line, which ends in \n, \r or both.
func naturalLine(data []byte) (line, rest []byte) {
	end := bytes.IndexAny(data, "\r\n")
	if end < 0 {
		return data, nil
	}
	next := end + 1
	if data[end] == '\r' && next < len(data) && data[next] == '\n' {
		next++
	}
	return data[:end], data[next:]
}

// continues tells whether a line ends in an odd number of backslashes.
func continues(line []byte) bool {
	return (len(line)-len(bytes.TrimRight(line, `\`)))%2 == 1
}

// splitProperty cuts at the first separator that is not escaped; spaces around it do not count.
func splitProperty(line string) (key, value string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=:"+propertySpace, rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	key, value = line[:end], strings.TrimLeft(line[end:], propertySpace)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], propertySpace)
	}
	return key, value
}

// unescape resolves the backslashes of a key or value. Pairs of \u surrogates make one character.
func unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if text[i] != 'u' {
			out.WriteByte(unescapeByte(text[i]))
			continue
		}
		unit, err := hexUnit(text[i+1:])
		if err != nil {
			return "", err
		}
		i += 4
		if utf16.IsSurrogate(unit) && strings.HasPrefix(text[i+1:], `\u`) {
			if low, err := hexUnit(text[i+3:]); err == nil && utf16.DecodeRune(unit, low) != '\uFFFD' {
				unit = utf16.DecodeRune(unit, low)
				i += 6
			}
		}
		out.WriteRune(unit)
	}
	return out.String(), nil
}

func unescapeByte(b byte) byte {
	switch b {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	default:
		return b
	}
}

// hexUnit reads the four digits after \u.
func hexUnit(text string) (rune, error) {
	if len(text) >= 4 {
		if n, err := strconv.ParseUint(text[:4], 16, 16); err == nil {
			return rune(n), nil
		}
		text = text[:4]
	}
	return 0, fmt.Errorf(`malformed \u escape: %q`, `\u`+text)
}
