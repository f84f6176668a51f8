package recipes

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of a page.
type block struct {
	page, language, text string
	line                 int
	file                 string // the last file of examples/ that the text in front of it links to
}

var exampleLink = regexp.MustCompile(`\]\(\.\./(examples/[^)\s]+)\)`)

// blocks returns the fenced blocks of a page.
func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	var now *block
	file := ""
	for i, line := range strings.Split(string(text), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && now == nil:
			now = &block{page: page, language: language, line: i + 1, file: file}
		case fence:
			all = append(all, *now)
			now, file = nil, ""
		case now != nil:
			now.text += line + "\n"
		default:
			if links := exampleLink.FindAllStringSubmatch(line, -1); links != nil {
				file = links[len(links)-1][1]
			}
		}
	}
	return all
}

// TestSnippets: each block of code on these pages stands, line by line, in the file that the
// text in front of it links to, which other tests run. Blocks of text are no code.
func TestSnippets(t *testing.T) {
	t.Parallel()
	snippets := 0
	for _, page := range []string{"docs/publish.md", "docs/publish-recipes.md", "docs/content.md"} {
		for _, b := range blocks(t, page) {
			if b.language == "console" || b.language == "text" {
				continue // TestFirstScore runs those of docs/publish.md
			}
			snippets++
			if b.file == "" {
				t.Errorf("%s:%d: no link to a file of examples/ stands in front of this block", page, b.line)
				continue
			}
			code, err := os.ReadFile(filepath.Join(root, b.file))
			if err != nil {
				t.Error(err)
				continue
			}
			if !strings.Contains("\n"+string(code), "\n"+b.text) {
				t.Errorf("%s:%d: this block does not stand in %s:\n%s", page, b.line, b.file, b.text)
			}
		}
	}
	if snippets < 15 {
		t.Errorf("only %d snippets found: this test no longer sees them", snippets)
	}
}
