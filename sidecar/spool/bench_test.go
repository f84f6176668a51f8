package spool

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkAppend measures an event with many requests at once, which share a sync.
func BenchmarkAppend(b *testing.B) {
	record := []byte(strings.Repeat("x", 2000))
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir(), MaxBytes: 8 << 30})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { // or the disk fills
				defer close(done)
				for {
					batch, err := s.Next(ctx, Limits{Records: 500, Bytes: 1 << 20})
					if err != nil {
						return
					}
					if err := s.Done(batch); err != nil {
						b.Error(err)
					}
				}
			}()
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			b.SetParallelism(writers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.Append(context.Background(), [][]byte{record}); err != nil {
						b.Error(err)
					}
				}
			})
			b.StopTimer()
			cancel()
			<-done
		})
	}
}

func BenchmarkAppendBatch(b *testing.B) {
	records := make([][]byte, 500)
	for i := range records {
		records[i] = []byte(strings.Repeat("x", 2000))
	}
	s := open(b, Config{Dir: b.TempDir(), MaxBytes: 8 << 30})
	b.SetBytes(500 * 2000)
	for b.Loop() {
		if err := s.Append(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		batch, err := s.Next(b.Context(), Limits{Records: 500, Bytes: 2 << 20})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Done(batch); err != nil {
			b.Fatal(err)
		}
	}
}
