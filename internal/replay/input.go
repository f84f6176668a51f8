package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Input is an input of lines of JSON.
type Input struct {
	io.Reader
	Gzip  bool // the input was compressed
	Empty bool // there is nothing in it
}

// NewInput returns an input, decompressed when it is a gzip file. name is that of the
// file, or - for standard input. What is no lines of JSON as a whole, such as a CSV file,
// is an error of type fault.List, which says how to convert it. It looks at what the
// first Read of r returns.
func NewInput(r io.Reader, name string) (*Input, error) {
	in := &Input{}
	begin, err := in.peek(r)
	if err == nil && bytes.HasPrefix(begin, []byte("\x1f\x8b")) {
		in.Gzip = true
		begin, err = in.decompress(name)
	}
	switch {
	case errors.Is(err, io.EOF):
		in.Empty = true
	case err != nil:
		return nil, err
	default:
		if f := misread(begin, name, in.Gzip); f != nil {
			f.File, f.Line, f.Column = name, 1, 1
			return nil, fault.List{*f}
		}
	}
	return in, nil
}

// peek makes r the reader of the input, and returns what its first Read returns.
func (in *Input) peek(r io.Reader) ([]byte, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	in.Reader = b
	if _, err := b.Peek(1); err != nil {
		return nil, err
	}
	return b.Peek(b.Buffered())
}

func (in *Input) decompress(name string) ([]byte, error) {
	z, err := gzip.NewReader(in.Reader)
	if err != nil {
		return nil, fault.List{{File: name, Problem: "begins like a gzip file and is none", Expected: "compress it again, or name the file that it came from"}}
	}
	return in.peek(gzipReader{z})
}

// gzipReader says what its errors mean.
type gzipReader struct{ z *gzip.Reader }

func (r gzipReader) Read(p []byte) (int, error) {
	n, err := r.z.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the gzip file is damaged or cut off: %w", err)
	}
	return n, err
}

// encodings are the beginnings of files that are not text in UTF-8, and what reads them.
var encodings = []struct{ begin, name, command string }{
	{"\xff\xfe\x00\x00", "text in UTF-32", "iconv -f UTF-32 -t UTF-8"},
	{"\x00\x00\xfe\xff", "text in UTF-32", "iconv -f UTF-32 -t UTF-8"},
	{"\xff\xfe", "text in UTF-16", "iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "text in UTF-16", "iconv -f UTF-16 -t UTF-8"},
	{"{\x00", "text in UTF-16", "iconv -f UTF-16LE -t UTF-8"},
	{"\x00{", "text in UTF-16", "iconv -f UTF-16BE -t UTF-8"},
	{"\x28\xb5\x2f\xfd", "a Zstandard file", "zstd -dc"},
	{"BZh", "a bzip2 file", "bzip2 -dc"},
	{"\xfd7zXZ\x00", "an xz file", "xz -dc"},
	{"PK\x03\x04", "a zip file", "unzip -p"},
}

// written are the beginnings of files that a program has to write as lines of JSON.
var written = []struct{ begin, name, advice string }{
	{"PAR1", "a Parquet file", withPandas},
	{"SQLite format 3\x00", "an SQLite database", "export its cases: evalworker datasets export --store sqlite:FILE"},
}

const withPandas = `write it as lines of JSON, with pandas: to_json(..., orient="records", lines=True)`

// misread returns what is wrong with an input of which this is the beginning, without its
// compression; nil for lines of JSON, good and bad ones.
func misread(begin []byte, name string, compressed bool) *fault.Fault {
	piped := func(command string) string { return piped(command, name, compressed) }
	for _, e := range encodings {
		if bytes.HasPrefix(begin, []byte(e.begin)) {
			return &fault.Fault{Problem: "is " + e.name, Expected: "convert it: " + piped(e.command)}
		}
	}
	for _, e := range written {
		if bytes.HasPrefix(begin, []byte(e.begin)) {
			return &fault.Fault{Problem: "is " + e.name, Expected: e.advice}
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(begin, []byte(byteOrderMark)), " \t\r\n")
	first, rest, whole := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSpace(first)
	switch {
	case whole && string(first) == "{":
		return &fault.Fault{Problem: "is JSON in several lines", Expected: "want one object a line: " + piped("jq -c .")}
	case bytes.HasPrefix(text, []byte("[")) && bytes.HasPrefix(bytes.TrimLeft(text[1:], " \t\r\n"), []byte("{")):
		return &fault.Fault{Problem: "is a JSON array", Expected: "want one object a line: " + piped("jq -c '.[]'")}
	case bytes.HasPrefix(first, []byte("case_id,evaluator,")):
		return &fault.Fault{Problem: "is an export of cases as CSV", Expected: "export them as lines of JSON: evalworker datasets export --format jsonl"}
	case isCSV(first, rest, name):
		return &fault.Fault{Problem: "is a CSV file", Expected: withPandas + "; or with Miller: " + piped("mlr --icsv --ojsonl cat")}
	}
	return nil
}

// header matches the first line of a CSV file: three names or more.
var header = regexp.MustCompile(`^"?[A-Za-z_][\w .-]*"?(?:[,;\t]"?[A-Za-z_][\w .-]*"?){2,}$`)

// isCSV reports whether lines are those of a CSV file.
func isCSV(first, rest []byte, name string) bool {
	if bytes.HasPrefix(first, []byte("{")) {
		return false
	}
	ending := filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz"))
	if ending == ".csv" || ending == ".tsv" {
		return true
	}
	return header.Match(first) && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("{"))
}

// plainName matches a file name that a shell reads as one word.
var plainName = regexp.MustCompile(`^[\w./@%+=:][\w./@%+=:-]*$`)

// piped returns the command line that converts a file and evaluates it.
func piped(command, name string, compressed bool) string {
	if name != "-" && !plainName.MatchString(name) {
		name = "FILE"
	}
	switch {
	case compressed && name == "-":
		command = "gzip -dc | " + command
	case compressed:
		command = "gzip -dc " + name + " | " + command
	case name != "-":
		command += " " + name
	}
	return command + " | evalworker eval -"
}
