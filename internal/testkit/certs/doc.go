// Package certtest makes certificates for tests: an authority, and what it has
// signed, in files below the test's own folder. Nothing of it is ever stored in
// the repository.
package certs
