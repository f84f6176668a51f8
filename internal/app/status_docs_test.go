package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/app"
)

// TestStatusIsDocumented: the docs explain each field of the page.
func TestStatusIsDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch {
		case typ == reflect.TypeFor[time.Time]():
		case typ.Kind() == reflect.Slice:
			walk(typ.Elem())
		case typ.Kind() == reflect.Struct:
			for _, f := range reflect.VisibleFields(typ) {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name != "" && !regexp.MustCompile("[`.]"+name+`(\[\])?[`+"`.]").MatchString(page) {
					t.Errorf("%s: no word of %q in docs/status.md", typ, name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[app.Status]())
}

// inStatus returns the type of a field of the page by its path from a type, such as
// .consumer.partitions[].
func inStatus(typ reflect.Type, path string) (reflect.Type, error) {
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		name, brackets, isList := strings.Cut(part, "[")
		if name != "" {
			if typ.Kind() == reflect.Pointer { // absent while there is none
				typ = typ.Elem()
			}
			if typ.Kind() != reflect.Struct {
				return nil, fmt.Errorf("%s is no object, so it has no %s", typ, name)
			}
			found := false
			for _, f := range reflect.VisibleFields(typ) {
				if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
					typ, found = f.Type, true
					break
				}
			}
			if !found {
				return nil, fmt.Errorf("%s has no field %s", typ, name)
			}
		}
		if isList {
			if typ.Kind() != reflect.Slice || !strings.HasSuffix(brackets, "]") {
				return nil, fmt.Errorf("%s is no list", typ)
			}
			typ = typ.Elem()
		}
	}
	return typ, nil
}

// In a document: what is asked of the page with jq, and a field of the page as code.
var (
	asked     = regexp.MustCompile("/statusz[^|`\n]*\\| *jq (?:-\\w+ )*(?:'([^']*)'|(\\S*[^`\\s]))")
	jqPath    = regexp.MustCompile(`\.[a-z_]\w*(?:\[\d*\])?(?:\.[a-z_]\w*(?:\[\d*\])?)*`)
	jqText    = regexp.MustCompile(`"[^"]*"`)
	fieldPath = regexp.MustCompile("`([a-z_]+(?:\\[\\])?\\.[a-z_.\\[\\]]*[a-z_\\]])`")
)

// unknownInStatus returns why what a document says of the page is wrong, one line each.
// A path that a configuration has too is right.
func unknownInStatus(text, configuration string) (wrong []string) {
	page := reflect.TypeFor[app.Status]()
	for _, match := range asked.FindAllStringSubmatch(text, -1) {
		from := page
		for stage := range strings.SplitSeq(jqText.ReplaceAllString(match[1]+match[2], ""), "|") {
			stage = strings.TrimSpace(stage)
			for _, path := range jqPath.FindAllString(stage, -1) {
				typ, err := inStatus(from, path)
				if err != nil {
					wrong = append(wrong, fmt.Sprintf("jq %s: %v", match[1]+match[2], err))
					return wrong
				}
				if path == stage {
					from = typ
				}
			}
			if stage == ".[]" && from.Kind() == reflect.Slice {
				from = from.Elem()
			}
		}
	}
	for _, match := range fieldPath.FindAllStringSubmatch(text, -1) {
		first, _, _ := strings.Cut(match[1], ".")
		if _, err := inStatus(page, first); err != nil {
			continue // about something else
		}
		if _, err := inStatus(page, match[1]); err != nil && !strings.Contains(configuration, "`"+match[1]+"`") {
			wrong = append(wrong, fmt.Sprintf("`%s`: %v", match[1], err))
		}
	}
	return wrong
}

// TestDocumentsNameStatus: fields of the page in documents and in messages of monitors
// exist.
func TestDocumentsNameStatus(t *testing.T) {
	t.Parallel()
	configuration, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, pattern := range []string{"../../docs/*.md", "../../docs/runbooks/*.md", "../../deploy/datadog/monitors/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "sidecar.md" {
				continue // about a page of its own
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(strings.ReplaceAll(string(b), `\n`, "\n"), `\"`, `"`)
			seen += len(asked.FindAllString(text, -1))
			for _, wrong := range unknownInStatus(text, string(configuration)) {
				t.Errorf("%s: %s", file, wrong)
			}
		}
	}
	if seen == 0 {
		t.Error("no document asks the page with jq")
	}
}

// TestDocumentsNameStatusCanFail: mistakes in documents are found.
func TestDocumentsNameStatusCanFail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"`curl -s http://127.0.0.1:8787/statusz | jq .models`":                                                             nil,
		"```\ncurl -s http://127.0.0.1:8787/statusz | jq -r '.consumer.partitions[] | select(.lag > 5) | .partition'\n```": nil,
		"`curl /statusz | jq '.telemetry.drops[] | \"\\(.sink)\"'`":                                                        nil,
		"`consumer.stalled` and `models[].reason`, `store.retention` is a setting":                                         nil,
		"`curl -s http://127.0.0.1:8787/statusz | jq .model`":                                                              {"jq .model: app.Status has no field model"},
		"`curl /statusz | jq '.consumer.partitions[] | select(.errors)'`":                                                  {"jq .consumer.partitions[] | select(.errors): consumer.PartitionStatus has no field errors"},
		"`curl /statusz | jq .consumer[].lag`":                                                                             {"jq .consumer[].lag: consumer.Status is no list"},
		"`consumer.stall`":                                                                                                 {"`consumer.stall`: consumer.Status has no field stall"},
	} {
		if diff := cmp.Diff(want, unknownInStatus(text, "`store.retention`")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
