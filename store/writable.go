//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import "syscall"

// writable reports whether this process may change a file, or make files in a folder.
func writable(path string) bool {
	const write = 2 // W_OK
	return syscall.Access(path, write) == nil
}
