package command

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// TestCommandLines: which command lines of a program a text shows.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want []commandLine
	}{
		"inline":        {"Run `prog list --all` or `other prog`.", []commandLine{{[]string{"list", "--all"}, false}}},
		"a block":       {"```\nprog list\nother\n```\nprog nothing", []commandLine{{[]string{"list"}, true}}},
		"an answer":     {"```sh\n$ prog list\nprog is what it prints\n```\n", []commandLine{{[]string{"list"}, true}}},
		"two lines":     {"```\nprog list \\\n  --all\n```\n", []commandLine{{[]string{"list", "--all"}, true}}},
		"a pipe":        {"```\nA=1 prog list 'a b' | jq . > out # prog no\n```\n", []commandLine{{[]string{"list", "a b"}, true}}},
		"two commands":  {"```\nprog a && prog b; prog c &\n```\n", []commandLine{{[]string{"a"}, true}, {[]string{"b"}, true}, {[]string{"c"}, true}}},
		"in a pod":      {"`kubectl exec pod -- prog list`", []commandLine{{[]string{"list"}, false}}},
		"another block": {"```\nprog a\n```\nwords `prog b`\n```\nprog c\n```", []commandLine{{[]string{"a"}, true}, {[]string{"b"}, false}, {[]string{"c"}, true}}},
	} {
		if diff := cmp.Diff(row.want, commandLines(row.text, "prog"), cmp.AllowUnexported(commandLine{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestParses: what is no command line of a program is found.
func TestParses(t *testing.T) {
	t.Parallel()
	newRoot := func() *cobra.Command {
		root := &cobra.Command{Use: "prog", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }}
		show := &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }}
		show.Flags().Int("limit", 0, "")
		root.AddCommand(show)
		return root
	}
	for _, row := range []struct {
		args  []string
		whole bool
		ok    bool
	}{
		{[]string{"show", "x", "--limit", "3"}, true, true},
		{[]string{"show"}, false, true},
		{[]string{"show"}, true, false},
		{[]string{"show", "x", "--limits", "3"}, false, false},
		{[]string{"show", "x", "--limit", "few"}, false, false},
		{[]string{"list"}, false, false},
	} {
		if err := parses(newRoot(), row.args, row.whole); (err == nil) != row.ok {
			t.Errorf("%v: %v", row.args, err)
		}
	}
}
