package log

import (
	"strconv"
	"strings"
)

// DirName is the name of a partition's directory, as in Kafka: <topic>-<partition>.
func DirName(topic string, partition int32) string {
	return topic + "-" + strconv.FormatInt(int64(partition), 10)
}

// ParseDirName reads what DirName makes, and nothing else.
func ParseDirName(name string) (topic string, partition int32, ok bool) {
	at := strings.LastIndexByte(name, '-')
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[at+1:], 10, 32)
	if err != nil || n < 0 || name[at+1:] != strconv.FormatInt(n, 10) {
		return "", 0, false
	}
	return name[:at], int32(n), true
}
