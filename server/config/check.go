package config

import (
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check is what a value has to satisfy beside its kind. The zero check accepts everything.
type check struct {
	rule string // in words, for documentation: "at least 1"
	test func(value) *violation
}

// violation says what breaks a check: the offending value, or item of a list, and why.
type violation struct {
	value  string
	reason string
}

// numeric is the number of an integer or double value.
func (v value) numeric() float64 {
	if v.integer != 0 {
		return float64(v.integer)
	}
	return v.number
}

// atLeast accepts numbers from low on.
func atLeast(low float64) check {
	return between(low, math.Inf(1))
}

// between accepts numbers from low to high, both included.
func between(low, high float64) check {
	rule := "at least " + formatBound(low)
	if !math.IsInf(high, 1) {
		rule = formatBound(low) + " to " + formatBound(high)
	}
	return check{rule: rule, test: func(v value) *violation {
		switch n := v.numeric(); {
		case n < low:
			return &violation{v.text, "Value must be at least " + formatBound(low)}
		case n > high:
			return &violation{v.text, "Value must be no more than " + formatBound(high)}
		}
		return nil
	}}
}

// minusOneOr accepts -1, which means no limit, and numbers from low on.
func minusOneOr(low float64) check {
	return check{rule: "-1, or at least " + formatBound(low), test: func(v value) *violation {
		if n := v.numeric(); n != -1 && n < low {
			return &violation{v.text, "Value must be -1 or at least " + formatBound(low)}
		}
		return nil
	}}
}

func formatBound(n float64) string {
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// gzipLevel accepts the levels of gzip (KIP-390): -1 is the library's own choice.
var gzipLevel = check{rule: "-1, or 1 to 9", test: func(v value) *violation {
	if v.integer != -1 && (v.integer < 1 || v.integer > 9) {
		return &violation{v.text, "Value must be between 1 and 9 or equal to -1"}
	}
	return nil
}}

// positive accepts numbers above zero.
var positive = check{rule: "above 0", test: func(v value) *violation {
	if v.numeric() <= 0 {
		return &violation{v.text, "Value must be above 0"}
	}
	return nil
}}

// bufferSize accepts sizes of socket buffers.
var bufferSize = minusOneOr(1)

// oneOf accepts exactly these words.
func oneOf(words ...string) check {
	return check{rule: strings.Join(words, ", "), test: func(v value) *violation {
		if !slices.Contains(words, v.text) {
			return &violation{v.text, "String must be one of: " + strings.Join(words, ", ")}
		}
		return nil
	}}
}

// oneOfFold accepts these words in lower and upper case.
func oneOfFold(words ...string) check {
	return check{rule: strings.Join(words, ", "), test: func(v value) *violation {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v.text) }) {
			return &violation{v.text, "String must be one of (case insensitive): " + strings.Join(words, ", ")}
		}
		return nil
	}}
}

// listOf accepts lists of these words.
func listOf(words ...string) check {
	return check{rule: "list of " + strings.Join(words, ", "), test: func(v value) *violation {
		for _, item := range v.list {
			if !slices.Contains(words, item) {
				return &violation{item, "String must be one of: " + strings.Join(words, ", ")}
			}
		}
		return nil
	}}
}

// refused accepts nothing but the empty value: to ignore such a setting would break a promise.
func refused(why string) check {
	return check{rule: "not set", test: func(v value) *violation {
		if v.text == "" {
			return nil
		}
		return &violation{v.text, strings.ToUpper(why[:1]) + why[1:]}
	}}
}

// mustBeFalse accepts false only: to ignore true would break a promise.
func mustBeFalse(why string) check {
	return check{rule: "false", test: func(v value) *violation {
		if v.yes {
			return &violation{v.text, strings.ToUpper(why[:1]) + why[1:]}
		}
		return nil
	}}
}

// exactRoles accepts broker and controller together, in any order.
var exactRoles = check{rule: "broker,controller", test: func(v value) *violation {
	for _, role := range v.list {
		if role != "broker" && role != "controller" {
			return &violation{role, "String must be one of: broker, controller"}
		}
	}
	if len(v.list) != 2 {
		return &violation{v.text, "One process is broker and controller at once, both have to be named"}
	}
	return nil
}}

// hostPort accepts host:port with a port of 0 to 65535, and nothing.
var hostPort = check{rule: "host:port, or empty", test: func(v value) *violation {
	if v.text == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(v.text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return &violation{v.text, "Value must be host:port with a port of 0 to 65535"}
	}
	return nil
}}

// congestionName is what a kernel takes as the name of a congestion control: TCP_CA_NAME_MAX is 16 with the
// final zero.
var congestionName = regexp.MustCompile(`^[a-z0-9_-]{0,15}$`)

// tcpCongestion accepts names of congestion controls. Whether the system has one shows when it is used.
var tcpCongestion = check{rule: "name of up to 15 characters, or empty", test: func(v value) *violation {
	if !congestionName.MatchString(v.text) {
		return &violation{v.text, "Value must be a name of up to 15 characters of a-z, 0-9, _ and -"}
	}
	return nil
}}

// ipOverrides accepts host:count, separated by commas.
var ipOverrides = check{rule: "host:count, ...", test: func(v value) *violation {
	if _, err := parseOverrides(v.text); err != nil {
		return &violation{v.text, err.Error()}
	}
	return nil
}}

// parseOverrides reads host:count,host:count. Hosts may be IPv6 addresses, so the last colon separates.
func parseOverrides(text string) (map[string]int, error) {
	limits := make(map[string]int)
	for _, item := range splitList(text) {
		colon := strings.LastIndexByte(item, ':')
		if colon <= 0 {
			return nil, fmt.Errorf("%q is not host:count", item)
		}
		count, err := strconv.ParseUint(strings.TrimSpace(item[colon+1:]), 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%q does not end in a count", item)
		}
		limits[strings.Trim(item[:colon], "[]")] = int(count)
	}
	return limits, nil
}

var throttledReplica = regexp.MustCompile(`^[0-9]+:[0-9]+$`)

// throttledReplicas accepts * and lists of partition:broker.
var throttledReplicas = check{rule: "*, or list of partition:broker", test: func(v value) *violation {
	for _, item := range v.list {
		if !throttledReplica.MatchString(item) && v.text != "*" {
			return &violation{"[" + strings.Join(v.list, ", ") + "]",
				"Value must be the literal '*' or a list of replicas in the following format: " +
					"[partitionId]:[brokerId],[partitionId]:[brokerId],..."}
		}
	}
	return nil
}}

var isoDuration = regexp.MustCompile(`^P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?$`)

// offsetReset accepts where a share group begins (KIP-932, KIP-1106).
var offsetReset = check{rule: "earliest, latest, by_duration:<PnDTnHnMn.nS>", test: func(v value) *violation {
	if v.text == "earliest" || v.text == "latest" {
		return nil
	}
	duration, found := strings.CutPrefix(v.text, "by_duration:")
	if found && isoDuration.MatchString(duration) && strings.ContainsAny(duration, "0123456789") &&
		!strings.HasSuffix(duration, "T") {
		return nil
	}
	return &violation{v.text, "The value must be either 'earliest', 'latest' or of the format " +
		"'by_duration:<PnDTnHnMn.nS>'"}
}}
