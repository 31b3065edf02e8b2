package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Socket is a listening socket that the process was started with. Whoever started it
// keeps the socket while the process is replaced, so that nobody is refused meanwhile:
// connections wait until the next process accepts them.
type Socket struct {
	Name     string // that the supervisor gave it, "" for none
	Listener *net.TCPListener
}

// firstInherited is the first descriptor that is handed over.
const firstInherited = 3

// Inherit takes over the sockets that the environment, a list of NAME=value, speaks of.
// It may be called once; the variables are removed from the environment of the process,
// and its children do not get the sockets. The protocol is systemd's, sd_listen_fds(3):
//
//	LISTEN_PID      the process that is meant; nothing is for any other
//	LISTEN_FDS      the number of descriptors, from 3 on
//	LISTEN_FDNAMES  their names, with colons between; optional
func Inherit(environ []string) ([]Socket, error) {
	names, err := inherited(environ, os.Getpid())
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		err = errors.Join(err, os.Unsetenv(name))
	}
	if err != nil {
		return nil, err
	}
	var all []Socket
	for i, name := range names {
		l, err := inherit(firstInherited + i)
		if err != nil {
			CloseSockets(all)
			return nil, fmt.Errorf("socket %d %q of LISTEN_FDS: %w", firstInherited+i, name, err)
		}
		all = append(all, Socket{name, l})
	}
	return all, nil
}

// inherited are the names of the descriptors that are meant for the process.
func inherited(environ []string, pid int) ([]string, error) {
	env := make(map[string]string)
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	if env["LISTEN_PID"] != strconv.Itoa(pid) {
		return nil, nil
	}
	const most = 1000
	n, err := strconv.Atoi(env["LISTEN_FDS"])
	if err != nil || n < 0 || n > most {
		return nil, fmt.Errorf("LISTEN_FDS=%q: not a number of sockets", env["LISTEN_FDS"])
	}
	names := make([]string, n)
	if given, ok := env["LISTEN_FDNAMES"]; ok && n > 0 {
		list := strings.Split(given, ":")
		if len(list) != n {
			return nil, fmt.Errorf("LISTEN_FDNAMES=%q: not %d names", given, n)
		}
		names = list
	}
	return names, nil
}

// inherit makes a listener of a descriptor, which is closed: the listener has one of
// its own that children do not get.
func inherit(fd int) (*net.TCPListener, error) {
	f := os.NewFile(uintptr(fd), "inherited")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listens on %s, want TCP", l.Addr().Network()), l.Close())
	}
	return t, nil
}

// CloseSockets closes sockets that are not served.
func CloseSockets(sockets []Socket) {
	for _, s := range sockets {
		s.Listener.Close()
	}
}

// Places says which socket each listener gets, -1 for none: first the one of its name,
// in capitals or not; those whose names are no listener's then go to the listeners that
// have none, in order. Listeners in byNameOnly get none in this way. It is an error if
// a socket is left.
func Places(sockets []Socket, listeners []string, byNameOnly ...string) (places []int, err error) {
	all := append(listeners[:len(listeners):len(listeners)], byNameOnly...)
	places = make([]int, len(all))
	for i := range places {
		places[i] = -1
	}
	var nameless []int
	for i, s := range sockets {
		at := -1
		for j, name := range all {
			if strings.EqualFold(name, s.Name) && places[j] < 0 {
				at = j
				break
			}
		}
		if at < 0 {
			nameless = append(nameless, i)
		} else {
			places[at] = i
		}
	}
	for j := range listeners {
		if places[j] < 0 && len(nameless) > 0 {
			places[j], nameless = nameless[0], nameless[1:]
		}
	}
	if len(nameless) > 0 {
		i := nameless[0]
		return nil, fmt.Errorf("socket %d %q of LISTEN_FDS, %s, is for none of the listeners %s", firstInherited+i, sockets[i].Name,
			sockets[i].Listener.Addr(), strings.Join(all, ", "))
	}
	return places, nil
}
