package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/cli"
)

func (d *datasetsCommand) export() *cobra.Command {
	var f filterFlags
	var out string
	var names, descriptions []string
	for _, format := range datasets.Formats() {
		names, descriptions = append(names, format.Name), append(descriptions, format.Description)
	}
	name := names[0]
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write cases as a dataset, one exemplar a line",
		Long: fmt.Sprintf(`Write cases as a dataset, one exemplar a line, as %s, without
those that were dismissed. A file is written whole or not at all.`, cli.Alternatives(descriptions)),
		Example: `  evalworker datasets export --out cases.jsonl
  evalworker datasets export --format csv --since 168h --out cases.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			format := datasets.Formats()[slices.Index(names, name)]
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				counts, err := cases.CountsOf(cmd.Context(), filter)
				if err != nil || counts.Cases == 0 {
					if err = errors.Join(err, d.checkNames(cmd.Context(), cases, filter)); err != nil {
						return err
					}
				}
				if out == "" || out == "-" {
					_, err := cases.Export(cmd.Context(), d.g.stdout, format, filter)
					return err
				}
				total := counts.Cases
				if filter.Limit > 0 {
					total = min(total, filter.Limit)
				}
				progress := cli.NewProgress(d.g.stderr, int64(total), "cases", false)
				n, err := exportFile(cmd.Context(), cases.WithProgress(progress.Add), out, format, filter)
				progress.Finish()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(d.g.stderr, "%s written to %s\n", cli.Plural(n, "exemplar"), out)
				return err
			})
		},
	}
	f.add(cmd, d, "at most so many cases (default: all)")
	cli.Choice(cmd, &name, "format", "", names, "format of the dataset")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file (default: standard output)")
	cli.CompleteFiles(cmd, "out")
	return cmd
}

// exportFile writes to a temporary file beside the named one, which it then replaces,
// so that a reader never sees half of an export. A file that is not regular, such as
// /dev/stdout, is written to directly.
func exportFile(ctx context.Context, cases *datasets.Cases, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return exportInto(ctx, cases, path, format, f)
	}
	if path, err = resolveLinks(path); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err = cases.Export(ctx, tmp, format, f)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp.Name(), path)
}

func exportInto(ctx context.Context, cases *datasets.Cases, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return cases.Export(ctx, out, format, f)
}

// resolveLinks returns the file to which a path leads, which need not exist. A link
// that leads nowhere is an error, because the link itself would be replaced.
func resolveLinks(path string) (string, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is a link that leads nowhere: make its target, or name another file: %w", path, fs.ErrNotExist)
	}
	return to, err
}
