package service_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service"
)

// expiring is a context whose deadline is found to have passed at the n-th look.
type expiring struct {
	context.Context
	looks *atomic.Int64
}

func (e expiring) Err() error {
	if e.looks.Add(-1) < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A deadline is looked at before each step that costs something. The error names the phase in which it passed, and the
// model does not run for nobody.
func TestDeadlines(t *testing.T) {
	m := metered(4, 4)
	s := serviceOf(t, m, service.Options{})
	explain := func(c service.ExplainConfig) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(4, 4), Config: c})
			return err
		}
	}
	for what, c := range map[string]struct {
		call func(context.Context) error
		want []string // phases and runs, for a deadline that passes at the first look, the second, …; a phase may have many
	}{
		"Predict": {func(ctx context.Context) error {
			_, err := s.Predict(ctx, &service.PredictRequest{Image: pixels(4, 4)})
			return err
		}, []string{"QUEUE 0", "DECODE 0", "answered 1"}},
		// Two scores are two runs.
		"two runs": {explain(service.ExplainConfig{Methods: []explaind.Method{"grad_cam", "article_grad_cam"}}),
			[]string{"QUEUE 0", "DECODE 0", "RUN 1", "RENDER 2", "answered 2"}},
		"variants": {explain(service.ExplainConfig{Options: explaind.MethodOptions{AugSmooth: true}}),
			[]string{"QUEUE 0", "DECODE 0", "RUN 1", "RENDER 2", "answered 2"}},
		"passes": {explain(service.ExplainConfig{Methods: []explaind.Method{"rise"}, Options: explaind.MethodOptions{RISE: explaind.RISEOptions{Masks: 20}}}),
			[]string{"QUEUE 0", "DECODE 0", "RUN 1", "RUN 2", "RUN 3", "RENDER 4", "answered 4"}},
		"slopes": {explain(service.ExplainConfig{Methods: []explaind.Method{"smooth_grad"}, Options: explaind.MethodOptions{Noise: explaind.NoiseOptions{Samples: 9}}}),
			[]string{"QUEUE 0", "DECODE 0", "RUN 1", "RUN 2", "RENDER 3", "answered 3"}},
		"faithfulness": {explain(service.ExplainConfig{Faithfulness: true}),
			[]string{"QUEUE 0", "DECODE 0", "RENDER 1", "RUN 1", "RUN 2", "RUN 3", "RUN 4", "RUN 5", "RUN 6", "RUN 7", "answered 8"}},
	} {
		var got []string
		for n := 0; n < 200 && !slices.ContainsFunc(got, func(s string) bool { return s[0] == 'a' }); n++ {
			before := m.Runs()
			var looks atomic.Int64
			looks.Store(int64(n))
			err := c.call(expiring{t.Context(), &looks})
			phase := "answered"
			if err != nil {
				e := explaind.AsError(err)
				if e.Code != explaind.DeadlineExceeded || e.Reason != "DEADLINE_EXCEEDED" {
					t.Errorf("%s: %v", what, err)
				}
				phase = e.Metadata["phase"]
			}
			got = append(got, fmt.Sprintf("%s %d", phase, m.Runs()-before))
		}
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q\nwant %q", what, got, c.want)
		}
	}
}
