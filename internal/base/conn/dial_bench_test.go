//go:build go1.26

package conn

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/internal/base/certs"
)

// BenchmarkFetch reads 4 KiB at a time, as kafka-go does, from a broker that sends as
// fast as it can, with and without a buffer and TLS.
func BenchmarkFetch(b *testing.B) {
	ca := certs.New(b)
	for _, c := range []struct {
		name      string
		encrypted bool
		readAhead int
	}{
		{"plain", false, 0},
		{"plain, buffered", false, 64 << 10},
		{"TLS", true, 0},
		{"TLS, buffered", true, 64 << 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			cfg := DefaultConfig()
			if c.encrypted {
				cfg.TLS = TLS{Enabled: true, CAFile: ca.File}
				ln = tls.NewListener(ln, ca.Server(b, nil))
			}
			var sender sync.WaitGroup
			defer sender.Wait()
			sender.Go(func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				block := make([]byte, 1<<20)
				for err == nil {
					_, err = conn.Write(block)
				}
			})
			conn, err := cfg.opener(c.readAhead)(context.Background(), "tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			chunk := make([]byte, 4<<10)
			b.SetBytes(int64(len(chunk)))
			b.ResetTimer()
			for b.Loop() {
				if _, err := io.ReadFull(conn, chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
