package main

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// names says how the person who started a command gives its settings, of which
// the packages below know only the keys. All messages go through it, those about
// faults and those of a cluster that refuses something hours later.
type names []setting

// setting is a key, or words in which it occurs, and what stands for it.
type setting struct{ key, name string }

// given names a setting by where its value came from: a variable of the
// environment when no flag wins over it, else the flag, if it has one.
func given(cmd *cobra.Command, flag, variable string) string {
	switch {
	case flag == "":
		return variable
	case variable != "" && !cmd.Flags().Changed(flag) && os.Getenv(variable) != "":
		return variable
	}
	return "--" + flag
}

// named gives an error in the words of the command line.
func (n names) named(err error) error {
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		if text := n.in(err.Error()); text != err.Error() {
			return &renamed{text, err}
		}
		return err
	}
	out := make(fault.List, len(faults))
	for i, f := range faults {
		f.Path, f.Problem, f.Expected = n.of(f.Path), n.in(f.Problem), n.in(f.Expected)
		out[i] = f
	}
	return out
}

// of names the key of a fault. An element of a list is named as the list: the
// problem quotes it.
func (n names) of(key string) string {
	whole, _, _ := strings.Cut(key, "[")
	for _, s := range n {
		if s.key == whole {
			return s.name
		}
	}
	return key
}

// in names the keys within a text. Only what cannot be mistaken for an ordinary
// word is looked for: keys with a dot or an underscore, and several words.
func (n names) in(text string) string {
	longest := slices.SortedFunc(slices.Values(n), func(a, b setting) int { return cmp.Compare(len(b.key), len(a.key)) })
	var out strings.Builder
	for i := 0; i < len(text); {
		s, ok := setting{}, false
		if i == 0 || !inWord(text[i-1:]) {
			s, ok = first(longest, text[i:])
		}
		if ok {
			out.WriteString(s.name)
			i += len(s.key)
			continue
		}
		out.WriteByte(text[i])
		i++
	}
	return out.String()
}

// first gives the setting that a text begins with.
func first(of []setting, text string) (setting, bool) {
	for _, s := range of {
		if rest, ok := strings.CutPrefix(text, s.key); ok && strings.ContainsAny(s.key, "._ ") && !inWord(rest) {
			return s, true
		}
	}
	return setting{}, false
}

// inWord reports whether a text begins in the middle of a word, as which a
// file's path counts. A full stop at the end of a sentence does not.
func inWord(text string) bool {
	if rest, ok := strings.CutPrefix(text, "."); ok {
		return rest != "" && rest[0] != ' ' && rest[0] != '\n'
	}
	return text != "" && strings.IndexByte(" \n,:;()\"'", text[0]) < 0
}

// renamed is an error in other words.
type renamed struct {
	text string
	err  error
}

func (r *renamed) Error() string { return r.text }
func (r *renamed) Unwrap() error { return r.err }
