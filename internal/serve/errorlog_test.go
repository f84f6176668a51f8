package serve_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/serve"
)

// TestErrorLog: what the HTTP server has to say becomes a line of the log with a fixed
// message. The value of a panic, which may be content, is not in it; its stack is.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := serve.ErrorLog(slog.New(slog.NewJSONHandler(&out, nil)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("what a user\ngoroutine wrote") }))
	server.Config.ErrorLog = log
	server.Start()
	if res, err := http.Get(server.URL); err == nil { //nolint:noctx // a test
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	server.Close()
	log.Println("http: Accept error: too many open files; retrying in 5ms")
	log.Println("http: Accept error: too many open files; retrying in 10ms")
	text := out.String()
	for _, want := range []string{`"level":"ERROR","msg":"a panic, which is a fault of this program: a request gets no answer"`, "TestErrorLog.func1", `"msg":"HTTP server reports a problem","count":1,"since":"`, `"problem":"http: Accept error: too many open files; retrying in 5ms"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "what a user") || strings.Contains(text, "wrote") {
		t.Errorf("the log has the value of a panic:\n%s", text)
	}
	if n := strings.Count(text, "\n"); n != 2 {
		t.Errorf("%d lines, want 2: the second accept error waits for its minute", n)
	}
}
