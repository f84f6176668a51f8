package leaks_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// TestFind: a goroutine that takes longer to end than goleak waits is no leak.
func TestFind(t *testing.T) {
	others := goleak.IgnoreCurrent()
	ended := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(ended) })
	go func() { <-ended }()
	if err := leaks.Find(others); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("a goroutine was left, and not found")
	}
}
