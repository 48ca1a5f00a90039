package service_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serviceOf is a service of one model; the repository checks at the end that every handle was released.
func serviceOf(t *testing.T, m explaind.Model, o service.Options) *service.Service {
	t.Helper()
	return service.New(fakerepo.New(t, map[string]explaind.Model{"m": m}), o)
}

// pixels is a UINT8 picture whose values run through all bytes.
func pixels(height, width int) service.Image {
	data := make([]byte, 3*height*width)
	for i := range data {
		data[i] = byte(7 * i)
	}
	return service.Image{Tensor: &service.Tensor{Shape: []int64{int64(height), int64(width), 3}, DType: service.UInt8, Data: data}}
}

func floats(height, width int, values ...float32) service.Image {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return service.Image{Tensor: &service.Tensor{Shape: []int64{int64(height), int64(width), 3}, DType: service.Float32, Data: data}}
}

func reason(err error) string {
	if err == nil {
		return "OK"
	}
	return explaind.AsError(err).Reason
}

func ptr[T any](v T) *T { return &v }

// methodsWithout are those that need nothing of lacking and have the traits, in the order of the table.
func methodsWithout(lacking explaind.Needs, traits explain.Traits) []explaind.Method {
	return slices.DeleteFunc(explain.Methods(), func(m explaind.Method) bool {
		d, err := explain.Lookup(m)
		return err != nil || d.Needs&lacking != 0 || !d.Traits.Has(traits)
	})
}

// meter is a model with two layers of the same activations that keeps account of its runs.
type meter struct {
	*fakemodel.Model

	mu    sync.Mutex
	kinds []string // "explain 1": what was asked, and of how many rows
	times []int    // how often, one after the other
}

func metered(height, width int) *meter {
	m := &meter{Model: fakemodel.New(4, "a", "b", "c")}
	s := m.Spec()
	s.Input.Height, s.Input.Width = height, width
	second := s.Layers[1]
	second.Name, second.Aliases = "block/other", nil
	s.Layers = append(s.Layers, second)
	for i := range s.Layers {
		s.Layers[i].Height, s.Layers[i].Width = height/2, width/2
	}
	return m
}

func (m *meter) note(what string, rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := fmt.Sprintf("%s %d", what, rows)
	if last := len(m.kinds) - 1; last >= 0 && m.kinds[last] == kind {
		m.times[last]++
		return
	}
	m.kinds, m.times = append(m.kinds, kind), append(m.times, 1)
}

// account is what was asked, in order: "explain 1, 2× predict 8, predict 4". It begins anew.
func (m *meter) account() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.kinds
	for i, n := range m.times {
		if n > 1 {
			list[i] = fmt.Sprintf("%d× %s", n, list[i])
		}
	}
	m.kinds, m.times = nil, nil
	return strings.Join(list, ", ")
}

func (m *meter) Predict(ctx context.Context, x *explaind.Tensor) (*explaind.Prediction, error) {
	m.note("predict", x.Rows())
	return m.Model.Predict(ctx, x)
}

func (m *meter) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	m.note("explain", r.Images.Rows())
	return m.Model.Explain(ctx, r)
}

func (m *meter) PredictFrom(ctx context.Context, e *explaind.Evidence, a *explaind.Tensor) (*explaind.Prediction, error) {
	m.note("from", a.Rows())
	return m.Model.PredictFrom(ctx, e, a)
}
