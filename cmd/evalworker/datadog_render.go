package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/datadog"
)

func newDatadogRenderCommand(g *globals) *cobra.Command {
	var f datadogFlags
	var out string
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write monitors and dashboards as the JSON that Datadog's API takes",
		Long: `Fill the monitors and dashboards in and write them as the JSON that Datadog's API and
its Terraform resources take. No key is needed, and nothing is sent.

With --out each goes into a file of its own, DIR/monitors/NAME.json or
DIR/dashboards/NAME.json; else all go to standard output, in one object.

Monitors of quality watch one evaluator. They are written for those that the
configuration has, or that --evaluator names; a line on standard error says what is
left out. Another number as a threshold changes the query and the options alike.`,
		Example: `  evalworker datadog render --env prod --out rendered
  evalworker datadog render --env prod --notify @slack-llm,@pagerduty --threshold provider-errors=5 --out rendered
  evalworker datadog render --env prod --only monitors | jq '.monitors | keys'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, objects, _, err := f.render(g)
			switch {
			case err != nil:
				return err
			case out == "":
				return printObjects(g, objects)
			}
			return writeObjects(g, out, objects)
		},
	}
	f.add(cmd, g)
	cmd.Flags().StringVarP(&out, "out", "o", "", "`DIR` to write into, which is made if need be (default: standard output)")
	cli.CompleteFolders(cmd, "out")
	return cmd
}

// printObjects prints all objects in one, by kind and name.
func printObjects(g *globals, objects []datadog.Object) error {
	all := map[string]map[string]json.RawMessage{"monitors": {}, "dashboards": {}}
	for _, o := range objects {
		all[o.Kind.Folder()][o.Name] = o.JSON()
	}
	enc := json.NewEncoder(g.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

// writeObjects writes each object into a file. Files of earlier runs stay, and are named.
func writeObjects(g *globals, dir string, objects []datadog.Object) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Within a root, a link that happens to be in the folder cannot lead out of it.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	counts := map[datadog.Kind]int{}
	var written, old []string
	for _, o := range objects {
		name := filepath.Join(o.Kind.Folder(), o.Name+".json")
		if err := root.MkdirAll(o.Kind.Folder(), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
		}
		if err := root.WriteFile(name, o.JSON(), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
		}
		counts[o.Kind]++
		written = append(written, filepath.Join(dir, name))
	}
	for kind := range counts {
		found, err := filepath.Glob(filepath.Join(escapeGlob(dir), kind.Folder(), "*.json"))
		if err != nil {
			return err
		}
		old = append(old, slices.DeleteFunc(found, func(name string) bool { return slices.Contains(written, name) })...)
	}
	if len(old) > 0 {
		slices.Sort(old)
		fmt.Fprintf(g.stderr, "from an earlier run, and left as they are: %s\n", strings.Join(old, ", "))
	}
	_, err = fmt.Fprintf(g.stdout, "wrote %s and %s into %s\n", plural(counts[datadog.Monitor], datadog.Monitor), plural(counts[datadog.Dashboard], datadog.Dashboard), dir)
	return err
}
