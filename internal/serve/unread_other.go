//go:build !unix

package serve

import "net"

// unread reports whether the system has bytes of the client that nobody has read; here
// it cannot be asked.
func unread(*net.TCPConn) bool { return false }
