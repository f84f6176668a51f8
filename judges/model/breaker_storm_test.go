package model

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/judges"
)

// TestAModelThatComesAndGoes: for ten minutes it answers only the call that tries it again, so
// that the breaker opens and closes four times a minute. The log says so once a minute, and
// that it is back only where it said that it is down.
func TestAModelThatComesAndGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var err error
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			return judges.Answer{}, err
		}), DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
		opened := 0
		for began := time.Now(); time.Since(began) < 10*time.Minute; opened++ {
			err = down()
			for range breakerCalls {
				_, _ = m.Complete(t.Context(), judges.Request{})
			}
			_ = sleep(t.Context(), breakerPause+time.Millisecond)
			err = nil
			_, _ = m.Complete(t.Context(), judges.Request{})
		}
		downs, backs := strings.Count(log.String(), `level=WARN msg="model is down`), strings.Count(log.String(), `level=INFO msg="model is back" model=`)
		if opened < 35 || downs < 9 || downs > 11 || backs > downs || backs < downs-1 {
			t.Errorf("opened %d times: %d lines that it is down, %d that it is back\n%s", opened, downs, backs, log.String())
		}
	})
}
