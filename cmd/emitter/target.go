package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/cli"
)

// target is where a command publishes to, from its flags.
type target struct {
	brokers       []string
	topic         string
	compression   string
	maxEventBytes int
	timeout       time.Duration
	security      security
	content       contentFlags // of send and serve
	names         names        // set by config

	remaining  time.Duration // of timeout, for finish
	connectErr error         // of the attempt to reach the cluster at the start
	unsentErr  error         // why finish could not write what was buffered; nil if only the time was over
}

// connectTimeout is how long a command waits at its start to learn whether the cluster
// lets it in. It goes on after that, because a broker that is away may come back.
const connectTimeout = 10 * time.Second

// errNoProgress ends a wait for room in the buffer.
var errNoProgress = errors.New("the cluster accepts nothing")

// envBrokers replaces --brokers, for a worker too.
const envBrokers = "KAFKA_BROKERS"

// flags adds all flags to a command.
func (t *target) flags(cmd *cobra.Command) {
	t.clusterFlags(cmd)
	cmd.Flags().DurationVar(&t.timeout, "timeout", 30*time.Second, "how long to wait for Kafka: to connect at the start and to write what is buffered at the end together, and in between for it to take anything")
}

// clusterFlags adds the flags for everything but the timeout.
func (t *target) clusterFlags(cmd *cobra.Command) {
	d := emitter.DefaultConfig()
	f := cmd.Flags()
	f.StringSliceVarP(&t.brokers, "brokers", "b", nil, "`ADDRESSES` of brokers, host:port, with commas between them (default $"+envBrokers+", else "+d.Brokers[0]+")")
	f.StringVarP(&t.topic, "topic", "t", d.Topic, "topic to publish to")
	t.compression = d.Compression
	cli.Choice(cmd, &t.compression, "compression", "", emitter.Compressions(), "compression of batches")
	f.IntVar(&t.maxEventBytes, "max-event-bytes", d.MaxEventBytes, "size of the largest event, with key and headers; a larger one goes without its content")
	t.security.flags(cmd)
}

// config returns the configuration from the flags and the environment.
func (t *target) config(cmd *cobra.Command, clientID string) (emitter.Config, error) {
	if err := t.security.complete(cmd); err != nil {
		return emitter.Config{}, err
	}
	addresses := source(cmd, "brokers", envBrokers)
	t.names = append(t.security.names(cmd),
		setting{"brokers", addresses}, setting{"set brokers", "set " + addresses}, setting{"in brokers", "in " + addresses},
		setting{"topic", "--topic"}, setting{"compression", "--compression"}, setting{"max_event_bytes", "--max-event-bytes"})
	brokers := t.brokers
	if len(brokers) == 0 {
		brokers = strings.FieldsFunc(os.Getenv(envBrokers), func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(brokers) == 0 {
		brokers = emitter.DefaultConfig().Brokers
	}
	if t.maxEventBytes < 1 {
		return emitter.Config{}, fmt.Errorf("--max-event-bytes %d: want a number above zero", t.maxEventBytes)
	}
	cfg := emitter.Config{
		Brokers: brokers, TLS: t.security.tls, SASL: t.security.sasl, Topic: t.topic, ClientID: clientID,
		Compression: t.compression, MaxEventBytes: t.maxEventBytes,
		BufferBytes: max(emitter.DefaultConfig().BufferBytes, t.maxEventBytes),
	}
	err := t.content.apply(&cfg)
	return cfg, err
}

// open returns an emitter that waits for room instead of dropping events. It fails if
// the cluster does not let it in, before any event is read or made.
func (t *target) open(cmd *cobra.Command) (*emitter.Emitter, error) {
	if t.timeout <= 0 {
		return nil, fmt.Errorf("--timeout %v: want a duration above zero", t.timeout)
	}
	cfg, err := t.config(cmd, "emitter-cli")
	if err != nil {
		return nil, err
	}
	cfg.Block = true
	cfg.MaxAttempts = math.MaxInt // the timeout is the bound
	// Half of the timeout, so that the fault of a connection is known in time.
	cfg.DialTimeout = min(emitter.DefaultConfig().DialTimeout, t.timeout/2)
	em, err := emitter.New(cfg)
	if err != nil {
		return nil, t.names.translate(err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(cmd.Context(), min(connectTimeout, t.timeout))
	defer cancel()
	t.connectErr = t.names.translate(em.Connect(ctx))
	if errors.Is(t.connectErr, emitter.ErrNoAccess) {
		return nil, &failure{errors.Join(t.connectErr, em.Close(ctx))}
	}
	t.remaining = max(0, t.timeout-time.Since(began))
	if t.connectErr != nil && t.remaining > 0 && cmd.Context().Err() == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "emitter: %v; trying again for up to %v (--timeout)\n", t.connectErr, t.timeout)
	}
	return em, nil
}

// submit calls emit with one event, which may wait for room. If that takes as long as
// the timeout, nothing of it remains for finish.
func (t *target) submit(ctx context.Context, emit func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.timeout, errNoProgress)
	defer cancel()
	err := emit(ctx)
	if errors.Is(err, errNoProgress) {
		t.remaining = 0
	}
	return err
}

// givenUp returns the error of a command that submit has ended: why Kafka accepts
// nothing, as far as finish has found out.
func (t *target) givenUp(where string) error {
	if t.unsentErr != nil {
		return &failure{fmt.Errorf("given up %s: %w (tried for %v: --timeout)", where, t.unsentErr, t.timeout)}
	}
	return &failure{fmt.Errorf("given up %s: Kafka accepted nothing for %v (--timeout)", where, t.timeout)}
}

// finish writes the buffered events, even if ctx has ended, within the rest of the
// timeout, and lists on stderr the events that were not sent. It returns their number.
func (t *target) finish(ctx context.Context, em *emitter.Emitter, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.remaining)
	defer cancel()
	err := em.Close(ctx)
	if err == nil {
		return 0
	}
	unsent, ok := errors.AsType[*emitter.UnsentError](err)
	if !ok {
		fmt.Fprintln(stderr, "emitter:", err)
		return 0
	}
	why := t.names.translate(unsent.Err)
	if t.connectErr != nil && errors.Is(why, context.DeadlineExceeded) {
		why = t.connectErr // it says more than that the time was over
	}
	if !errors.Is(why, context.DeadlineExceeded) {
		t.unsentErr = why
	}
	fmt.Fprintf(stderr, "emitter: %s not sent: %v\n", cli.Plural(unsent.Count, "event"), why)
	for chunk := range slices.Chunk(unsent.RequestIDs, 10) {
		fmt.Fprintln(stderr, "  ", shown(fmt.Sprintf("%.100s", chunk)))
	}
	if more := unsent.Count - len(unsent.RequestIDs); more > 0 {
		fmt.Fprintf(stderr, "   and %d more\n", more)
	}
	return unsent.Count
}

// shown returns a text with ids or names of events as one line that does nothing to a
// terminal.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
