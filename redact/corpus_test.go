package redact_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/redact"
)

// maxCorpusFile bounds the files that are measured, in bytes; maxCorpusFiles their
// number.
const (
	maxCorpusFile  = 1 << 20
	maxCorpusFiles = 20_000
)

// TestCorpus prints in how many texts of other people something is found, by kind. It
// runs when REDACT_CORPUS holds paths, separated as in PATH: of folders, whose files
// are texts, or of files of events, one a line, whose outputs are texts. The make
// target redact-corpus names some. It says what is found with -v only, because that
// may be a true secret.
func TestCorpus(t *testing.T) {
	t.Parallel()
	paths := filepath.SplitList(os.Getenv("REDACT_CORPUS"))
	if len(paths) == 0 {
		t.Skip("REDACT_CORPUS names no texts")
	}
	for _, class := range []string{"secret", "pii"} {
		d, err := redact.NewDetector([]string{class})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			c := corpus{detector: d, kinds: map[string]int{}}
			if err := c.measure(t, path); err != nil {
				t.Error(err)
			}
			t.Logf("%s in %s: %d of %d texts (%.2f %%), %v", class, path, c.hits, c.texts, 100*float64(c.hits)/float64(max(c.texts, 1)), c.kinds)
		}
	}
}

type corpus struct {
	detector    *redact.Detector
	texts, hits int
	kinds       map[string]int
}

func (c *corpus) measure(t *testing.T, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.events(t, path)
	}
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() || c.texts >= maxCorpusFiles {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > maxCorpusFile {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(data, 0) >= 0 {
			return err
		}
		c.text(t, name, string(data))
		return nil
	})
}

func (c *corpus) events(t *testing.T, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxCorpusFile)
	for lines.Scan() {
		var e struct {
			RequestID string `json:"request_id"`
			Output    string `json:"output"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		c.text(t, e.RequestID, e.Output)
	}
	return lines.Err()
}

func (c *corpus) text(t *testing.T, name, text string) {
	c.texts++
	found := c.detector.Find(text)
	if len(found) > 0 {
		c.hits++
	}
	for _, m := range found {
		c.kinds[m.Kind]++
		if testing.Verbose() {
			t.Logf("%s: %s: %.80q", name, m.Kind, text[max(0, m.Start-30):m.End])
		}
	}
}
