package api

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Hosts of Google's that are answered here beside those under googleapis.com.
const (
	hostMetadata = "metadata.google.internal"
	hostAccounts = "accounts.google.com"
)

// hosts knows which names are ours.
type hosts struct {
	names []string // lower case
	port  string
}

func newHosts(names []string, addr net.Addr) hosts {
	h := hosts{names: []string{"localhost"}}
	for _, n := range names {
		h.names = append(h.names, strings.ToLower(n))
	}
	_, h.port, _ = net.SplitHostPort(addr.String())
	return h
}

// isGoogle reports whether the host is one of Google's that we answer for.
func isGoogle(host string) bool {
	return strings.HasSuffix(host, ".googleapis.com") || host == hostMetadata || host == hostAccounts
}

// isOwn reports whether the host is a name of this server. Every IP address
// is: a page that is to reach us under a name of its own needs a name.
func (h *hosts) isOwn(host string) bool {
	if slices.Contains(h.names, host) {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// isProxied reports whether the proxy answers for host:port by itself.
func (h *hosts) isProxied(host, port string) bool {
	if isGoogle(host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return port == h.port && (slices.Contains(h.names, host) || err == nil && ip.IsLoopback())
}

// matches reports whether host is one of the patterns, which are names or
// *.DOMAIN.
func matches(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		p = strings.ToLower(p)
		domain, isWildcard := strings.CutPrefix(p, "*")
		return p == host || isWildcard && strings.HasSuffix(host, domain)
	})
}

// splitHost gives host and port of a Host header or a CONNECT target, the
// host in lower case, without brackets and without the dot at its end.
func splitHost(hostport string) (host, port string) {
	host = hostport
	// A colon within brackets belongs to an IPv6 address.
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		host, port = hostport[:i], hostport[i+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, ".")), port
}
