package killtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// inFlight is how many evaluations a worker has at a time.
const inFlight = 100

// envRole is the role of a process that the test starts, and envJob the job of a worker.
const (
	envRole = "EVALWORKER_KILLTEST_ROLE"
	envJob  = "EVALWORKER_KILLTEST_JOB"
)

// job is the task of a worker.
type job struct {
	Name    string
	Brokers []string
	Topic   string
	Group   string
	Records string        // file that gets a line for each event that was evaluated
	Outage  time.Duration // the largest outage of commits; zero leaves the default
}

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(envRole) {
	case "":
		os.Exit(containers.Main(m, containers.WithKafka))
	case "broker":
		err = beBroker()
	case "worker":
		err = beWorker()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beBroker runs a broker until the test is gone.
func beBroker() error {
	broker, err := broker.Start(broker.Config{MinSessionTimeout: time.Second})
	if err != nil {
		return err
	}
	defer broker.Close()
	fmt.Println(broker.Addr())
	_, err = io.Copy(io.Discard, os.Stdin) // the test's end of it closes
	return err
}

// beWorker consumes until SIGTERM. Each evaluation takes 5 to 60 ms, one of a
// hundred 1 to 2 s, and ends with a line in the file of records.
func beWorker() error {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(envJob)), &j); err != nil {
		return err
	}
	records, err := os.OpenFile(j.Records, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer records.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("up") // from here on SIGTERM is an order to stop
	go func() {       // the test is gone: so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()

	cfg := configOf(j)
	consumer, err := consumer.New(cfg, consumer.Deps{
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", j.Name),
		Handle: func(ctx context.Context, m event.Message) error {
			timer := time.NewTimer(latency(m.Value))
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			// One write, so that lines of several processes do not mix, and
			// none is in a buffer when the process dies.
			_, err := fmt.Fprintf(records, "%s %d %s %d\n", j.Name, m.Partition, m.Value, time.Now().UnixMicro())
			return err
		},
	})
	if err != nil {
		return err
	}
	if err := consumer.Run(ctx); err != nil {
		return errors.Join(errors.New("worker "+j.Name), err)
	}
	return nil
}

func configOf(j job) consumer.Config {
	cfg := consumer.DefaultConfig()
	cfg.Brokers, cfg.Topic, cfg.Group = j.Brokers, j.Topic, j.Group
	cfg.SessionTimeout = 6 * time.Second
	cfg.MaxInFlight = inFlight
	if j.Outage > 0 {
		cfg.MaxCommitOutage = j.Outage
	}
	return cfg
}

// latency is the same for an event in every worker.
func latency(id []byte) time.Duration {
	h := fnv.New64a()
	h.Write(id)
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	if r.IntN(100) == 0 {
		return time.Second + time.Duration(r.IntN(1000))*time.Millisecond
	}
	return time.Duration(5+r.IntN(56)) * time.Millisecond
}
