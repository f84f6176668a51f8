package main

import (
	"os"
	"path/filepath"
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
