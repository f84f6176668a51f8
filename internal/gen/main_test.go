package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocumentsAreCurrent: what is generated from code says what the code says.
func TestDocumentsAreCurrent(t *testing.T) {
	t.Parallel()
	docs, err := documents("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range docs {
		if got, err := os.ReadFile(filepath.Join("../..", name)); err != nil || string(got) != string(want) {
			t.Errorf("%s is stale (%v): run make generate", name, err)
		}
	}
}

// TestFaultyBoards: nothing is drawn of boards that the checks refuse.
func TestFaultyBoards(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	schema := filepath.Join(root, chartFile)
	if err := os.MkdirAll(filepath.Dir(schema), 0o755); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join("../..", chartFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(schema, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := documents(root); err == nil || !strings.Contains(err.Error(), "there is no file dashboards/NAME.json") {
		t.Errorf("error %v", err)
	}
}
