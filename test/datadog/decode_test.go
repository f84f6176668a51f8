package datadog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/DataDog/datadog-api-client-go/v2/api/datadog"
	"github.com/DataDog/datadog-api-client-go/v2/api/datadogV1"
	"github.com/google/go-cmp/cmp"
)

// kinds are the folders of deploy/datadog, each with the type that Datadog's API takes.
var kinds = map[string]reflect.Type{
	"monitors":   reflect.TypeFor[datadogV1.Monitor](),
	"dashboards": reflect.TypeFor[datadogV1.Dashboard](),
}

const folder = "../../deploy/datadog"

// decode returns why a document is not what the API takes.
func decode(document []byte, typ reflect.Type) error {
	var plain any
	if err := json.Unmarshal(document, &plain); err != nil {
		return err
	}
	if found := mismatches(plain, typ, "$"); len(found) > 0 {
		return fmt.Errorf("%s", strings.Join(found, "\n"))
	}
	// The client has the last word: what it would keep aside or not send is a fault too.
	into := reflect.New(typ)
	if err := datadog.Unmarshal(document, into.Interface()); err != nil {
		return err
	}
	if found, what := datadog.ContainsUnparsedObject(into.Interface()); found {
		return fmt.Errorf("the client does not understand %v", what)
	}
	again, err := json.Marshal(into.Interface())
	if err != nil {
		return err
	}
	var sent any
	if err := json.Unmarshal(again, &sent); err != nil {
		return err
	}
	if diff := cmp.Diff(plain, sent); diff != "" {
		return fmt.Errorf("the client sends something else (-file +sent):\n%s", diff)
	}
	return nil
}

// files returns the documents of a folder of deploy/datadog by their paths.
func files(t *testing.T, kind string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, kind, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s/%s: %v", folder, kind, err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}
