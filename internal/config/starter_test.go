package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/config"
)

// TestStarter: the files of init have no faults, and every commented-out key may be
// used as written.
func TestStarter(t *testing.T) {
	t.Parallel()
	files, err := config.Starter()
	if err != nil {
		t.Fatal(err)
	}
	asIs, allKeys := map[string]string{}, map[string]string{}
	for _, f := range files {
		asIs[f.Name], allKeys[f.Name] = string(f.Content), string(f.Content)
	}
	if faults := faultsOf(t, folder(t, asIs), nil); faults != nil {
		t.Errorf("the starter folder has faults: %q", faults)
	}

	if !strings.Contains(asIs[config.FileName], "#   price: {input: ") {
		t.Error("the starter does not show how to set a price")
	}
	var b strings.Builder
	uncommented := 0
	for line := range strings.Lines(asIs[config.FileName]) {
		key, rest, isKey := strings.Cut(strings.TrimLeft(line, " "), ": ")
		name, commented := strings.CutPrefix(key, "# ")
		if isKey && commented && !strings.Contains(name, " ") && strings.Contains(rest, "  # ") {
			indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
			line = indent + name + ": " + rest
			uncommented++
		}
		b.WriteString(line)
	}
	if uncommented < 40 {
		t.Fatalf("only %d keys are commented out: the test shows nothing", uncommented)
	}
	allKeys[config.FileName] = b.String()
	path := folder(t, allKeys)
	if faults := faultsOf(t, path, nil); faults != nil {
		t.Errorf("with every key: %q", faults)
	}
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	plainPath := folder(t, asIs)
	plain, err := config.Load(plainPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The store lies beside the file, and the two files in folders of their own.
	if printed(t, c) != strings.ReplaceAll(printed(t, plain), filepath.Dir(plainPath), filepath.Dir(path)) {
		t.Error("a default that the starter shows is not the default")
	}
	if c.SchemaDir() != filepath.Join(filepath.Dir(path), "schemas") {
		t.Error("the starter's schemas are not found")
	}
}

// TestDoc: the page names every key.
func TestDoc(t *testing.T) {
	t.Parallel()
	doc := string(config.Doc())
	for _, k := range config.Keys() {
		if !strings.Contains(doc, "`"+k.Path+"`") && !strings.Contains(doc, "\n## "+k.Path+"\n") {
			t.Errorf("%s is not in the documentation", k.Path)
		}
	}
}
