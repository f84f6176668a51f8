package modelserver

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds a request, in bytes.
const maxBody = 16 << 20

// Script answers one request. It is called from many goroutines at once.
type Script func(Request) Reply

// New returns a handler that answers with the script.
func New(script Script) http.Handler {
	chat := func(w http.ResponseWriter, r *http.Request) { serve(w, r, script) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", chat)
	mux.HandleFunc("POST /openai/deployments/{deployment}/chat/completions", chat)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, Reply{Status: http.StatusNotFound, Content: "no such endpoint: " + r.Method + " " + r.URL.Path}, Request{})
	})
	return mux
}

func serve(w http.ResponseWriter, r *http.Request, script Script) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		write(w, Reply{Status: status, Content: "the body cannot be read"}, Request{})
		return
	}
	req, err := parseRequest(body)
	if err != nil {
		write(w, Reply{Status: http.StatusBadRequest, Content: err.Error()}, Request{})
		return
	}
	if req.Model == "" {
		req.Model = r.PathValue("deployment")
	}
	req.Header = r.Header
	reply := script(req)
	if reply.Delay > 0 {
		t := time.NewTimer(reply.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	write(w, reply, req)
}

func write(w http.ResponseWriter, reply Reply, req Request) {
	b := reply.body(req)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	maps.Copy(w.Header(), reply.Header)
	w.WriteHeader(cmp.Or(reply.Status, http.StatusOK))
	_, _ = w.Write(b) // the client may have disconnected
}
