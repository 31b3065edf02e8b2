package wire

import (
	"net"
	"slices"
	"testing"
)

func TestInherited(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		want    []string
		fails   bool
	}{
		"none":            {[]string{"HOME=/"}, nil, false},
		"another process": {[]string{"LISTEN_PID=8", "LISTEN_FDS=1"}, nil, false},
		"no process":      {[]string{"LISTEN_FDS=1"}, nil, false},
		"nameless":        {[]string{"LISTEN_PID=7", "LISTEN_FDS=2"}, []string{"", ""}, false},
		"named":           {[]string{"LISTEN_PID=7", "LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"}, []string{"a", "b"}, false},
		"zero":            {[]string{"LISTEN_PID=7", "LISTEN_FDS=0", "LISTEN_FDNAMES="}, nil, false},
		"too few names":   {[]string{"LISTEN_PID=7", "LISTEN_FDS=2", "LISTEN_FDNAMES=a"}, nil, true},
		"no number":       {[]string{"LISTEN_PID=7"}, nil, true},
		"negative":        {[]string{"LISTEN_PID=7", "LISTEN_FDS=-1"}, nil, true},
		"too many":        {[]string{"LISTEN_PID=7", "LISTEN_FDS=1000000000"}, nil, true},
	} {
		got, err := inherited(c.environ, 7)
		if (err != nil) != c.fails || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, c := range map[string]struct {
		sockets []string
		want    []int // nil: an error
	}{
		"no sockets":         {nil, []int{-1, -1, -1}},
		"one":                {[]string{"sordini.socket"}, []int{0, -1, -1}},
		"in order":           {[]string{"", ""}, []int{0, 1, -1}},
		"by name":            {[]string{"admin", "second", "first"}, []int{2, 1, 0}},
		"names before order": {[]string{"unknown", "FIRST"}, []int{1, 0, -1}},
		"one name twice":     {[]string{"first", "first"}, []int{0, 1, -1}},
		"HTTP by name only":  {[]string{"", "", ""}, nil},
		"too many":           {[]string{"first", "second", "admin", "more"}, nil},
	} {
		var sockets []Socket
		for _, s := range c.sockets {
			sockets = append(sockets, Socket{s, l})
		}
		got, err := Places(sockets, []string{"FIRST", "SECOND"}, "admin")
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
