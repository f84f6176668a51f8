// Package errs finds errors by their type, as errors.AsType of Go 1.26 does. The modules
// that applications import build with an older Go.
package errs

import "errors"

// As returns the first error in err's chain that is an E, and reports whether there is one.
func As[E error](err error) (E, bool) {
	var found E
	ok := errors.As(err, &found)
	return found, ok
}
