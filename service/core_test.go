package service

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
)

// Decoding and drawing wait for a core, and a request that waits for one in vain says where.
func TestCores(t *testing.T) {
	m := fakemodel.New(2, "a", "b")
	s := New(fakerepo.New(t, map[string]explaind.Model{"m": m}), Options{})
	all := int64(runtime.GOMAXPROCS(0))
	image := Image{Tensor: &Tensor{Shape: []int64{2, 2, 3}, DType: UInt8, Data: make([]byte, 12)}}
	ask := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.Explain(ctx, &ExplainRequest{Image: image})
		if err == nil {
			return "answered"
		}
		return explaind.AsError(err).Metadata["phase"]
	}
	if got := ask(); got != "answered" {
		t.Fatalf("with cores: %s", got)
	}
	runs := m.Runs()
	if err := s.cores.Acquire(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "QUEUE" || m.Runs() != runs {
		t.Errorf("without a core to decode: %s after %d runs", got, m.Runs()-runs)
	}
	s.cores.Release(all)
	m.BeforeRun = func(context.Context) error {
		return s.cores.Acquire(t.Context(), all)
	}
	if got := ask(); got != "RENDER" || m.Runs() != runs+1 {
		t.Errorf("without a core to draw: %s after %d runs", got, m.Runs()-runs)
	}
	s.cores.Release(all)
	m.BeforeRun = nil
	if got := ask(); got != "answered" {
		t.Errorf("with cores again: %s", got)
	}
}
