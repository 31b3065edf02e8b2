package broker

import (
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, the same on all Linux platforms that Go knows.
const tick = 10 * time.Millisecond

// cpu is user and system time of the text of a /proc/PID/stat, 0 if it has none. The
// program's name is in brackets and may hold anything.
func cpu(stat string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	var total time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		total += time.Duration(n) * tick
	}
	return total
}
