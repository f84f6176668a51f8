package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  emitter version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "emitter", version())
			return asFailure(err)
		},
	}
}

// version is that of the module, with the revision where it is known, Go and the
// platform.
func version() string {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && s.Value != "" {
				revision = " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("%s%s %s %s/%s", moduleVersion(), revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// moduleVersion is that of the module; devel for a build of a working copy, of
// which Go knows none.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// asFailure marks an error as one of the work; nil stays nil.
func asFailure(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}
