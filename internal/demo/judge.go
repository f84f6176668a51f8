package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/evalworker/evalworker/internal/modelserver"
	"github.com/evalworker/evalworker/internal/scenario"
)

// judge is who judges: a real model when the environment has one, else a local
// server that answers from the scenario.
type judge struct {
	model string
	url   string // of the scripted server; empty for a real model
	http  *http.Server
	ended chan error
}

// The judge that stands in for a model, and the default for a real one.
const (
	scriptedModel = "scripted-judge"
	realModel     = "gpt-4o-mini"
)

// scripted reports whether no model is behind the judge.
func (j judge) scripted() bool { return j.url != "" }

func startJudge(ctx context.Context, s *scenario.Scenario, getenv func(string) string) (judge, error) {
	if getenv("OPENAI_API_KEY") != "" || getenv("OPENAI_BASE_URL") != "" {
		model := getenv("OPENAI_MODEL")
		if model == "" {
			model = realModel
		}
		return judge{model: model}, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return judge{}, fmt.Errorf("scripted judge: %w", err)
	}
	j := judge{
		model: scriptedModel,
		url:   "http://" + l.Addr().String() + "/v1",
		http:  &http.Server{Handler: modelserver.New(s.Judge()), ReadHeaderTimeout: 5 * time.Second},
		ended: make(chan error, 1),
	}
	go func() { j.ended <- j.http.Serve(l) }()
	return j, nil
}

// close stops the scripted server and waits for it.
func (j judge) close() error {
	if j.http == nil {
		return nil
	}
	err := j.http.Close()
	if served := <-j.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
