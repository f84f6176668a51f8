package secret

import (
	"net/netip"
	"strings"
)

// Loopback reports whether a host is reached from this machine alone: only there may a
// password travel without encryption, and a server answer without a token. The only
// name that counts is localhost, which always means this machine; an empty host means
// all interfaces.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && addr.IsLoopback()
}
