package serve_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/serve"
)

// TestErrorLog: what the HTTP server has to say becomes a line of the log with a fixed
// message. The value of a panic, which may be content, is not in it; its stack is. A
// panic in another place is another fault, which the first one does not hide.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := serve.ErrorLog(slog.New(slog.NewJSONHandler(&out, nil)))
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { panic("what a user\ngoroutine wrote") })
	mux.HandleFunc("/other", func(_ http.ResponseWriter, r *http.Request) { _ = 1 / len(r.URL.RawQuery) })
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log
	server.Start()
	for _, path := range []string{"/", "/", "/other"} {
		if res, err := http.Get(server.URL + path); err == nil { //nolint:noctx // a test
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}
	server.Close()
	log.Println("http: Accept error: too many open files; retrying in 5ms")
	log.Println("http: Accept error: too many open files; retrying in 10ms")
	text := out.String()
	const problem = `"level":"WARN","msg":"HTTP server reports a problem","count":1,"since":"[^"]+","problem":"http: Accept error: too many open files; retrying in 5ms"}`
	const panicked = `"level":"ERROR","msg":"a panic, which is a fault of this program: a request gets no answer","count":%d,"since":"[^"]+","stack":"goroutine .*TestErrorLog.func%d.*"}`
	want := "^.*" + fmt.Sprintf(panicked, 1, 1) + "\n.*" + fmt.Sprintf(panicked, 2, 2) + "\n.*" + problem + "\n$"
	if !regexp.MustCompile(want).MatchString(text) {
		t.Errorf("want each place that panics and each problem once a minute, %s, got\n%s", want, text)
	}
	if strings.Contains(text, "what a user") || strings.Contains(text, "wrote") {
		t.Errorf("the log has the value of a panic:\n%s", text)
	}
}
