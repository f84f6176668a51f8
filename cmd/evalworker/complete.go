package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/cli"
)

// completeEvaluators completes the names of the configuration's evaluators; without
// any, those of the evaluators that run by default.
func completeEvaluators(g *globals) cobra.CompletionFunc {
	return cli.LookUp(func(context.Context) ([]string, error) {
		cfg, err := g.load()
		if err != nil {
			return nil, err
		}
		return evaluatorNames(cfg), nil
	})
}

// maxCompletionCases is the number of cases in which values are looked for.
const maxCompletionCases = 1000

// completeCases completes values of the most frequent cases in the store, which is not
// made if there is none.
func completeCases(g *globals, store *string, values func(datasets.Case) []string) cobra.CompletionFunc {
	return cli.LookUp(func(ctx context.Context) (found []string, err error) {
		d := &datasetsCommand{g: g, store: *store}
		err = d.read(ctx, func(cases *datasets.Cases) error {
			list, err := cases.List(ctx, datasets.Filter{Limit: maxCompletionCases})
			for _, c := range list {
				found = append(found, values(c)...)
			}
			return err
		})
		return found, err
	})
}

// completeStore completes --store: SQLite files, and the beginning of the others.
func completeStore(cmd *cobra.Command) {
	const files, server = "sqlite:", "postgres://"
	cli.CompleteFlag(cmd, "store", func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		path, ok := strings.CutPrefix(begun, files)
		if !ok {
			return []cobra.Completion{files, server}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		}
		found, err := filepath.Glob(escapeGlob(path) + "*.db")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for i := range found {
			found[i] = files + found[i]
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	})
}

// escapeGlob returns a pattern that matches a text alone.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
