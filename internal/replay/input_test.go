package replay_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/replay"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestInput: lines come through as they are, decompressed when they are compressed; also
// bad lines, which are reported one by one.
func TestInput(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"events": `{"event":"x"}` + "\n", "no end": `{"event":"x"}`, "byte order mark": "\ufeff{}\n", "log lines": "level=info, msg=a, b\n{}\n",
		"a header, and events": "a,b,c\n{}\n", "a log line in brackets": "[2026-01-01] {\n", "a list": "[1]\n", "an object over its lines": "{}\n{\n", "one brace": "{",
	} {
		for _, compressed := range []bool{false, true} {
			in := text
			if compressed {
				in = gzipped(t, text)
			}
			got, err := replay.NewInput(strings.NewReader(in), "requests.ndjson")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if back, err := io.ReadAll(got); string(back) != text || err != nil || got.Gzip != compressed || got.Empty {
				t.Errorf("%s: %q, %v, %+v", name, back, err, got)
			}
		}
	}
	for name, in := range map[string]string{"nothing": "", "nothing, compressed": gzipped(t, "")} {
		if got, err := replay.NewInput(strings.NewReader(in), "-"); err != nil || !got.Empty {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := replay.NewInput(iotest.ErrReader(errBroken), "-"); !errors.Is(err, errBroken) {
		t.Errorf("a broken reader: %v", err)
	}
}

// TestInputThatIsNone: what is no lines of JSON is one fault with its place and what to
// do, not a fault a line.
func TestInputThatIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, text, want string }{
		"array":             {"a.json", "[{\"event\":1},\n{}]", "a.json:1:1: is a JSON array; want one object a line: jq -c '.[]' a.json | evalworker eval -"},
		"array, indented":   {"-", " \ufeff"[1:] + "[\n  {\n", "-:1:1: is a JSON array; want one object a line: jq -c '.[]' | evalworker eval -"},
		"array, compressed": {"a.json.gz", gzipped(t, "[{}]"), "a.json.gz:1:1: is a JSON array; want one object a line: gzip -dc a.json.gz | jq -c '.[]' | evalworker eval -"},
		"object":            {"a b.json", "{\r\n  \"event\": 1\r\n}\r\n", "a b.json:1:1: is JSON in several lines; want one object a line: jq -c . FILE | evalworker eval -"},
		"export as CSV":     {"cases.csv", "case_id,evaluator,type\n1,2,3\n", "cases.csv:1:1: is an export of cases as CSV; export them as lines of JSON: evalworker datasets export --format jsonl"},
		"CSV by its name":   {"log.csv.gz", "a\n1\n", "log.csv.gz:1:1: is a CSV file; write it as lines of JSON, with pandas: to_json(..., orient=\"records\", lines=True); or with Miller: mlr --icsv --ojsonl cat log.csv.gz | evalworker eval -"},
		"CSV by its header": {"-", "request_id,input,output\nr1,\"{\",b\n", "-:1:1: is a CSV file; "},
		"UTF-16":            {"a", "\xff\xfe{\x00\"\x00", "a:1:1: is text in UTF-16; convert it: iconv -f UTF-16 -t UTF-8 a | evalworker eval -"},
		"UTF-16, no mark":   {"a", "{\x00\"\x00", "a:1:1: is text in UTF-16; convert it: iconv -f UTF-16LE -t UTF-8 a | evalworker eval -"},
		"UTF-32":            {"a", "\xff\xfe\x00\x00{\x00\x00\x00", "a:1:1: is text in UTF-32; "},
		"Zstandard":         {"a.zst", "\x28\xb5\x2f\xfd\x00", "a.zst:1:1: is a Zstandard file; convert it: zstd -dc a.zst | evalworker eval -"},
		"Parquet":           {"a", "PAR1\x15", "a:1:1: is a Parquet file; write it as lines of JSON, with pandas: "},
		"SQLite":            {"evalworker.db", "SQLite format 3\x00", "evalworker.db:1:1: is an SQLite database; export its cases: evalworker datasets export --store sqlite:FILE"},
		"gzip that is none": {"a.gz", "\x1f\x8bnothing of the kind", "a.gz: begins like a gzip file and is none; "},
	} {
		_, err := replay.NewInput(strings.NewReader(tt.text), tt.file)
		faults, ok := errors.AsType[fault.List](err)
		if !ok || len(faults) != 1 || !strings.HasPrefix(faults[0].String(), tt.want) {
			t.Errorf("%s: %v\nwant %s", name, err, tt.want)
		}
	}
}

// TestInputCutOff: a damaged end is an error of reading, which names what is damaged.
func TestInputCutOff(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, strings.Repeat(newEvent(1)+"\n", 100))
	in, err := replay.NewInput(strings.NewReader(whole[:len(whole)-10]), "a.gz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(in); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the gzip file is damaged or cut off") {
		t.Error(err)
	}
}
