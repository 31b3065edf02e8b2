package config

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Listener is an address by which clients reach the server.
type Listener struct {
	Name     string // in capitals
	Protocol string // PLAINTEXT
	Host     string // name or address without brackets; "" listens on every interface
	Port     int    // 0 to 65535; 0 listens on a free port
}

// Address returns host:port, with brackets around an IPv6 host.
func (l Listener) Address() string {
	return net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
}

// String returns NAME://host:port.
func (l Listener) String() string { return l.Name + "://" + l.Address() }

// knownProtocols are Kafka's security protocols; supportedProtocol is the one that is spoken.
var knownProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

const supportedProtocol = "PLAINTEXT"

var listenerPattern = regexp.MustCompile(`^([A-Za-z0-9_-]+)://(.*):([0-9]{1,5})$`)

// parseListener reads NAME://host:port, where the host may be empty or an IPv6 address in brackets.
func parseListener(text string) (Listener, error) {
	parts := listenerPattern.FindStringSubmatch(text)
	if parts == nil {
		return Listener{}, invalidConfig("%q is not NAME://host:port", text)
	}
	host := parts[2]
	if bare, found := strings.CutPrefix(host, "["); found {
		host, found = strings.CutSuffix(bare, "]")
		if !found || net.ParseIP(host) == nil {
			return Listener{}, invalidConfig("%q: no IPv6 address in brackets", text)
		}
	} else if strings.ContainsAny(host, ":/@[] ") {
		return Listener{}, invalidConfig("%q: the host is malformed; an IPv6 address needs brackets", text)
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil {
		return Listener{}, invalidConfig("%q: the port is above 65535", text)
	}
	return Listener{Name: strings.ToUpper(parts[1]), Host: host, Port: int(port)}, nil
}

// parseProtocols reads NAME:PROTOCOL, separated by commas.
func parseProtocols(text string) (map[string]string, error) {
	protocols := make(map[string]string)
	for _, item := range splitList(text) {
		name, protocol, found := strings.Cut(item, ":")
		name, protocol = strings.ToUpper(strings.TrimSpace(name)), strings.ToUpper(strings.TrimSpace(protocol))
		if !found || name == "" {
			return nil, invalidConfig("listener.security.protocol.map: %q is not NAME:PROTOCOL", item)
		}
		if !slices.Contains(knownProtocols, protocol) {
			return nil, invalidConfig("listener.security.protocol.map: no security protocol %q", protocol)
		}
		if _, twice := protocols[name]; twice {
			return nil, invalidConfig("listener.security.protocol.map names %s twice", name)
		}
		protocols[name] = protocol
	}
	return protocols, nil
}

// resolveListeners parses and checks listeners, advertised.listeners and the protocols they speak. Listeners
// for controllers are left out.
func (v *Values) resolveListeners() Faults {
	protocols, err := parseProtocols(v.String("listener.security.protocol.map"))
	if err != nil {
		return Faults{{v.Origin("listener.security.protocol.map"), err}}
	}
	controllers := v.List("controller.listener.names")
	for i := range controllers {
		controllers[i] = strings.ToUpper(controllers[i])
	}
	listeners, faults := v.parseListeners("listeners", controllers, protocols)
	advertised, more := v.parseListeners("advertised.listeners", controllers, protocols)
	faults = append(faults, more...)
	if len(faults) > 0 {
		return faults
	}
	if len(listeners) == 0 {
		faults = append(faults, Fault{v.Origin("listeners"), invalidConfig("listeners names no address for clients")})
	}
	for _, l := range advertised {
		if reason := unfitToAdvertise(l, listeners); reason != "" {
			faults = append(faults, Fault{v.Origin("advertised.listeners"), invalidConfig("advertised.listeners: %s %s", l, reason)})
		}
	}
	v.listeners, v.advertised = listeners, advertised
	return faults
}

// parseListeners reads one of the two lists; each name and each address may occur once.
func (v *Values) parseListeners(setting string, skipped []string, protocols map[string]string) ([]Listener, Faults) {
	var listeners []Listener
	var faults Faults
	fault := func(err error) { faults = append(faults, Fault{v.Origin(setting), err}) }
	names := make(map[string]bool)
	addresses := make(map[string]bool)
	for _, text := range v.List(setting) {
		l, err := parseListener(text)
		if err != nil {
			fault(invalidConfig("%s: %s", setting, err))
			continue
		}
		if names[l.Name] {
			fault(invalidConfig("%s: the name %s occurs twice", setting, l.Name))
		}
		names[l.Name] = true
		if slices.Contains(skipped, l.Name) {
			continue
		}
		if setting == "listeners" && l.Port != 0 && addresses[l.Address()] {
			fault(invalidConfig("%s: the address %s occurs twice", setting, l.Address()))
		}
		addresses[l.Address()] = true
		l.Protocol = protocols[l.Name]
		switch l.Protocol {
		case supportedProtocol:
			listeners = append(listeners, l)
		case "":
			fault(invalidConfig("%s: no security protocol is defined for %s; add %s:PLAINTEXT to listener.security.protocol.map", setting, l.Name, l.Name))
		default:
			fault(invalidConfig("%s: %s speaks %s, which is not supported; only %s is", setting, l.Name, l.Protocol, supportedProtocol))
		}
	}
	return listeners, faults
}

// unfitToAdvertise tells why clients cannot be sent to l, "" if they can.
func unfitToAdvertise(l Listener, listeners []Listener) string {
	if !slices.ContainsFunc(listeners, func(own Listener) bool { return own.Name == l.Name }) {
		return "has no listener of its name"
	}
	if ip := net.ParseIP(l.Host); l.Host == "" || ip != nil && ip.IsUnspecified() {
		return "names no host that clients could connect to"
	}
	if l.Port == 0 {
		return "names no port"
	}
	return ""
}
