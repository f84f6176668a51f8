package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
)

// Documents tests that the command lines of a program in documents use commands and flags
// that exist. They stand in fenced blocks, whole, and in inline code, where arguments may
// be left out. Of a monitor, a .json, its message is read.
func Documents(t *testing.T, newRoot func() *cobra.Command, patterns ...string) {
	t.Helper()
	program, seen := newRoot().Name(), 0
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			for _, line := range commandLines(read(t, file), program) {
				seen++
				if err := parses(newRoot(), filled(newRoot(), line.args), line.whole); err != nil {
					t.Errorf("%s: %s %s: %v", file, program, strings.Join(line.args, " "), err)
				}
			}
		}
	}
	if seen == 0 {
		t.Errorf("no document shows a command line of %s", program)
	}
}

// filled replaces the variables of a monitor that are values of flags with a closed set.
func filled(root *cobra.Command, args []string) []string {
	args = slices.Clone(args)
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	for i, arg := range args {
		if i == 0 || !strings.HasPrefix(arg, "{{") {
			continue
		}
		if f := cmd.Flag(strings.TrimPrefix(args[i-1], "--")); f != nil && cli.Choices(f) != nil {
			args[i] = cli.Choices(f)[0]
		}
	}
	return args
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(file) != ".json" {
		return string(b)
	}
	var monitor struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(b, &monitor); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return monitor.Message
}

// commandLine is what stands behind the program's name.
type commandLine struct {
	args  []string
	whole bool // no argument is left out
}

// commandLines returns the command lines of a program in a Markdown text. In a block where
// some lines begin with $, the others are what the commands print.
func commandLines(text, program string) (all []commandLine) {
	blocks := strings.Split(strings.ReplaceAll("\n"+text, "\\\n", " "), "\n```")
	for i, block := range blocks {
		prompted := i%2 == 1 && strings.Contains(block, "\n$ ")
		for line := range strings.Lines(block) {
			if i%2 == 1 {
				rest, isCommand := strings.CutPrefix(line, "$ ")
				if isCommand || !prompted {
					for _, args := range commands(rest, program) {
						all = append(all, commandLine{args, true})
					}
				}
				continue
			}
			for j, code := range strings.Split(line, "`") {
				if j%2 == 1 {
					for _, args := range commands(code, program) {
						all = append(all, commandLine{args, false})
					}
				}
			}
		}
	}
	return all
}

// ends are the words of a shell that end a command.
var ends = map[string]bool{"|": true, "&": true, "&&": true, "||": true, ";": true, ">": true, "<": true, "2>": true}

// commands returns the arguments of a program in a line of a shell, once for each time
// that the line calls it. Variables may be set before its name, or another program may
// run it behind --.
func commands(line, program string) (all [][]string) {
	var args []string
	inside, before := false, ""
	for _, word := range append(words(line), ";") {
		switch {
		case ends[word] || strings.HasPrefix(word, "#"):
			if inside {
				all = append(all, args)
			}
			args, inside, before = nil, false, ""
			if strings.HasPrefix(word, "#") {
				return all
			}
		case inside:
			args = append(args, word)
		case word == program && (before == "" || before == "--" || before == "sudo" || strings.Contains(before, "=")):
			inside = true
		default:
			before = word
		}
	}
	return all
}

// words splits a line of a shell. What stands in quotes is one word, without them.
func words(line string) (all []string) {
	var word strings.Builder
	begun, quote := false, rune(0)
	end := func() {
		if begun {
			all = append(all, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			end()
		case r == '|' || r == ';' || r == '>' || r == '<':
			end()
			all = append(all, string(r))
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	end()
	return all
}
