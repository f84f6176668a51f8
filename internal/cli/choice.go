package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Choice adds a flag with a closed set of values to a command. The flag takes no other
// value, the help lists the values behind usage, and shells complete them. The value is
// kept in p, which holds the default; when that is empty, an empty value is taken too.
//
//	cli.Choice(cmd, &unit, "unit", "", summary.Units(), "verdicts are independent between")
func Choice[T ~string](cmd *cobra.Command, p *T, name, shorthand string, values []T, usage string) {
	c := &choice{value: string(*p), optional: *p == "", set: func(s string) { *p = T(s) }}
	for _, v := range values {
		c.values = append(c.values, string(v))
	}
	cmd.Flags().VarP(c, name, shorthand, usage+": "+Alternatives(c.values))
	CompleteFlag(cmd, name, cobra.FixedCompletions(c.values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder))
}

// Choices returns the closed set of a flag's values; nil for a flag that has none.
func Choices(flag *pflag.Flag) []string {
	if c, ok := flag.Value.(*choice); ok {
		return c.values
	}
	return nil
}

// choice is the value of a flag with a closed set of values.
type choice struct {
	value    string
	values   []string
	optional bool
	set      func(string)
}

// Set takes one of the values.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.values, s) && (s != "" || !c.optional) {
		return Want(Alternatives(c.values))
	}
	c.value = s
	c.set(s)
	return nil
}

// String returns the value.
func (c *choice) String() string { return c.value }

// Type names the value in the help.
func (*choice) Type() string { return "string" }

// Alternatives lists words as a person would: "a, b or c".
func Alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
