package batch_test

import (
	"context"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
)

// instant answers at once, so that what is measured is the way to the model.
type instant struct {
	explaind.Model
	prediction *explaind.Prediction
}

func (m *instant) Predict(context.Context, *explaind.Tensor) (*explaind.Prediction, error) {
	return m.prediction, nil
}

// BenchmarkAlone is what a call without company pays.
func BenchmarkAlone(b *testing.B) {
	m := batch.New(&instant{newFake(), &explaind.Prediction{}}, batch.Options{})
	x := picture(draw(), 1, imageSize)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Predict(ctx, x); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkShared is what a call pays that shares its run with others: eight callers at a time, one run.
func BenchmarkShared(b *testing.B) {
	m := batch.New(newFake(), batch.Options{MaxRuns: 1})
	x := picture(draw(), 1, imageSize)
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Predict(context.Background(), x); err != nil {
				b.Error(err)
			}
		}
	})
}
