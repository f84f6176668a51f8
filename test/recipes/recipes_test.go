package recipes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
)

// recipe is a service of examples/ that answers POST /ask.
type recipe struct {
	dir      string
	packages bool                            // it needs packages of other languages
	prepare  func(t *testing.T, dir string)  // installs and builds
	command  func(dir, port string) []string // runs in dir
	ready    string                          // what it prints when it listens
	path     string                          // default /ask
}

func recipes() []recipe {
	gunicorn := func(module string, args ...string) func(string, string) []string {
		return func(_, port string) []string {
			return append([]string{venv("gunicorn"), "--workers", "2", "--bind", "127.0.0.1:" + port}, append(args, module)...)
		}
	}
	return []recipe{
		{dir: "nethttp", ready: "listens on", prepare: func(t *testing.T, dir string) {
			run(t, dir, nil, "go", "build", "-o", filepath.Join(abs(t, root), "bin", "recipes", "nethttp"), ".")
		}, command: func(string, string) []string {
			return []string{"../../bin/recipes/nethttp"}
		}},
		{dir: "fastapi", packages: true, ready: "Uvicorn running", prepare: installPython, command: func(_, port string) []string {
			return []string{venv("uvicorn"), "app:app", "--port", port}
		}},
		// --preload makes the client before the workers are forked.
		{dir: "flask", packages: true, ready: "Listening at", prepare: installPython, command: gunicorn("app:app", "--preload")},
		{dir: "django", packages: true, ready: "Listening at", prepare: installPython, command: gunicorn("wsgi:application")},
		{dir: "express", packages: true, ready: "listens", prepare: installNode, command: func(string, string) []string {
			return []string{"node", "server.mjs"}
		}},
		{dir: "nextjs", packages: true, ready: "Ready in", path: "/api/ask", prepare: func(t *testing.T, dir string) {
			installNode(t, dir)
			run(t, dir, []string{"NEXT_TELEMETRY_DISABLED=1"}, "node", "node_modules/next/dist/bin/next", "build")
		}, command: func(_, port string) []string {
			return []string{"node", "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", port}
		}},
		{dir: "spring", packages: true, ready: "Started Application", prepare: func(t *testing.T, dir string) {
			run(t, filepath.Join(root, "clients", "java"), nil, "mvn", "-q", "-B", "install", "-DskipTests")
			run(t, dir, nil, "mvn", "-q", "-B", "package")
		}, command: func(_, port string) []string {
			return []string{"java", "-jar", "target/ask.jar", "--server.address=127.0.0.1", "--server.port=" + port}
		}},
	}
}

// TestRecipes: each service publishes every request, with the session and user of its HTTP
// request and the prompt of its client, also one that the model refuses; and a service that
// is stopped right after an answer has lost none.
func TestRecipes(t *testing.T) {
	t.Parallel()
	python := make(chan struct{}, 1) // installs into the one environment, one after another
	python <- struct{}{}
	for _, r := range recipes() {
		t.Run(r.dir, func(t *testing.T) {
			t.Parallel()
			if r.packages {
				needsPackages(t)
			}
			dir := filepath.Join(root, "examples", r.dir)
			<-python
			func() {
				defer func() { python <- struct{}{} }()
				r.prepare(t, dir)
			}()
			w := newWorld(t)
			port := freePort(t)
			command := r.command(dir, port)
			service, _ := start(t, dir, append(w.environment(), "PORT="+port), r.ready, command[0], command[1:]...)

			url := "http://127.0.0.1:" + port + "/ask"
			if r.path != "" {
				url = "http://127.0.0.1:" + port + r.path
			}
			asked := map[event.RequestID]int{}
			for i := range 3 {
				status, id := post(t, url, fmt.Sprint("question ", i), i)
				if status != http.StatusOK || id == "" {
					t.Fatalf("question %d: status %d, request id %q\n%s", i, status, id, service.output())
				}
				asked[event.RequestID(id)] = i
			}
			if status, _ := post(t, url, broken, 3); status != http.StatusBadGateway {
				t.Errorf("the refused question: status %d, want 502\n%s", status, service.output())
			}
			service.stop(t) // at once: what it has not sent yet is sent now

			arrived := w.events(t)
			users := map[string]bool{}
			failed := 0
			for id, ev := range arrived {
				i, ok := asked[id]
				if !ok {
					i, failed = 3, failed+1
				}
				want := map[string]string{"status": "success", "session": fmt.Sprint("session-", i), "feature": "support", "prompt": "triage", "version": "v3"}
				got := map[string]string{"status": ev.Status, "session": ev.SessionID, "feature": ev.Feature, "prompt": ev.PromptName, "version": ev.PromptVersion}
				if !ok {
					want["status"] = "error"
				}
				for name, value := range want {
					if got[name] != value {
						t.Errorf("%s: %s is %q, want %q", id, name, got[name], value)
					}
				}
				body, err := json.Marshal(ev)
				if err != nil {
					t.Fatal(err)
				}
				if ok && (!bytes.Contains(body, fmt.Append(nil, "question ", i)) || !bytes.Contains(body, []byte(answer))) {
					t.Errorf("%s holds no question or no answer: %s", id, body)
				}
				if ev.UserIDHash == "" || strings.Contains(ev.UserIDHash, "user") {
					t.Errorf("%s: the user's hash is %q", id, ev.UserIDHash)
				}
				users[ev.UserIDHash] = true
			}
			if len(arrived) != 4 || failed != 1 || len(users) != 4 {
				t.Errorf("%d events of %d users arrived, %d failed; want 4 of 4, 1 failed\n%s", len(arrived), len(users), failed, service.output())
			}
		})
	}
}

// post asks a question and returns the answer's status and request id.
func post(t *testing.T, url, question string, user int) (status int, id string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"question": question})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a connection each, so that all workers of a service get some
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-User", fmt.Sprint("user-", user))
	req.Header.Set("X-Session", fmt.Sprint("session-", user))
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		RequestID string `json:"request_id"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&got) // an error's body may be text
	return resp.StatusCode, got.RequestID
}

// venv returns a program of the environment that installPython fills.
func venv(program string) string {
	return filepath.Join("..", "..", "bin", "recipes", "python", "bin", program)
}

func installPython(t *testing.T, dir string) {
	t.Helper()
	env := filepath.Join(abs(t, root), "bin", "recipes", "python")
	if _, err := os.Stat(filepath.Join(env, "bin", "pip")); err != nil {
		run(t, "", nil, "python3", "-m", "venv", env)
	}
	run(t, dir, nil, filepath.Join(env, "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt", "../../clients/python")
}

func installNode(t *testing.T, dir string) {
	t.Helper()
	// A copy of the client from an earlier run is not renewed by npm.
	if err := os.RemoveAll(filepath.Join(dir, "node_modules", "evalworker")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, "npm", "install", "--no-audit", "--no-fund", "--silent")
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
