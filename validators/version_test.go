package validators

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVersion: a version changes with everything that decides a verdict and with
// nothing else.
func TestVersion(t *testing.T) {
	t.Parallel()
	files := map[string]string{"reply": `{"$ref":"part.json"}`, "part": `{"type":"string"}`, "other": `true`}
	version := func(c Config, change map[string]string) string {
		all := map[string]string{}
		maps.Copy(all, files)
		maps.Copy(all, change)
		return newValidator(t, c, newSchemas(t, all)).Version()
	}
	named := Config{Type: "json_schema", Schema: "reply"}
	base := version(named, nil)
	if got := version(Config{Name: "another name", Type: "json_schema", Schema: "reply"}, nil); got != base {
		t.Error("the name changed the version")
	}
	if got := version(named, map[string]string{"other": `false`}); got != base {
		t.Error("a schema that is not used changed the version")
	}
	if got := version(named, map[string]string{"part": `{"type":"number"}`}); got == base {
		t.Error("a schema that is referred to did not change the version")
	}
	anySchema := Config{Type: "json_schema"}
	if version(anySchema, nil) == version(anySchema, map[string]string{"other": `false`}) {
		t.Error("a schema did not change the version of a validator that may use any")
	}
	if tools := (Config{Type: "tool_calls"}); version(tools, nil) != version(tools, map[string]string{"other": `false`}) {
		t.Error("a schema changed the version of a validator that uses none")
	}
	seen := map[string]string{}
	for _, c := range configs() {
		options, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		v := newValidator(t, c, newSchemas(t, files)).Version()
		if other, twice := seen[v]; twice {
			t.Errorf("%s and %s have the same version", options, other)
		}
		seen[v] = string(options)
	}
}

// TestVersionByKind sets every option beside every kind: those that the kind reads
// change its version, and no other does. So an option that is added for one kind
// leaves the versions, and what is stored under them, of all other kinds.
func TestVersionByKind(t *testing.T) {
	t.Parallel()
	for _, k := range table() {
		base := version(k, Config{Type: k.Name}, "")
		for field := range reflect.TypeFor[Config]().Fields() {
			option := field.Tag.Get("yaml")
			if option == "-" {
				continue
			}
			seen := map[string]bool{base: true}
			for n := range 2 {
				cfg := Config{Type: k.Name}
				setOption(t, reflect.ValueOf(&cfg).Elem().FieldByIndex(field.Index), n)
				v := version(k, cfg, "")
				if reads := slices.Contains(k.Options, option); reads == (v == base) {
					t.Errorf("%s: the version changes with %s: %t; want %t", k.Name, option, !reads, reads)
				}
				seen[v] = true
			}
			if field.Type.Kind() != reflect.Bool && slices.Contains(k.Options, option) && len(seen) != 3 {
				t.Errorf("%s: the version does not change with the value of %s", k.Name, option)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

// setOption sets a field to a value that is not its zero value; to another one for
// another n, except a boolean.
func setOption(t *testing.T, field reflect.Value, n int) {
	t.Helper()
	switch field.Kind() {
	case reflect.String:
		field.SetString(fmt.Sprint("x", n))
	case reflect.Bool:
		field.SetBool(true)
	case reflect.Int, reflect.Int64:
		field.SetInt(int64(n + 1))
	case reflect.Float64:
		field.SetFloat(float64(n + 1))
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		setOption(t, field.Elem(), n)
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		setOption(t, field.Index(0), n)
	default:
		t.Fatalf("an option of type %s", field.Type())
	}
}

// TestVersionsAreKnown compares the version of each kind with the recorded one. A
// version under which verdicts are stored changes only on purpose: with the revision
// of its kind, whose verdicts have changed.
func TestVersionsAreKnown(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, k := range table() {
		fmt.Fprintf(&got, "%s revision %d without options: %s\n", k.Name, k.revision, version(k, Config{}, ""))
	}
	for _, c := range configs() {
		k, _ := lookup(c.Type)
		options, err := json.Marshal(setOptions(c))
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Options) > 0 && string(options) != "{}" {
			fmt.Fprintf(&got, "%s revision %d %s: %s\n", k.Name, k.revision, options, version(k, c, ""))
		}
	}
	const file = "testdata/versions.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got); run go test -update if the change is meant:\n%s", file, diff)
	}
}

func setOptions(c Config) map[string]any {
	set := map[string]any{}
	for field, value := range reflect.ValueOf(c).Fields() {
		if option := field.Tag.Get("yaml"); option != "-" && !value.IsZero() {
			set[option] = value.Interface()
		}
	}
	return set
}
