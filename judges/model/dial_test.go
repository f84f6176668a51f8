package model

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestDialer: a dead address delays nobody for long, whichever comes first, and all
// attempts have ended when a connection is there.
func TestDialer(t *testing.T) {
	t.Parallel()
	const dead, refused, taken, alive, slow = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"
	hosts := func(s ...string) (out []netip.Addr) {
		for _, a := range s {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	for name, tt := range map[string]struct {
		addresses []netip.Addr
		took      time.Duration
		to        string // empty: an error
		err       error
	}{
		"alive":                         {hosts(alive), 0, alive, nil},
		"the first is dead":             {hosts(dead, alive), dialStagger, alive, nil},
		"two are dead":                  {hosts(dead, dead, alive), 2 * dialStagger, alive, nil},
		"the first refuses":             {hosts(refused, alive), 0, alive, nil},
		"the first is slow":             {hosts(slow, alive), dialStagger, alive, nil},
		"the first family is dead":      {hosts("fd00::1", "fd00::2", alive), dialStagger, alive, nil},
		"all are dead":                  {hosts(dead, dead), 5 * time.Second, "", errConnectTimeout},
		"all refuse":                    {hosts(refused, refused), 0, "", syscall.ECONNREFUSED},
		"no port left, the other lives": {hosts(taken, alive), 0, alive, nil},
		"no port left, the other not":   {hosts(taken, refused), 0, "", syscall.ECONNREFUSED},
		"no port left":                  {hosts(taken), 0, "", syscall.EADDRNOTAVAIL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var open []net.Conn
				running := 0
				d := newDialer(5 * time.Second)
				d.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return tt.addresses, nil }
				d.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
					mu.Lock()
					running++
					mu.Unlock()
					defer func() {
						mu.Lock()
						defer mu.Unlock()
						running--
					}()
					switch host, _, _ := net.SplitHostPort(address); host {
					case refused:
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
					case taken:
						return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}
					case slow: // is connected all the same when the other one is
						<-time.After(dialStagger)
					case alive:
					default:
						<-ctx.Done()
						return nil, ctx.Err()
					}
					c, other := net.Pipe()
					mu.Lock()
					defer mu.Unlock()
					open = append(open, other)
					return &addressed{Conn: c, to: address}, nil
				}
				began := time.Now()
				c, err := d.DialContext(t.Context(), "tcp", "llm.internal:443")
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if running != 0 {
					t.Errorf("%d attempts still run", running)
				}
				if tt.to == "" {
					if !errors.Is(err, tt.err) {
						t.Errorf("error %v, want %v", err, tt.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if to := c.(*addressed).to; tt.to != alive || to != net.JoinHostPort(alive, "443") && !slices.Contains(tt.addresses, netip.MustParseAddr(slow)) {
					t.Errorf("connected to %s", to)
				}
				_ = c.Close()
				for _, o := range open {
					if _, err := o.Read(make([]byte, 1)); err == nil {
						t.Error("a second connection is open")
					}
				}
			})
		})
	}
}

// addressed is a connection that knows where it goes.
type addressed struct {
	net.Conn
	to string
}

// TestDialerGivesUp: the name has to be resolved within the same time, and a caller that
// leaves ends the attempts.
func TestDialerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(5 * time.Second)
		d.lookup = func(ctx context.Context, _, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
		began := time.Now()
		if _, err := d.DialContext(t.Context(), "tcp", "llm.internal:443"); !errors.Is(err, errConnectTimeout) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if _, err := d.DialContext(ctx, "tcp", "llm.internal:443"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errConnectTimeout) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		d.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }
		if _, err := d.DialContext(t.Context(), "tcp", "llm.internal:443"); err == nil {
			t.Error("a connection to no address")
		}
	})
}
