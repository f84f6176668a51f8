package main

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// names translates the keys of settings, which the packages below use in their
// errors, to the flags and variables of the command line. Every message passes
// through it: faults of the configuration, and errors of a cluster hours later.
type names []setting

// setting is a key, or a phrase that contains it, and its name on the command line.
type setting struct{ key, name string }

// source returns where a setting was read from: the variable if it is set and the flag
// is not given, else the flag. Either may be empty if there is none.
func source(cmd *cobra.Command, flag, variable string) string {
	if flag == "" || variable != "" && !cmd.Flags().Changed(flag) && os.Getenv(variable) != "" {
		return variable
	}
	return "--" + flag
}

// translate returns an error in the words of the command line.
func (n names) translate(err error) error {
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		if text := n.replace(err.Error()); text != err.Error() {
			return &translatedError{text, err}
		}
		return err
	}
	out := make(fault.List, len(faults))
	for i, f := range faults {
		f.Path, f.Problem, f.Expected = n.nameFor(f.Path), n.replace(f.Problem), n.replace(f.Expected)
		out[i] = f
	}
	return out
}

// nameFor returns the name for the key of a fault. An element of a list has the name
// of the list, because the problem quotes the element.
func (n names) nameFor(key string) string {
	list, _, _ := strings.Cut(key, "[")
	for _, s := range n {
		if s.key == list {
			return s.name
		}
	}
	return key
}

// replace replaces the keys in a text, the longest first. Keys that could be ordinary
// words, which have no dot, underscore or space, stay as they are.
func (n names) replace(text string) string {
	byLength := slices.SortedFunc(slices.Values(n), func(a, b setting) int { return cmp.Compare(len(b.key), len(a.key)) })
	var out strings.Builder
	for i := 0; i < len(text); {
		at := slices.IndexFunc(byLength, func(s setting) bool {
			rest, ok := strings.CutPrefix(text[i:], s.key)
			return ok && strings.ContainsAny(s.key, "._ ") && !inWord(rest)
		})
		if at < 0 || i > 0 && inWord(text[i-1:]) {
			out.WriteByte(text[i])
			i++
			continue
		}
		out.WriteString(byLength[at].name)
		i += len(byLength[at].key)
	}
	return out.String()
}

// inWord reports whether a text begins within a word or a file's path. A full stop at
// the end of a sentence does not.
func inWord(text string) bool {
	if rest, ok := strings.CutPrefix(text, "."); ok {
		return rest != "" && rest[0] != ' ' && rest[0] != '\n'
	}
	return text != "" && strings.IndexByte(" \n,:;()\"'", text[0]) < 0
}

// translatedError is an error with the names of the command line.
type translatedError struct {
	text string
	err  error
}

func (t *translatedError) Error() string { return t.text }
func (t *translatedError) Unwrap() error { return t.err }
