// Package secret keeps keys and passwords out of everything that is printed.
//
// A [String] prints as [REDACTED] under the verbs of fmt, in JSON, in YAML and in
// structured logs, so that a configuration that holds one can be printed whole.
// Only [String.Reveal] gives the value, and a search for that name finds every
// place where a secret leaves the program.
//
// Two ways lead past it, because fmt asks no method there: an unexported field,
// so a struct that keeps one there must not be printed, and %p, which vet refuses.
package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[REDACTED]"

// String is a secret. The zero value is no secret and prints as nothing.
type String string

// Reveal gives the secret itself.
func (s String) Reveal() string { return string(s) }

// String hides the secret.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the secret under every verb, also one that is for no text: fmt
// would print what it cannot format.
func (s String) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), s.String())
}

// MarshalText hides the secret in JSON and in text formats.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML hides the secret in YAML.
func (s String) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue hides the secret in structured logs.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
