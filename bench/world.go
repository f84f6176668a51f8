package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// world is the environment of the readers: broker, trace agent, a folder.
type world struct {
	out     io.Writer
	brokers []string
	dir     string
	agent   *datadog.AgentSink
	kafka   *containers.Kafka // nil when KAFKA_BROKERS names the broker

	servers []*http.Server
	sockets []net.PacketConn
	serving sync.WaitGroup
}

func newWorld(ctx context.Context) (_ *world, err error) {
	w := &world{out: os.Stdout}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "evalworker-bench-"); err != nil {
		return nil, err
	}
	what := "the broker at " + os.Getenv("KAFKA_BROKERS")
	if addrs := os.Getenv("KAFKA_BROKERS"); addrs != "" {
		w.brokers = strings.Split(addrs, ",")
	} else {
		if w.kafka, err = containers.StartKafka(ctx, containers.KafkaConfig{}); err != nil {
			return nil, fmt.Errorf("%w; name a broker with KAFKA_BROKERS", err)
		}
		w.brokers, what = []string{w.kafka.Addr()}, containers.KafkaImage+" in a container"
	}
	agent, handler := datadog.NewAgent(func(err error) { fmt.Fprintln(os.Stderr, "bench: trace agent:", err) })
	w.agent = agent
	if agent.URL, err = w.serve(ctx, handler); err != nil {
		return nil, err
	}
	fmt.Fprintf(w.out, "%s, %s, %d cores, %s\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), what)
	return w, nil
}

// serve runs a server until the world is closed, and returns its URL.
func (w *world) serve(ctx context.Context, h http.Handler) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	w.servers = append(w.servers, srv)
	w.serving.Go(func() { _ = srv.Serve(l) }) // ends with close
	return "http://" + l.Addr().String(), nil
}

func (w *world) close() error {
	var err error
	for _, srv := range w.servers {
		err = errors.Join(err, srv.Close())
	}
	for _, conn := range w.sockets {
		err = errors.Join(err, conn.Close())
	}
	w.serving.Wait()
	if w.kafka != nil {
		err = errors.Join(err, w.kafka.Close())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// topic creates a topic for one measurement.
func (w *world) topic(ctx context.Context, partitions int) (string, error) {
	name := "bench-" + strings.ToLower(rand.Text()[:10])
	cfg := conn.DefaultConfig()
	cfg.Brokers = w.brokers
	transport := conn.NewTransport(cfg)
	defer transport.CloseIdleConnections()
	res, err := conn.NewClient(cfg, transport).CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		return "", fmt.Errorf("make topic: %w", err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for { // until the broker knows all partitions
		found, err := conn.NewDialer(cfg).LookupPartitions(ctx, "tcp", w.brokers[0], name)
		if err == nil && len(found) == partitions {
			return name, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// configureJudged writes the configuration of a worker that validates every event
// and has a share judged by a model that takes some time.
func (w *world) configureJudged(ctx context.Context, name, topic string, latency time.Duration, rate float64) (string, error) {
	url, err := w.serve(ctx, modelserver.New(func(req modelserver.Request) modelserver.Reply { return passAll(req, latency) }))
	if err != nil {
		return "", err
	}
	return w.configure(name, topic, "", fmt.Sprintf(
		"models: {default: {model: gpt-6-luna, base_url: %s/v1, api_key: none, requests_per_minute: 0}}\n"+
			"evaluators:\n  - {name: reply_format, type: json_schema, schema: support_reply}\n"+
			"  - {name: correctness, type: llm_judge, rubric: answer_relevance, rate: %g}", url, rate))
}

// settings are sections of a configuration in place of the usual ones.
type settings struct{ datadog, health string }

// configure writes a worker's configuration: its surroundings, more keys of the
// section kafka, the policy, and sections that differ from the usual ones.
func (w *world) configure(name, topic, kafkaKeys, policy string, other ...settings) (string, error) {
	var own settings
	if len(other) > 0 {
		own = other[0]
	}
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "schemas", "support_reply.json"), []byte(schema), 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "evalworker.yaml")
	text := strings.Join([]string{
		fmt.Sprintf("kafka: {brokers: [%s], topic: %s, group: %s%s}", strings.Join(w.brokers, ", "), topic, strings.ToLower(rand.Text()[:10]), kafkaKeys),
		fmt.Sprintf("store: {url: %q}", "sqlite:"+filepath.Join(dir, "cases.db")),
		cmp.Or(own.datadog, fmt.Sprintf("datadog: {agent_url: %q}", w.agent.URL)),
		cmp.Or(own.health, `health: {listen: ""}`),
		`log: {level: warn}`,
		policy,
	}, "\n")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
