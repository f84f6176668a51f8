package evalworker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const logsPage = "docs/logs.md"

// Levels of a line of the log. levelVaries is one that is decided when it is written.
const (
	levelWarn   = "WARN"
	levelError  = "ERROR"
	levelInfo   = "INFO"
	levelVaries = "a level that varies"
)

// logLine is a message that a program can write.
type logLine struct {
	level string
	at    string // file and line of the call
}

// TestLogsAreDocumented: docs/logs.md has every message at WARN and above that the two
// programs can write, at its level, and no message that they cannot write.
//
// A message is one call of slog.Logger whose text is a constant, however it is put together. A
// text that is known only at run time cannot be looked up by whoever reads it, so it
// is an error here: choose between calls, or put what varies into an attribute.
func TestLogsAreDocumented(t *testing.T) {
	t.Parallel()
	written := map[string][]logLine{}
	for _, p := range typedPackages(t, "./cmd/evalworker", "./cmd/emitter") {
		if strings.HasPrefix(p.path, module+"/internal/demo") {
			continue // the demo's servers, which a worker does not have
		}
		for _, problem := range p.logLines(written) {
			t.Error(problem)
		}
	}
	if len(written) < 50 {
		t.Fatalf("only %d messages found: this test no longer sees how the programs log", len(written))
	}
	quotesAreWritten(t, written)
	page := documentedLines(t)
	for _, msg := range slices.Sorted(maps.Keys(written)) {
		for _, line := range written[msg] {
			levels, ok := page[msg]
			switch {
			case line.level == levelInfo:
			case !ok:
				t.Errorf("%s: %s has no row for the message %q: write | LEVEL | `%s` | when, and what it means | what to do |", line.at, logsPage, msg, msg)
			case line.level == levelVaries:
			case !slices.Contains(levels, line.level):
				t.Errorf("%s: %q is written at %s, and %s says %s", line.at, msg, line.level, logsPage, strings.Join(levels, ", "))
			}
		}
	}
	for _, msg := range slices.Sorted(maps.Keys(page)) {
		for _, level := range page[msg] {
			if !slices.ContainsFunc(written[msg], func(l logLine) bool { return l.level == level || l.level == levelVaries }) {
				t.Errorf("%s: no call writes %q at %s: mend the row or remove it", logsPage, msg, level)
			}
		}
	}
}

// quotesAreWritten checks lines of the log that pages quote, whole or shortened.
func quotesAreWritten(t *testing.T, written map[string][]logLine) {
	t.Helper()
	quote := regexp.MustCompile(`"msg":"([^"]+?)\.*"`)
	for _, page := range pages(t) {
		for _, m := range quote.FindAllStringSubmatch(read(t, page), -1) {
			begins := func(msg string) bool { return strings.HasPrefix(msg, m[1]) }
			if !slices.ContainsFunc(slices.Collect(maps.Keys(written)), begins) {
				t.Errorf("%s quotes a line of the log with the message %q, which no call writes", page, m[1])
			}
		}
	}
}

// documentedLines returns the levels of each message of the page, from rows such as
//
//	| WARN | `message` | meaning | mend |
func documentedLines(t *testing.T) map[string][]string {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| (WARN|ERROR|INFO) \\| `([^`]+)` \\| .*\\|$")
	page := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(read(t, logsPage), -1) {
		if slices.Contains(page[m[2]], m[1]) {
			t.Errorf("%s: two rows for %q at %s", logsPage, m[2], m[1])
		}
		page[m[2]] = append(page[m[2]], m[1])
	}
	return page
}

// typedPackage is one package of ours, with types.
type typedPackage struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// listedPackage is what the go command says of a package.
type listedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// exported lists packages with all that they import, and returns an importer of their
// types, which come from the compiler's cache.
func exported(t *testing.T, fset *token.FileSet, patterns ...string) ([]listedPackage, types.Importer) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export"}, patterns...)...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	var all []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listedPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		all = append(all, p)
	}
	return all, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

// typedPackages type-checks the packages of this module that the programs consist of.
func typedPackages(t *testing.T, programs ...string) []typedPackage {
	t.Helper()
	fset := token.NewFileSet()
	all, imports := exported(t, fset, programs...)
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var packages []typedPackage
	for _, p := range all {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			short, err := filepath.Rel(root, filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			f, err := parser.ParseFile(fset, short, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		packages = append(packages, checkTypes(t, p.ImportPath, fset, files, imports))
	}
	return packages
}

// checkTypes type-checks one package.
func checkTypes(t *testing.T, path string, fset *token.FileSet, files []*ast.File, imports types.Importer) typedPackage {
	t.Helper()
	p := typedPackage{path, fset, files, &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
	if _, err := (&types.Config{Importer: imports}).Check(path, fset, files, p.info); err != nil {
		t.Fatal(err)
	}
	return p
}

// logLines adds the messages that the package's calls write at INFO and above, and
// returns what is wrong with calls.
func (p typedPackage) logLines(written map[string][]logLine) (problems []string) {
	for call, fn := range p.slogCalls() {
		at := p.fset.Position(call.Pos())
		level, text, err := p.logCall(fn, call)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s:%d: %v", at.Filename, at.Line, err))
		case level != "":
			written[text] = append(written[text], logLine{level, fmt.Sprintf("%s:%d", at.Filename, at.Line)})
		}
	}
	return problems
}

// slogCalls returns the package's calls into log/slog, with the function of each.
func (p typedPackage) slogCalls() iter.Seq2[*ast.CallExpr, *types.Func] {
	return func(yield func(*ast.CallExpr, *types.Func) bool) {
		for _, f := range p.files {
			for n := range ast.Preorder(f) {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					continue
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				fn, ok := p.info.Uses[sel.Sel].(*types.Func)
				if ok && fn.Pkg() != nil && fn.Pkg().Path() == "log/slog" && !yield(call, fn) {
					return
				}
			}
		}
	}
}

// logCall returns the level and the message of a call into log/slog; level is "" when the
// call writes no line, or one below INFO.
func (p typedPackage) logCall(fn *types.Func, call *ast.CallExpr) (level, text string, err error) {
	message := 0
	switch name := fn.Name(); name {
	case "Info", "Warn", "Error":
		level = strings.ToUpper(name)
	case "InfoContext", "WarnContext", "ErrorContext":
		level, message = strings.ToUpper(strings.TrimSuffix(name, "Context")), 1
	case "Log", "LogAttrs":
		if level = p.level(call.Args[1]); level == "" {
			return "", "", nil
		}
		message = 2
	case "NewLogLogger", "NewRecord":
		return "", "", fmt.Errorf("slog.%s makes messages that are known only at run time: write fixed ones, with what varies as an attribute", name)
	default:
		return "", "", nil
	}
	if fn.Signature().Recv() == nil {
		return "", "", errors.New("a call of the global logger: use the logger of the part")
	}
	value := p.info.Types[call.Args[message]].Value
	if value == nil || value.Kind() != constant.String {
		return "", "", errors.New("the message is known only at run time, so nobody can look it up: make it a constant, with what varies as an attribute")
	}
	return level, constant.StringVal(value), nil
}

// level returns the name of a level, "" for one below INFO.
func (p typedPackage) level(e ast.Expr) string {
	value := p.info.Types[e].Value
	if value == nil {
		return levelVaries
	}
	switch n, _ := constant.Int64Val(value); {
	case n >= 8:
		return levelError
	case n >= 4:
		return levelWarn
	case n >= 0:
		return levelInfo
	}
	return ""
}

// TestLogCallsAreSeen: constants are followed wherever they come from, and what is no
// constant is an error.
func TestLogCallsAreSeen(t *testing.T) {
	t.Parallel()
	const source = `package p

import ("context"; "log/slog"; "net/http")

const whole = "the " + part
const part = "store"

type logger struct{ *slog.Logger }

func _(log *slog.Logger, ctx context.Context, text string, l slog.Level, w http.ResponseWriter, err error) {
	const local = whole + " is down"
	log.Warn(local)
	log.With("a", 1).ErrorContext(ctx, whole)
	log.LogAttrs(ctx, slog.LevelDebug, "not seen")
	log.Log(ctx, slog.LevelWarn+4, "as an error")
	log.Log(ctx, l, "either")
	logger{log}.Warn("embedded")
	log.Warn(text)
	slog.Error("global")
	_ = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	http.Error(w, err.Error(), 500)
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, imports := exported(t, fset, "log/slog", "net/http")
	p := checkTypes(t, "p", fset, []*ast.File{f}, imports)
	written := map[string][]logLine{}
	problems := p.logLines(written)
	want := map[string][]logLine{
		"the store is down": {{levelWarn, "p.go:12"}}, "the store": {{levelError, "p.go:13"}}, "as an error": {{levelError, "p.go:15"}},
		"either": {{levelVaries, "p.go:16"}}, "embedded": {{levelWarn, "p.go:17"}},
	}
	if !maps.EqualFunc(written, want, slices.Equal) {
		t.Errorf("written: %v\nwant:    %v", written, want)
	}
	if len(problems) != 3 || !strings.HasPrefix(problems[0], "p.go:18: the message is known only at run time") ||
		!strings.HasPrefix(problems[1], "p.go:19: a call of the global logger") || !strings.HasPrefix(problems[2], "p.go:20: slog.NewLogLogger") {
		t.Errorf("problems: %q", problems)
	}
}
