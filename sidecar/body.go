package sidecar

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// promisesLines reports whether the headers promise one event per line; if not, parse
// looks at the body.
func promisesLines(r *http.Request) (bool, *answer) {
	header := r.Header.Get("Content-Type")
	if header == "" || header == "application/json" {
		return false, nil
	}
	mediaType, _, err := mime.ParseMediaType(header)
	switch mediaType {
	case "application/json":
		return false, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return true, nil
	}
	if err != nil {
		return false, reject(http.StatusUnsupportedMediaType, "the Content-Type cannot be read")
	}
	return false, reject(http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q: want application/json or application/x-ndjson", mediaType))
}

// readBody reads the whole body and decompresses it. It never holds more than the
// limit, whatever a few compressed bytes may expand to.
func (s *Sidecar) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	limit := s.cfg.MaxBodyBytes
	tooLarge := s.tooLarge
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	var in io.Reader = http.MaxBytesReader(w, r.Body, limit)
	size := r.ContentLength
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(in)
		if err != nil {
			return nil, bodyError(err, tooLarge)
		}
		in, size = zr, 4*size // a first guess
	default:
		return nil, reject(http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q: want gzip, or none", encoding))
	}
	body, err := s.bodies.read(in, size)
	if err != nil {
		return nil, bodyError(err, tooLarge)
	}
	return body, nil
}

func bodyError(err error, tooLarge *answer) *answer {
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case large, errors.Is(err, errTooLarge):
		return tooLarge
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return reject(http.StatusBadRequest, "the body is not gzip")
	}
	return reject(http.StatusBadRequest, "the body cannot be read to its end")
}

// maxFaults bounds the faults that an answer lists.
const maxFaults = 100

// maxRejected is the number of bad lines after which the rest of a body is not read:
// each costs microseconds, and a body may have millions.
const maxRejected = 10_000

// contents are the parsed contents of a body.
type contents struct {
	good     int
	withheld int      // of good, without their content
	values   [][]byte // the good events as they are spooled, but for those that are left out
	rejected int
	faults   []lineFault
	tooLarge bool // the body is a single event, and too large
	unread   int  // the first line that was not looked at; zero: all were
	warnings requestWarnings
}

// parse finds the events of a body: one per line if lines is set or the body looks
// like it, else a single one, which may have several lines. It drops a byte order mark,
// with which some programs begin a file.
func (s *Sidecar) parse(body []byte, lines bool) *contents {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	c := &contents{}
	if !lines && !looksLikeLines(body) {
		if value := bytes.TrimSpace(body); len(value) > 0 {
			c.tooLarge = errors.Is(s.add(c, 1, value), emitter.ErrTooLarge)
		}
		return c
	}
	number := 0
	for line := range bytes.Lines(body) {
		number++
		if c.rejected == maxRejected {
			c.unread = number
			break
		}
		if value := bytes.TrimSpace(line); len(value) > 0 {
			_ = s.add(c, number, value) // the error is among the faults
		}
	}
	return c
}

// looksLikeLines reports whether a body's first line is a JSON value by itself, and
// the whole is not.
func looksLikeLines(body []byte) bool {
	first, rest, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	return len(bytes.TrimSpace(rest)) > 0 && isValue(first) && !isValue(body)
}

// isValue reports whether text is one JSON value, as far as events have to be JSON:
// they may hold NaN.
func isValue(text []byte) bool {
	s := jsonscan.New(text, 0)
	s.AllowNonFinite()
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	return s.Whole()
}

// add checks and prepares an event, and adds it or its fault.
func (s *Sidecar) add(c *contents, line int, value []byte) error {
	value, err := s.source(c, line, value)
	if err == nil {
		if c.good++; value != nil {
			c.values = append(c.values, value)
		}
		return nil
	}
	c.rejected++
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, lineFault{line, faultText(err)})
	}
	return err
}

// faultText returns an error's text, with the remedy for a common mistake.
func faultText(err error) string {
	text := err.Error()
	if text == "malformed: a JSON array, want an object" {
		return text + "; send several events one a line"
	}
	return text
}
