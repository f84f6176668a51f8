//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package datasets

import "os"

// lock does nothing where there is no lock that ends with its process.
func lock(*os.File) error { return nil }
