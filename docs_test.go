package evalworker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestIndexNamesEveryPage: docs/README.md has one line for each page.
func TestIndexNamesEveryPage(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/README.md")
	for _, page := range pages(t) {
		name := filepath.Base(page)
		if filepath.Dir(page) != "docs" || name == "README.md" {
			continue
		}
		if n := strings.Count(index, "| ["+name+"]("+name+") |"); n != 1 {
			t.Errorf("docs/README.md has %d lines for %s, want 1", n, name)
		}
	}
}

// TestLinksLead: each link of a page to a file of this repository leads to a file, and one
// to a part of it to a heading.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range pages(t) {
		text := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(withoutBlocks(read(t, page)), "")
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(m[1], "#")
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s: the link %s leads to no file", page, m[1])
				continue
			}
			if anchor != "" && !info.IsDir() && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: the link %s leads to no heading of %s", page, m[1], file)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links found: this test no longer sees them", links)
	}
}

// pages returns the pages of this repository.
func pages(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*.md", "examples/*/*.md", "clients/*.md", "clients/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// anchors returns the link targets that GitHub makes of the headings of a page.
func anchors(page string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#{1,6} (.+)$`).FindAllStringSubmatch(withoutBlocks(page), -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		text = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(text), "")
		names = append(names, strings.ReplaceAll(text, " ", "-"))
	}
	return names
}

// withoutBlocks returns a page without its blocks of code, in which nothing is a heading or
// a link.
func withoutBlocks(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(page, "")
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
