// Package secret keeps keys and passwords out of everything that is printed.
//
// A [String] prints as [REDACTED] under the verbs of fmt, in JSON, in YAML and in
// structured logs, so that a configuration that holds secrets can be printed as a
// whole. Only [String.Reveal] returns the value, and a search for that name finds
// every place where a secret leaves the program.
//
// It does not protect where fmt calls no method: in an unexported field, so a
// struct with one must not be printed, and under %p, which vet reports.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/evalworker/evalworker/internal/base/regular"
)

const redacted = "[REDACTED]"

// String is a secret. The empty one prints as nothing.
type String string

// Reveal returns the secret itself.
func (s String) Reveal() string { return string(s) }

// String hides the secret.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the secret under every verb, including those that are not for text,
// under which fmt would print the value.
func (s String) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), s.String())
}

// MarshalText hides the secret in JSON and in text formats.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML hides the secret in YAML.
func (s String) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue hides the secret in structured logs.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MaxFile bounds a file that holds one secret, in bytes.
const MaxFile = 16 << 10

// FromFile reads a secret from a file that holds only the secret and white space
// around it. It reads the file each time, so a replaced file takes effect with the
// next use. The error names the file and repeats none of its content.
func FromFile(path string) (String, error) {
	data, err := regular.Read(path, MaxFile+1)
	text := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s cannot be read: %w", path, bare(err))
	case len(data) > MaxFile:
		return "", fmt.Errorf("%s is longer than %d bytes", path, MaxFile)
	case text == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsAny(text, "\r\n\x00"):
		return "", fmt.Errorf("%s holds more than one line", path)
	}
	return String(text), nil
}

// bare returns the part of an error that does not repeat the path.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Loopback reports whether a host is reached from this machine alone: only there may a
// password travel without encryption, and a server answer without a token. The only
// name that counts is localhost, which always means this machine; an empty host means
// all interfaces.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && addr.IsLoopback()
}
