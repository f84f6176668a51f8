// Package certs creates certificates for tests: an authority and the certificates
// that it signs, as files in the test's own folder. No key is ever stored in the
// repository.
//
//	ca := certs.New(t)
//	server := ca.Server(t, nil)            // a TLS configuration for 127.0.0.1
//	pair := ca.Issue(t, time.Hour, "host") // or files, also expired ones
//
// Only tests import it.
package certs
