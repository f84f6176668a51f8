package replay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReadLine: the lines equal those of splitting the input, except lines above
// the limit, and together they consume every byte.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2)
	f.Add([]byte("\n"), 0)
	f.Add([]byte(strings.Repeat("x", 40)+"\ny\r\n"), 39)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = max(limit%64, 0)
		r := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(in)), 16) // lines outgrow the buffer
		var got [][]byte
		var taken int64
		for {
			line, n, err := readLine(r, limit)
			taken += n
			if errors.Is(err, errTooLong) {
				if line != nil {
					t.Fatal("something of a long line was kept")
				}
				got = append(got, nil)
				if taken < int64(len(in)) {
					continue
				}
				if n > 0 && in[len(in)-1] != '\n' {
					break // no end of line: the input is over
				}
				continue
			}
			if len(line) > limit {
				t.Fatalf("a line of %d bytes above the limit %d", len(line), limit)
			}
			got = append(got, line)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want := bytes.Split(in, []byte("\n"))
		for i, line := range want {
			if len(line) > limit {
				want[i] = nil
			}
		}
		if taken != int64(len(in)) || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("limit %d: %q, %d bytes; want %q, %d bytes", limit, got, taken, want, len(in))
		}
	})
}
