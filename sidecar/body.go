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
)

// form is how a body holds its events.
type form int

const (
	formAny   form = iota // to be found out
	formLines             // one a line
)

// formOf gives the form that a request's headers promise.
func formOf(r *http.Request) (form, *refusal) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return formAny, nil
	}
	mediaType, _, err := mime.ParseMediaType(header)
	switch mediaType {
	case "application/json":
		return formAny, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return formLines, nil
	}
	if err != nil {
		return 0, &refusal{http.StatusUnsupportedMediaType, "the Content-Type cannot be read"}
	}
	return 0, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q: want application/json or application/x-ndjson", mediaType)}
}

// readBody reads the whole body and undoes its compression. No more is ever held
// than the limit, whatever a few compressed bytes may expand to.
func (s *Sidecar) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	limit := s.cfg.MaxBodyBytes
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit)}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	var in io.Reader = http.MaxBytesReader(w, r.Body, limit)
	size := max(0, r.ContentLength)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(in)
		if err != nil {
			return nil, brokenBody(err, tooLarge)
		}
		in, size = zr, 4*size // a guess, to begin with
	default:
		return nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q: want gzip, or none", encoding)}
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(size, limit)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, brokenBody(err, tooLarge)
	case n > limit:
		return nil, tooLarge
	}
	return buf.Bytes(), nil
}

func brokenBody(err error, tooLarge *refusal) *refusal {
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case large:
		return tooLarge
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &refusal{http.StatusBadRequest, "the body is no gzip"}
	}
	return &refusal{http.StatusBadRequest, "the body cannot be read to its end"}
}
