package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/demo/scenario"
)

// judge is a real model if the environment names one, else a local server that
// answers from the scenario. The zero value can be closed.
type judge struct {
	model string
	url   string // of the scripted server; empty for a real model

	http    *http.Server
	serving sync.WaitGroup
	err     error // of http; read after serving
}

// The scripted judge, and the default of a real model.
const (
	scriptedModel = "scripted-judge"
	realModel     = "gpt-6-luna"
)

// scripted reports whether a script judges instead of a model.
func (j *judge) scripted() bool { return j.url != "" }

// start chooses the model, or serves the script until close.
func (j *judge) start(ctx context.Context, s *scenario.Scenario, getenv func(string) string) error {
	if getenv("OPENAI_API_KEY") != "" || getenv("OPENAI_BASE_URL") != "" {
		j.model = cmp.Or(getenv("OPENAI_MODEL"), realModel)
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("scripted judge: %w", err)
	}
	j.model, j.url = scriptedModel, "http://"+l.Addr().String()+"/v1"
	j.http = &http.Server{Handler: modelserver.New(s.Judge()), ReadHeaderTimeout: 5 * time.Second}
	j.serving.Go(func() { j.err = j.http.Serve(l) })
	return nil
}

// close stops the scripted server and waits for it.
func (j *judge) close() error {
	if j.http == nil {
		return nil
	}
	err := j.http.Close()
	j.serving.Wait()
	if !errors.Is(j.err, http.ErrServerClosed) {
		err = errors.Join(err, j.err)
	}
	return err
}
