package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/sidecar"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// serveCommand is one run of the command serve.
type serveCommand struct {
	target    target
	sidecar   sidecar.Config
	spool     spool.Config
	tokenFile string
}

// lockWait is longer than a killed process takes to disappear.
const lockWait = 2 * time.Second

func newServe() *cobra.Command {
	s := &serveCommand{sidecar: sidecar.DefaultConfig(), spool: spool.Config{Dir: "emitter-spool", MaxBytes: 1 << 30, LockWait: lockWait}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take events over HTTP and send them to Kafka",
		Long: `serve takes events at POST /v1/events, one as JSON or one a line, from applications in
any language. It answers 202 when they are safe in a spool on disk, and sends them to
Kafka from there, those of one trace in order; an outage of Kafka or a crash loses none.

Pictures and files are replaced by their digest, type and size, and an event that is
too large goes without its content. --redact takes secrets and personal data out before
an event is spooled; then fields that evalworker does not know are left out, because
nobody has read them.

It listens on loopback; to listen beyond it, it wants a token. GET /statusz says what
was accepted and sent, how full the spool is and what is wrong with Kafka;
GET /v1/openapi.yaml describes all of it for machines.

SIGTERM or SIGINT stops it: requests finish and what is spooled is sent, for as long as
--grace allows; the rest stays in the spool for the next start. Until then it answers
probes and /statusz, and turns new events away with 503. A second signal ends it at once.`,
		Example: `  emitter serve --brokers kafka-1:9092,kafka-2:9092 --spool-dir /var/lib/emitter
  emitter serve --listen :8788 --token-file /run/secrets/emitter-token
  curl --json '{"event":"llm_request_completed","request_id":"req_9f3a"}' http://127.0.0.1:8788/v1/events`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.target.clusterFlags(cmd)
	s.target.content.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&s.sidecar.Listen, "listen", "l", s.sidecar.Listen, "`ADDRESS` to listen on, host:port")
	f.StringVar(&s.tokenFile, "token-file", "", "`FILE` with the token that requests have to bear, 16 characters at least; needed to listen beyond loopback")
	f.BoolVar(&s.sidecar.Strict, "strict", false, "refuse events with fields that evalworker does not know or cannot read")
	f.StringVar(&s.spool.Dir, "spool-dir", s.spool.Dir, "`FOLDER` of the spool, on a disk that survives restarts; one process uses it at a time")
	f.Int64Var(&s.spool.MaxBytes, "spool-max-bytes", s.spool.MaxBytes, "size of the spool, at least four times --max-body-bytes; when it is full, events are refused with 429")
	f.Int64Var(&s.sidecar.MaxBodyBytes, "max-body-bytes", s.sidecar.MaxBodyBytes, "size of the largest request, also after decompression")
	f.IntVar(&s.sidecar.Concurrency, "concurrency", s.sidecar.Concurrency, "requests in flight at once; further ones are refused with 429")
	f.DurationVar(&s.sidecar.Grace, "grace", s.sidecar.Grace, "how long to go on sending after a signal")
	cli.CompleteFiles(cmd, "token-file")
	cli.CompleteFolders(cmd, "spool-dir")
	return cmd
}

func (s *serveCommand) run(cmd *cobra.Command) (err error) {
	if s.sidecar.Token, err = readToken(s.tokenFile); err != nil {
		return err
	}
	cfg, err := s.target.config(cmd, "emitter-serve")
	if err != nil {
		return err
	}
	names := append(s.names(), s.target.names...)
	if err := s.validate(); err != nil {
		return names.translate(err) // before a folder is made
	}
	publisher, err := emitter.NewPublisher(cfg)
	if err != nil {
		return names.translate(err)
	}
	defer publisher.Close()
	log := cli.NewLog(cmd.ErrOrStderr(), false, slog.LevelInfo)
	sp, err := spool.Open(s.spool, spoolLog(log))
	if errors.Is(err, spool.ErrLocked) {
		err = fmt.Errorf("%w; stop it, or set --spool-dir to another folder", err)
	}
	if err != nil {
		return failureUnlessFault(names.translate(err))
	}
	defer func() { err = errors.Join(err, asFailure(sp.Close())) }()
	server, err := sidecar.New(cmd.Context(), s.sidecar, sidecar.Deps{
		Spool: sp, Publisher: translatingPublisher{publisher, names}, Log: log, Topic: cfg.Topic, Version: cli.ReadBuild().Version,
	})
	switch {
	case err != nil && cmd.Context().Err() != nil: // what was interrupted has not failed
		log.Info("sidecar stopped before it had started", "error", err)
		return nil
	case err != nil:
		return failureUnlessFault(names.translate(err))
	}
	cli.AtSecondSignal(cmd.Context(), func() {
		log.Error("a second signal: the sidecar ends at once; what is spooled is sent after the next start", "spooled_events", sp.Stats().Events)
	})
	if err := server.Run(cmd.Context()); err != nil {
		log.Error("sidecar ended with an error", "error", err)
		return asFailure(&cli.LoggedError{Err: err})
	}
	return nil
}

// spoolLog returns the log of the spool, which writes a line whenever something fails: one of
// each message passes a minute, with the count.
func spoolLog(log *slog.Logger) *slog.Logger {
	return cli.LimitLines(log.With("component", "spool"), 1)
}

// logReason writes a reason why a sidecar does not start into its log.
func logReason(stderr io.Writer, reason string) {
	cli.NewLog(stderr, false, slog.LevelInfo).Error("sidecar does not start", "error", reason)
}

// names returns the names of the settings of the sidecar and its spool on the command
// line.
func (s *serveCommand) names() names {
	return names{
		{"listen", "--listen"},
		{"set listen", "set --listen"},
		{"token", "--token-file"},
		{"a token", "--token-file with a token"},
		{"max_body_bytes", "--max-body-bytes"},
		{"concurrency", "--concurrency"},
		{"grace", "--grace"},
		{"dir", "--spool-dir"},
		{"max_bytes", "--spool-max-bytes"},
	}
}

// validate returns the faults of the sidecar and its spool, and of both together.
func (s *serveCommand) validate() error {
	faults := s.sidecar.Validate()
	least := max(spool.MinBytes, s.sidecar.MinSpoolBytes())
	if s.spool.MaxBytes != 0 && s.spool.MaxBytes < least && len(faults) == 0 {
		faults.Add("max_bytes", fmt.Sprintf("%d is too small for requests of %d bytes", s.spool.MaxBytes, s.sidecar.MaxBodyBytes),
			fmt.Sprintf("want at least %d: four times max_body_bytes, and %d in any case", least, spool.MinBytes))
	}
	return faults.Err()
}

// translatingPublisher is a publisher whose errors name settings as the command line
// does.
type translatingPublisher struct {
	*emitter.Publisher
	names names
}

func (p translatingPublisher) Publish(ctx context.Context, events []emitter.EncodedEvent) (emitter.PublishResult, error) {
	out, err := p.Publisher.Publish(ctx, events)
	return out, p.names.translate(err)
}

// failureUnlessFault returns err as a failure, unless it is faults of the configuration:
// a port or a folder in use, or a broken disk, does not mean that the use is wrong.
func failureUnlessFault(err error) error {
	if _, ok := errors.AsType[fault.List](err); ok {
		return err
	}
	return asFailure(err)
}

// readToken reads the token file; no file, no token.
func readToken(file string) (secret.String, error) {
	if file == "" {
		return "", nil
	}
	token, err := secret.FromFile(file)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return token, nil
}
