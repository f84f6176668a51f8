package spool_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/evalworker/evalworker/sidecar/spool"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := spool.Open(spool.Config{Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx := context.Background()
	if err := s.Append(ctx, [][]byte{[]byte("first"), []byte("second")}); err != nil {
		fmt.Println(err) // the records must not be confirmed
		return
	}
	batch, err := s.Next(ctx, spool.Limits{Records: 100, Bytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range batch.Records {
		fmt.Printf("%s\n", r.Data)
	}
	fmt.Println(s.Done(batch), s.Stats().Events)
	// Output:
	// first
	// second
	// <nil> 0
}
