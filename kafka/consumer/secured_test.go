package consumer

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// checkSecured uses a cluster that accepts only this configuration: for messages, a
// dead letter and commits.
func checkSecured(t *testing.T, conn conn.Config, session time.Duration) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Config, cfg.SessionTimeout = conn, session
	cfg.Start = StartLast // which looks partitions up by itself
	b := testbedOn(t, cfg, 2)
	book := &notebook{}
	w := b.start(Deps{Handle: func(ctx context.Context, m event.Message) error {
		if string(m.Value) == "a3" {
			return eval.Permanent(eval.ReasonMalformed, os.ErrInvalid)
		}
		return book.Handle(ctx, m)
	}})
	w.owns(2)
	b.publish(0, values("a", 5)...)
	b.publish(1, values("b", 5)...)
	b.eventually("everything is committed", func() bool { return b.stored(0) == 5 && b.stored(1) == 5 })
	if err := w.halt(); err != nil {
		t.Error(err)
	}
	if got := len(book.get()); got != 9 || w.seen.count("dead "+string(eval.ReasonMalformed)) != 1 {
		t.Errorf("%d handled and %v, want 9 and one dead letter", got, w.seen.counts)
	}
}

// TestSecured runs the whole consumer over TLS, with each kind of login.
func TestSecured(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	own := ca.Issue(t, time.Hour)
	for _, mechanism := range []string{conn.Plain, conn.ScramSHA256, conn.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			b := securedBroker(t, broker.Config{
				TLS: ca.Server(t, ca), Users: []broker.User{{Mechanism: mechanism, Name: "worker", Password: "right"}},
			})
			nc := conn.DefaultConfig()
			nc.Brokers = []string{b.Addr()}
			nc.TLS = conn.TLS{Enabled: true, CAFile: ca.File, CertFile: own.CertFile, KeyFile: own.KeyFile}
			nc.SASL = conn.SASL{Mechanism: mechanism, Username: "worker", Password: secret.String("right")}
			checkSecured(t, nc, 2*time.Second)
		})
	}
}

// TestSecuredApacheKafka does the same on an Apache Kafka, and tries a wrong password.
func TestSecuredApacheKafka(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	ca := certs.New(t)
	own := ca.Issue(t, time.Hour, "127.0.0.1")
	right := rand.Text()
	k, err := containers.StartSecuredKafka(t.Context(), containers.SecuredKafka{
		CertFile: own.CertFile, KeyFile: own.KeyFile, Username: "worker", Password: right,
	}, containers.KafkaConfig{})
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	nc := conn.DefaultConfig()
	nc.Brokers = []string{k.Addr()}
	nc.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
	nc.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "worker", Password: secret.String(right)}
	checkSecured(t, nc, 6*time.Second)

	cfg := DefaultConfig()
	cfg.Config = nc
	cfg.SASL.Password = "wrong"
	b := &testbed{t: t, cfg: cfg}
	began := time.Now()
	w := b.start(Deps{Handle: (&notebook{}).Handle})
	b.eventually("the refusal shows", func() bool { return w.Status().Refused != "" })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("shown after %v", took)
	}
	if got := w.Status().Refused; !strings.Contains(got, `refuses the login by SCRAM-SHA-512 as user "worker"`) {
		t.Errorf("refused: %q", got)
	}
}

func securedBroker(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// logBuffer keeps the log.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestWrongPassword: it is logged once, soon, with what to mend; the worker goes on
// trying, and is let in when the file is mended.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	for _, begin := range []Start{StartFirst, StartLast} {
		t.Run(string(begin), func(t *testing.T) {
			t.Parallel()
			ca := certs.New(t)
			broker := securedBroker(t, broker.Config{
				Topics: map[string]int32{"events": 1}, TLS: ca.Server(t, nil),
				Users: []broker.User{{Mechanism: conn.ScramSHA512, Name: "worker", Password: "right"}},
			})
			wrong := strings.Repeat("canary", 3)
			password := filepath.Join(t.TempDir(), "password")
			writeFile(t, password, wrong)
			cfg := DefaultConfig()
			cfg.Brokers, cfg.Topic, cfg.Start = []string{broker.Addr()}, "events", begin
			cfg.HeartbeatInterval = 100 * time.Millisecond
			cfg.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
			cfg.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "worker", PasswordFile: password}
			log := &logBuffer{}
			b := &testbed{t: t, broker: broker, cfg: cfg}
			began := time.Now()
			w := b.start(Deps{Handle: (&notebook{}).Handle, Log: slog.New(slog.NewTextHandler(log, nil))})
			b.eventually("the refusal shows", func() bool { return w.Status().Refused != "" })
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("shown after %v", took)
			}
			st := w.Status()
			for _, want := range []string{`refuses the login by SCRAM-SHA-512 as user "worker"`, password, "sasl.username"} {
				if !strings.Contains(st.Refused, want) {
					t.Errorf("%q does not say %q", st.Refused, want)
				}
			}
			if st.Joined || st.RefusedSince.IsZero() {
				t.Errorf("%+v", st)
			}
			last := w.refusal.lastAt()
			b.eventually("it tries again", func() bool { return w.refusal.lastAt().After(last) })
			writeFile(t, password, "right")
			w.owns(1)
			if st := w.Status(); st.Refused != "" {
				t.Errorf("in the group, and still refused: %s", st.Refused)
			}
			text := log.String()
			if n := strings.Count(text, "level=ERROR"); n != 1 || !strings.Contains(text, "does not let this worker in") {
				t.Errorf("%d errors in the log, want one:\n%s", n, text)
			}
			if strings.Contains(text+st.Refused, wrong) {
				t.Errorf("the password is shown:\n%s", text)
			}
		})
	}
}

// TestPasswordTakenBack: a running worker whose password is changed on the brokers
// shows it in its status, and goes on when its file is changed too.
func TestPasswordTakenBack(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	addr := freeAddr(t)
	serve := func(password string) *broker.Broker {
		return securedBroker(t, broker.Config{
			Addr: addr, Topics: map[string]int32{"events": 1}, TLS: ca.Server(t, nil),
			Users: []broker.User{{Mechanism: conn.ScramSHA256, Name: "worker", Password: password}},
		})
	}
	broker := serve("one")
	password := filepath.Join(t.TempDir(), "password")
	writeFile(t, password, "one")
	cfg := DefaultConfig()
	cfg.Brokers, cfg.Topic = []string{addr}, "events"
	cfg.SessionTimeout, cfg.HeartbeatInterval, cfg.PartitionWatch = 2*time.Second, 100*time.Millisecond, 100*time.Millisecond
	cfg.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
	cfg.SASL = conn.SASL{Mechanism: conn.ScramSHA256, Username: "worker", PasswordFile: password}
	b := &testbed{t: t, broker: broker, cfg: cfg}
	w := b.start(Deps{Handle: (&notebook{}).Handle})
	w.owns(1)
	broker.Close()
	serve("two")
	b.eventually("the refusal shows", func() bool { return strings.Contains(w.Status().Refused, "SCRAM-SHA-256") })
	writeFile(t, password, "two")
	b.eventually("let in again", func() bool { st := w.Status(); return st.Joined && st.Refused == "" })
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestRefusals: a refusal is logged at once, a changed reason too, the rest once a
// minute.
func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := func(problem, broker string) *conn.AccessError {
			return &conn.AccessError{Problem: problem, Broker: broker, Err: os.ErrPermission}
		}
		var r refusalState
		began := time.Now()
		for i, step := range []struct {
			why  *conn.AccessError
			wait time.Duration
			n    int
			log  bool
		}{
			{why("a", "1"), 0, 1, true},
			{why("a", "2"), time.Second, 0, false}, // another broker changes nothing
			{why("b", "1"), time.Second, 2, true},
			{why("b", "1"), time.Second, 0, false},
			{why("b", "1"), outage.Interval - time.Second, 2, true},
		} {
			<-time.After(step.wait)
			if seen, log := r.add(step.why, false); seen.Count != step.n || log != step.log {
				t.Errorf("step %d: %+v, %v", i, seen, log)
			}
		}
		if text, since := r.current(false); !strings.Contains(text, "b") || since.Sub(began) != 2*time.Second {
			t.Errorf("now: %q since %v", text, since)
		}
		r.end()
		if text, _ := r.current(false); text != "" {
			t.Errorf("let in, and still %q", text)
		}
		r.add(why("old", ""), true)
		<-time.After(2 * refusalLasts)
		if text, _ := r.current(true); text != "" {
			t.Errorf("a member shows a refusal that is long over: %q", text)
		}
		if text, _ := r.current(false); text == "" {
			t.Error("a worker that is not in the group is refused until it is let in")
		}
	})
}

func (s *refusalState) lastAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return time.Time{}
	}
	return s.newest.last
}

// TestRefusedSince: the time of a refusal is that of the present trouble. One that went
// away in between begins anew, and two at the same time do not move each other's begin.
func TestRefusedSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(DefaultConfig(), Deps{Handle: new(notebook).Handle})
		if err != nil {
			t.Fatal(err)
		}
		c.joined = true
		letter := fmt.Errorf("publish dead letter: %w", c.cfg.WriteRefusal("events.dead", kafka.TopicAuthorizationFailed))
		group := fmt.Errorf("commit: %w", kafka.GroupAuthorizationFailed)
		expect := func(about string, since time.Time) {
			t.Helper()
			st := c.Status()
			if !strings.Contains(st.Refused, about) || !st.RefusedSince.Equal(since) {
				t.Errorf("refused since %v, want %v: %q", st.RefusedSince, since, st.Refused)
			}
		}
		began := time.Now()
		c.noteRefusal(letter)
		<-time.After(10 * time.Second)
		c.noteRefusal(letter)
		expect("write to the topic events.dead", began)
		<-time.After(time.Hour) // someone grants it, and takes it back
		if st := c.Status(); st.Refused != "" {
			t.Errorf("an hour later still %q", st.Refused)
		}
		again := time.Now()
		c.noteRefusal(letter)
		expect("write to the topic events.dead", again)
		<-time.After(time.Second)
		second := time.Now()
		c.noteRefusal(group)
		expect("use the consumer group "+c.cfg.Group, second)
		<-time.After(time.Second)
		c.noteRefusal(letter)
		expect("write to the topic events.dead", again)
		c.refusal.endOf(letter)
		if st := c.Status(); st.Refused != "" {
			t.Errorf("the letter was accepted, and still %q", st.Refused)
		}
	})
}
