package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// CompleteFlag makes shells complete the values of a flag, which the command has. A flag
// without it, and without [CompleteFiles] or [CompleteFolders], completes nothing.
func CompleteFlag(cmd *cobra.Command, name string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, values); err != nil {
		panic(err) // a mistake of the program: no such flag, or twice
	}
}

// CompleteFiles makes shells complete the names of files as values of flags, which the
// command has.
func CompleteFiles(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		CompleteFlag(cmd, name, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
	}
}

// CompleteFolders is [CompleteFiles] for folders.
func CompleteFolders(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		CompleteFlag(cmd, name, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs))
	}
}

// FileArgument returns the completion of a command whose one argument is a file with
// one of some extensions, without their dot.
func FileArgument(extensions ...string) cobra.CompletionFunc {
	return OneArgument(cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt))
}

// FolderArgument returns the completion of a command whose one argument is a folder.
func FolderArgument() cobra.CompletionFunc {
	return OneArgument(cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs))
}

// OneArgument returns the completion of a command whose one argument has values.
func OneArgument(values cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return values(cmd, args, begun)
	}
}

// lookUpTimeout is how long a shell waits for values that have to be looked up.
const lookUpTimeout = time.Second

// LookUp returns a completion of values that have to be looked up, such as in a
// configuration or a store. values returns soon after its context ends, which is after a
// second. A look-up that fails completes nothing, because a shell has no place for an
// error. Values that are no single word of a shell are left out: some come from
// applications.
func LookUp(values func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), lookUpTimeout)
		defer cancel()
		words, err := values(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words = slices.DeleteFunc(words, func(w string) bool { return !isWord(w) })
		slices.Sort(words)
		return slices.Compact(words), cobra.ShellCompDirectiveNoFileComp
	}
}
