package app_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

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
