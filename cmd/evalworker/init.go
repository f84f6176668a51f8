package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
)

func newInitCommand(g *globals) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a starter configuration, a schema and a rubric",
		Long: `Write files to begin with into DIR, by default the working directory: a configuration
with every key, its default and what it is for, one JSON Schema and one rubric.
If one of the files exists, nothing is written, unless --force is given.`,
		Example: `  evalworker init
  evalworker init deploy
  evalworker init --force`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.FolderArgument(),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return runInit(g, dir, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "write over files that exist")
	return cmd
}

func runInit(g *globals, dir string, force bool) (err error) {
	files, err := config.Starter()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Within a root, a link that happens to be in the folder cannot lead out of it.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if !force {
		if there := existingFiles(root, files); len(there) > 0 {
			return fmt.Errorf("%s would be overwritten: nothing was written; use --force, or another folder", strings.Join(there, ", "))
		}
	}
	for _, f := range files {
		name := filepath.FromSlash(f.Name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := root.WriteFile(name, f.Content, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		fmt.Fprintf(g.stdout, "wrote %s\n", filepath.Join(dir, name))
	}
	next := "evalworker check"
	if dir != "." {
		next += " --config " + filepath.Join(dir, config.FileName)
	}
	_, err = fmt.Fprintf(g.stdout, "next: %s\n", next)
	return err
}

// existingFiles returns the files that are there already.
func existingFiles(root *os.Root, files []config.File) []string {
	var there []string
	for _, f := range files {
		if _, err := root.Lstat(filepath.FromSlash(f.Name)); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, f.Name)
		}
	}
	return there
}
