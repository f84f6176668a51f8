package config

import (
	"fmt"
	"strings"

	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/validators"
)

// Doc returns docs/configuration.md.
func Doc() []byte {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from internal/config by go generate; do not edit. -->

One YAML file, ` + "`evalworker.yaml`" + `, given with ` + "`--config`" + ` or ` + "`EVALWORKER_CONFIG`" + `; ` + "`evalworker init`" + ` writes one to begin with.
` + "`evalworker check`" + ` says everything that is wrong with it, or prints what is in effect.

The environment stands over the file. Each key that the tables name a variable for can be set by it, or by the same
name with ` + "`_FILE`" + ` added, whose value then is the path of a file that holds the value. ` + "`KAFKA_BROKERS`" + `, ` + "`OPENAI_API_KEY`" + `
(also with ` + "`_FILE`" + `) and ` + "`OPENAI_BASE_URL`" + ` are read too; they fill in what the file leaves out, except that ` + "`KAFKA_BROKERS`" + `
wins over it. Lists are written with commas. A variable that is empty counts as unset; one that begins with ` + "`EVALWORKER_`" + `
and is not known is a fault.

` + "`evaluators`, `sampling`, `models`, `judges`, `feedback`" + ` and the files of schemas and rubrics may change while the worker runs: it notices,
or is told with SIGHUP. Other keys need a restart, and the log says so.

In the paths below NAME stands for a name of your choice and [] for an item of a list.
`)
	open := false
	for _, k := range Keys() {
		top := !strings.Contains(k.Path, ".")
		if top && (k.Section() || !open) {
			heading, intro := "Folders", "What else the file names." // for the keys outside sections
			if k.Section() {
				heading, intro = k.Path, cell(k.Doc)
			}
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | type | default | variable | meaning |\n|---|---|---|---|---|\n", heading, intro)
			open = !k.Section()
		}
		if !k.Section() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Path, k.Type, code(k.Default), code(k.Env), cell(k.Doc))
		} else if !top {
			fmt.Fprintf(&b, "| `%s` | section | | | %s |\n", k.Path, cell(k.Doc))
		}
		if top && k.Section() {
			open = false
		}
	}
	b.WriteString("\n## Types of evaluator\n\nBesides name, type, rate, when and timeout they accept:\n\n| type | what passes | options |\n|---|---|---|\n")
	for _, k := range validators.Kinds() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, cell(k.Description), codes(policy.Options(k.Name)))
	}
	fmt.Fprintf(&b, "| `%s` | A model finds that the rubric is met. | %s |\n", policy.TypeJudge, codes(policy.Options(policy.TypeJudge)))
	return []byte(b.String())
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

func codes(keys []string) string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = code(key)
	}
	return strings.Join(out, ", ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
