package evalworker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[match[1]] = true
	}
	seen := 0
	for file, text := range documents(t) {
		for _, match := range regexp.MustCompile("(?m)(?:^|`)(?:\\$ )?make ([a-z][a-z -]*)").FindAllStringSubmatch(text, -1) {
			for target := range strings.FieldsSeq(match[1]) {
				seen++
				if !targets[target] {
					t.Errorf("%s: make %s: there is no such target", file, target)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no document names a target")
	}
}

// documents returns the text of every document by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*.md", "examples/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[file] = string(text)
		}
	}
	return all
}

// TestLinks: what a document links in this repository exists, headings included.
func TestLinks(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	texts := documents(t)
	seen := 0
	for file, text := range texts {
		for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			link, heading, _ := strings.Cut(match[1], "#")
			if strings.Contains(link, ":") {
				continue // elsewhere
			}
			seen++
			to := file
			if link != "" {
				to = filepath.Join(filepath.Dir(file), link)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s: %v", file, match[1], err)
			}
			if target, ok := texts[to]; ok && heading != "" && !slices.Contains(anchors(target), heading) {
				t.Errorf("%s: %s: no heading has this anchor: %s", file, match[1], strings.Join(anchors(target), ", "))
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d links are found", seen)
	}
}

// anchors returns the names under which a page links its headings.
func anchors(text string) (all []string) {
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\pL\pN_ -]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(strings.TrimSpace(name), " ", "-"))
	}
	return all
}
