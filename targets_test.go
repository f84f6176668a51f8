package evalworker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedTargets: every `make TARGET` of a document is one of the Makefile.
func TestDocumentedTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[match[1]] = true
	}
	seen := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile("(?m)(?:^|`)(?:\\$ )?make ([a-z][a-z0-9 -]*)").FindAllStringSubmatch(string(text), -1) {
				for target := range strings.FieldsSeq(match[1]) {
					seen++
					if !targets[target] {
						t.Errorf("%s: make %s: there is no such target", file, target)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no document names a target")
	}
}
