package config

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/evalworker/evalworker/policy"
)

//go:embed starter
var starter embed.FS

// FileName is the default name of the configuration file.
const FileName = "evalworker.yaml"

// File is one file of the starter folder.
type File struct {
	Name    string // with slashes, relative to the folder
	Content []byte
}

// Starter returns the files for a new team: the configuration with every key, its
// default and its description, one schema and one rubric. They have no faults, and
// checking them needs no key and no broker.
func Starter() ([]File, error) {
	files := []File{{FileName, starterConfig()}}
	err := fs.WalkDir(starter, "starter", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := starter.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, File{strings.TrimPrefix(name, "starter/"), content})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("starter files: %w", err)
	}
	return files, nil
}

// starterKeys returns the keys that the starter sets; the others become comments.
// For lists and models the value is the text itself.
func starterKeys() map[string]string {
	return map[string]string{
		"kafka.brokers": "", "kafka.topic": "", "kafka.group": "",
		"schemas": "", "rubrics": "", "sampling.default_rate": "", "store.url": "",
		"models.NAME.model": "",
		"evaluators": `  # The reply has to follow schemas/support_reply.json.
  - {name: reply_format, type: json_schema, schema: support_reply}
  # Nothing that looks like a key or a password may be said.
  - {name: no_secrets, type: secrets}
  # A model judges a part of the replies; this needs OPENAI_API_KEY.
  - {name: correctness, type: llm_judge, rubric: correctness, when: 'feature == "support_agent"'}
  - {name: house_style, type: llm_judge, rubric: house_style, rate: 0.02}
`,
		"sampling.rules": `    - {name: unhappy users, when: 'user_rating == "down" || status == "error"', rate: 1}
`,
	}
}

// starterConfig returns the table of keys as a configuration file.
func starterConfig() []byte {
	var b strings.Builder
	b.WriteString("# What evalworker consumes, evaluates and reports.\n" +
		"#\n# Keys that are commented out show their defaults. See what is in effect, and what\n# is wrong, with: evalworker check\n")
	w := starterWriter{b: &b, set: starterKeys()}
	keys := Keys()
	widths := map[string]int{} // of the column of keys, by section
	for _, k := range keys {
		if !k.Section() {
			widths[k.section()] = max(widths[k.section()], len("# "+k.Name()+": "+k.Default))
		}
	}
	for _, k := range keys {
		if strings.Contains(k.Path, "[]") || strings.Contains(k.Path, ".price") {
			continue // lists have examples instead
		}
		w.key(k, widths[k.section()])
	}
	return []byte(b.String())
}

type starterWriter struct {
	b   *strings.Builder
	set map[string]string
}

func (w starterWriter) key(k Key, width int) {
	depth := strings.Count(k.Path, ".")
	indent := strings.Repeat("  ", depth)
	text, isSet := w.set[k.Path]
	if k.Section() {
		if depth == 0 {
			fmt.Fprintf(w.b, "\n# %s\n%s:\n", k.Doc, k.Name())
		} else {
			fmt.Fprintf(w.b, "%s# %s\n%s%s:\n", indent, k.Doc, indent, k.Name())
		}
		switch k.Path {
		case "models":
			fmt.Fprintf(w.b, "  %s:\n", policy.DefaultModel)
		case "evaluators":
			w.options()
		}
		w.b.WriteString(text)
		return
	}
	if depth == 0 {
		fmt.Fprintf(w.b, "\n# %s\n%s: %s\n", k.Doc, k.Name(), k.Default)
		return
	}
	line := k.Name() + ": " + k.Default
	if !isSet {
		line = "# " + line
	}
	fmt.Fprintf(w.b, "%s%-*s  # %s\n", indent, width, line, k.Doc)
	if k.Path == "models.NAME.model" {
		fmt.Fprintf(w.b, "%s# What a model costs whose price is not known, in US dollars for a million tokens:\n%[1]s#   price: {input: 0.15, output: 0.6}\n", indent)
	}
}

// options lists the types of evaluator.
func (w starterWriter) options() {
	w.b.WriteString("  # Every type takes name, type, rate, when and timeout. Types and their options:\n")
	for _, kind := range policy.Types() {
		line := "none"
		if keys := policy.Options(kind); len(keys) > 0 {
			line = strings.Join(keys, ", ")
		}
		fmt.Fprintf(w.b, "  #   %-13s %s\n", kind, line)
	}
}
